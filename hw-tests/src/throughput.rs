//! Images per second by batch size, measured, so that a device's batch size is chosen from numbers of that device.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use reader::model::ModelSession;
use reader::pixels::INPUT_SIDE;

use crate::check::Found;
use crate::table::Table;

/// Doubling from one image to more than the appliance ever batches.
const BATCHES: [usize; 6] = [1, 2, 4, 8, 16, 32];

/// The last of them.
pub(crate) const LARGEST: usize = BATCHES[BATCHES.len() - 1];

/// Runs of each batch size that are not counted: the first ones allocate and choose kernels.
const WARM_UP: usize = 3;

/// Each batch size runs for `seconds`.
pub(crate) fn check(session: &mut ModelSession, seconds: f64) -> Result<Found> {
    ensure!(seconds > 0.0 && seconds <= 600.0, "--seconds must be over 0 and at most 600");
    let (mut rows, mut best) = (Vec::new(), (0, 0.0));
    for batch in BATCHES {
        let images: Vec<Vec<u8>> = (0..batch).map(|n| vec![n as u8; INPUT_SIDE * INPUT_SIDE]).collect();
        for _ in 0..WARM_UP {
            session.run(&images)?;
        }
        let mut times = Vec::new();
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs_f64(seconds) {
            let one = Instant::now();
            session.run(&images)?;
            times.push(one.elapsed().as_secs_f64() * 1e3);
        }
        let rate = (times.len() * batch) as f64 / started.elapsed().as_secs_f64();
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        rows.push(vec![batch.to_string(), format!("{rate:.1}"), format!("{:.3}", at(0.5)), format!("{:.3}", at(0.99))]);
        best = if rate > best.1 { (batch, rate) } else { best };
    }
    let words = format!("{:.1} images/s at batch {}, the best of {}", best.1, best.0, BATCHES.len());
    Ok(Found { words, table: Some(Table { head: vec!["Batch", "Images/s", "Median ms", "p99 ms"], rows }) })
}
