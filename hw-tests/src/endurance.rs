//! Ten thousand images must not make the process grow: what leaks a little in a test leaks a lot in a year.

use anyhow::{Context, Result, ensure};
use reader::model::ModelSession;
use reader::pixels::INPUT_SIDE;

/// Images of one batch, as the appliance has it by default.
const BATCH: usize = 8;

/// Batches before the measurement: allocators and providers fill their pools with the first.
const WARM_UP: usize = 50;

/// Growth that is allowed, bytes: a leak of 7 KB an image would show, an allocator's mood does not.
const ALLOWED: u64 = 64 << 20;

/// Runs `images` and compares the memory before and after.
pub(crate) fn check(session: &mut ModelSession, images: usize) -> Result<()> {
    let batch: Vec<Vec<u8>> = (0..BATCH).map(|n| vec![n as u8 * 30; INPUT_SIDE * INPUT_SIDE]).collect();
    let mut run = |batches: usize| (0..batches).try_for_each(|_| session.run(&batch).map(drop));
    run(WARM_UP)?;
    let before = resident_bytes()?;
    run(images.div_ceil(BATCH))?;
    let after = resident_bytes()?;
    println!("memory over {images} images: {} MiB before, {} MiB after", before >> 20, after >> 20);
    ensure!(after <= before + ALLOWED, "the process grew by {} MiB", (after - before) >> 20);
    Ok(())
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
}
