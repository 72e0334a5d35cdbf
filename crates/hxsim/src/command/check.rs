use hxsim::cli;
use hxsim::figure::FIGURES;
use hxsim::scenario::Scenario;

use super::{Failure, prepare, print, warn};
use crate::Console;

/// `hxsim check`.
pub(crate) fn check(args: &cli::Check, console: &Console) -> Result<u8, Failure> {
    let mut code = 0;
    for path in &args.scenarios {
        let checked = Scenario::load(path, &[]).map_err(Failure::usage);
        match checked.and_then(|scenario| Ok((prepare(path, &scenario)?, scenario))) {
            Ok(((graph, gossip), scenario)) => {
                print(&format!("{}: ok\n", path.display()))?;
                warn(path, &scenario, (&graph, &gossip), 1, console);
            }
            Err(failure) => {
                eprintln!("{}", failure.message);
                code = failure.code;
            }
        }
    }
    Ok(code)
}

/// `hxsim figures`.
pub(crate) fn figures() -> Result<u8, Failure> {
    let rows = FIGURES.iter().map(|figure| {
        let (column, unit) = (figure.column(), figure.unit.noun());
        format!(
            "{:<27} {column:<27} {unit:<18} {}\n",
            figure.name, figure.meaning
        )
    });
    let head = format!("{:<27} {:<27} {:<18} MEANING\n", "NAME", "COLUMN", "UNIT");
    print(&(head + &rows.collect::<String>()))?;
    Ok(0)
}
