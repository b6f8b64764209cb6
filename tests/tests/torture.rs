//! A short run of the fault harness: each program dies at every point that has a name, and at moments of chance between them,
//! while the network, the disk, the broker and the database do the same; and the promise is kept.

#![cfg(test)]

use std::time::Duration;

use lab::torture::{self, Measure, Torture};
use lab::{place, postgres};

/// Seconds of faults, for the points of three services that die at the same time; points that were not met are tried again.
const SECONDS: u64 = 60;

#[test]
fn what_was_acknowledged_arrives_once_although_everything_dies_everywhere() {
    let folder = torture::folder("torture").unwrap();
    let measure = Measure { seed: 4, time: Duration::from_secs(SECONDS), wipe_broker: false };
    // What two cores that are busy with dying programs can read meanwhile.
    let run = Torture { folder: folder.clone(), database: postgres::fresh_database().unwrap(), measure, pace: 4.0 };
    let outcome = run.run().unwrap();
    println!("{}", outcome.table());
    assert!(outcome.drained.is_some(), "something waits for ever: see {}", outcome.history.display());
    assert!(outcome.verdict.is_kept(), "{}", outcome.offences());
    assert!(outcome.missed.is_empty(), "nobody died at {:?}", outcome.missed);
    assert!(outcome.record.acknowledged() > 100, "too little was sent to prove anything");
    let read = outcome.verdict.outcomes.get("read").copied().unwrap_or_default();
    assert!(read > 100, "the model was hardly asked: {:?}", outcome.verdict.outcomes);
    torture::clear(&folder).unwrap();
}

/// The variable that arms them is not even named in what is shipped.
#[test]
fn only_the_test_build_can_be_told_to_die() {
    let named = |file: &std::path::Path| {
        let bytes = std::fs::read(file).unwrap();
        let name = fail_points::VARIABLE.as_bytes();
        bytes.windows(name.len()).any(|window| window == name)
    };
    for program in place::PROGRAMS {
        assert!(named(&place::armed_programs().join(program)), "{program}: the search finds it where it is");
        assert!(!named(&place::program(program).unwrap()), "{program} can be told to die");
    }
}
