//! Ten thousand images must not make the process or the card's memory grow: what leaks a little in a test leaks a lot in a
//! year.

use std::ffi::OsStr;

use anyhow::{Context, Result};
use reader::model::ModelSession;
use reader::pixels::INPUT_SIDE;
use sensors::{LIBRARY, Nvidia};

use crate::check::{Found, Outcome};
use crate::table::Table;

/// Images of one batch, as the appliance has it by default.
const BATCH: usize = 8;

/// Batches before the measurement: allocators and providers fill their pools with the first.
const WARM_UP: usize = 50;

/// Growth that is allowed, bytes: a leak of 7 KB an image would show, an allocator's mood does not.
const ALLOWED: u64 = 64 << 20;

/// Measurements after the first: enough to see whether it rises steadily or once.
const PARTS: usize = 10;

/// What is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Memory {
    images: usize,
    /// Of this process, bytes.
    host: u64,
    /// Of the card, bytes, this process's and everybody's; none where the driver does not tell, as on boards whose graphics
    /// processor uses the host's memory.
    card: Option<u64>,
}

/// Runs `images` and compares the memory before and after.
pub(crate) fn check(session: &mut ModelSession, images: usize) -> Result<Outcome> {
    let nvidia = Nvidia::open(OsStr::new(LIBRARY)).ok();
    let measure = |images| {
        let cards = nvidia.as_ref().and_then(|nvidia| nvidia.read().ok());
        let card = cards.and_then(|cards| cards.first()?.memory_used_bytes);
        Ok::<_, anyhow::Error>(Memory { images, host: resident_bytes()?, card })
    };
    let batch: Vec<Vec<u8>> = (0..BATCH).map(|n| vec![n as u8 * 30; INPUT_SIDE * INPUT_SIDE]).collect();
    let mut run = |batches: usize| (0..batches).try_for_each(|_| session.run(&batch).map(drop));
    run(WARM_UP)?;
    let part = images.div_ceil(BATCH * PARTS);
    let mut rows = vec![measure(0)?];
    for n in 1..=PARTS {
        run(part)?;
        rows.push(measure(n * part * BATCH)?);
    }
    let found = |words| Found { words, table: Some(table(&rows)) };
    Ok(match verdict(&rows) {
        Ok(words) => Outcome::Passed(found(words)),
        Err(words) => Outcome::Failed(found(words)),
    })
}

fn table(rows: &[Memory]) -> Table {
    let mebibytes = |bytes: u64| (bytes >> 20).to_string();
    let row = |row: &Memory| {
        let card = row.card.map_or_else(|| "–".to_owned(), mebibytes);
        vec![row.images.to_string(), mebibytes(row.host), card]
    };
    Table { head: vec!["Images", "Process, MiB", "Card, MiB"], rows: rows.iter().map(row).collect() }
}

fn verdict(rows: &[Memory]) -> Result<String, String> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Err("nothing was measured".into()) };
    let growth = |before: u64, after: u64| (after as i128 - before as i128) >> 20;
    let host = format!("the process grew by {} MiB", growth(first.host, last.host));
    let card = match (first.card, last.card) {
        (Some(before), Some(after)) => format!("the card's memory in use by {} MiB", growth(before, after)),
        _ => "the driver does not tell the card's memory".to_owned(),
    };
    let words = format!("over {} images {host}, {card}", last.images);
    let is_flat = |before: u64, after: u64| after <= before + ALLOWED;
    // A driver that told before and tells no more has lost its card.
    let card_is_flat = match (first.card, last.card) {
        (Some(before), Some(after)) => is_flat(before, after),
        (before, _) => before.is_none(),
    };
    if is_flat(first.host, last.host) && card_is_flat { Ok(words) } else { Err(words) }
}

/// `VmRSS` of this process (proc(5)), in kB of 1024 bytes there.
fn resident_bytes() -> Result<u64> {
    let status =
        std::fs::read_to_string("/proc/self/status").context("the kernel does not tell this process's memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in /proc/self/status")?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_memory_is_told_and_follows_an_allocation() {
        let before = resident_bytes().unwrap();
        let held = vec![1u8; 64 << 20];
        assert!(resident_bytes().unwrap() >= before + (60 << 20));
        drop(held);
    }

    #[test]
    fn neither_the_process_nor_the_card_may_grow() {
        const GIB: u64 = 1 << 30;
        for (host, card, flat) in [
            ((GIB, GIB), (Some(GIB), Some(GIB)), true),
            ((GIB, GIB + ALLOWED), (Some(GIB), Some(GIB / 2)), true),
            ((GIB, GIB + ALLOWED + 1), (Some(GIB), Some(GIB)), false),
            ((GIB, GIB), (Some(GIB), Some(GIB + ALLOWED + 1)), false),
            ((GIB, GIB / 2), (None, None), true),
            ((GIB, GIB), (Some(GIB), None), false),
        ] {
            let memory = |images, host, card| Memory { images, host, card };
            let found = verdict(&[memory(0, host.0, card.0), memory(10_000, host.1, card.1)]);
            assert_eq!(found.is_ok(), flat, "{found:?}");
            let (Ok(words) | Err(words)) = found;
            assert!(words.contains("over 10000 images"), "{words}");
        }
        assert!(verdict(&[]).is_err());
    }
}
