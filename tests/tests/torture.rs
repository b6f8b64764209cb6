//! A short run of the fault harness: each program dies at every point that has a name, and at moments of chance between them,
//! while the network, the disk, the broker and the database do the same; and the promise is kept.

#![cfg(test)]

use std::time::Duration;

use lab::postgres;
use lab::torture::{self, Measure, Torture};

/// Seconds of faults, for the 33 points of three programs that die at the same time; points that were not met are tried again.
const SECONDS: u64 = 60;

#[test]
fn what_was_acknowledged_arrives_once_although_everything_dies_everywhere() {
    let folder = torture::folder("torture").unwrap();
    let measure = Measure { seed: 4, time: Duration::from_secs(SECONDS), wipe_broker: false };
    // What two cores that are busy with dying programs can read meanwhile.
    let run = Torture {
        folder: folder.clone(),
        database: postgres::fresh_database().unwrap(),
        measure,
        pace: 6.0,
        images: 300,
    };
    let outcome = run.run().unwrap();
    println!("{}", outcome.table());
    assert!(outcome.drained.is_some(), "something waits for ever: see {}", outcome.history.display());
    assert!(outcome.verdict.is_kept(), "{}", outcome.offences());
    assert!(outcome.missed.is_empty(), "nobody died at {:?}", outcome.missed);
    assert!(outcome.record.acknowledged() > 100, "too little was sent to prove anything");
    torture::clear(&folder).unwrap();
}
