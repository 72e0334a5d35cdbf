//! All benchmarks, in one binary that is linked once. Each has its bound beside it: the least that any implementation
//! would have to do, measured in the same run, as only the ratio of the two survives a change of machine.

mod run;
mod session;
mod wire;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    wire::bench(&mut criterion);
    session::bench(&mut criterion);
    run::bench(&mut criterion);
    criterion.final_summary();
}
