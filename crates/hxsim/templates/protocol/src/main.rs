//! `cargo run -- --seed 17` runs one seed, says what came of it, and proves that its history is one.

use std::env;
use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

use hxsim::run::Difference;
use hxsim::trial;

use my_protocol::{MyProtocol, scenario};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let seed = match &arguments[..] {
        [] => Some(1),
        [flag, seed] if flag == "--seed" => seed.parse().ok(),
        _ => None,
    };
    let Some(seed) = seed else {
        eprintln!("usage: my-protocol [--seed N]");
        return Ok(ExitCode::from(2));
    };
    let scenario = scenario(seed);
    let trial = trial::run(&MyProtocol, &scenario)?;
    let mut out = io::stdout();
    write!(out, "{}", trial.human(false))?;

    match trial::verify(&MyProtocol, &scenario)? {
        Ok(digest) => {
            writeln!(
                out,
                "  the same in one piece and in three: digest {digest:016x}"
            )?;
            Ok(ExitCode::from(trial.outcome.exit_code()))
        }
        Err(difference) => {
            eprintln!("error: not deterministic: {difference}");
            Ok(ExitCode::from(Difference::EXIT_CODE))
        }
    }
}
