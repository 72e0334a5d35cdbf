//! The protocol against many schedules of faults.

use hxsim::trial;

use my_protocol::{MyProtocol, scenario};

#[test]
fn every_seed_converges() {
    let proved = trial::prove(&MyProtocol, 0..100, scenario, "cargo run -- --seed");
    proved.unwrap_or_else(|found| panic!("{found}"));
}
