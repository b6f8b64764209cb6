//! When an inference process is replaced although it works: what a provider leaks or fragments stays bounded. Pure.

/// Bounds of one process's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recycling {
    /// Batches that it may compute.
    pub batches: u64,
    /// Bytes that it may grow by since it was warm.
    pub growth_bytes: u64,
}

impl Default for Recycling {
    /// A start costs some seconds of one core beside the work, so once in 100,000 batches is nothing, and a leak of 10 KB per
    /// batch is stopped by the growth first. The shipped model's process holds some 200 MB when warm and does not grow.
    fn default() -> Self {
        Self { batches: 100_000, growth_bytes: 512 << 20 }
    }
}

/// Why a process is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// It grew by this many bytes.
    Growth(u64),
    /// It computed this many batches.
    Batches(u64),
}

impl Recycling {
    /// Whether a process is due that has computed `batches`, had `warm` bytes when it was warm and has `now` bytes.
    #[must_use]
    pub fn due(self, batches: u64, warm: Option<u64>, now: Option<u64>) -> Option<Due> {
        let growth = warm.zip(now).map_or(0, |(warm, now)| now.saturating_sub(warm));
        if growth > self.growth_bytes {
            Some(Due::Growth(growth))
        } else {
            (batches >= self.batches.max(1)).then_some(Due::Batches(batches))
        }
    }
}

/// `VmRSS` of `/proc/PID/status` (proc(5)), which the kernel gives in kB of 1024 bytes.
pub(super) fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_or_age_makes_it_due() {
        let bounds = Recycling { batches: 10, growth_bytes: 100 };
        for (batches, warm, now, due) in [
            (0, Some(1000), Some(1000), None),
            (9, Some(1000), Some(1100), None),
            (1, Some(1000), Some(1101), Some(Due::Growth(101))),
            (10, Some(1000), Some(900), Some(Due::Batches(10))),
            (10, None, None, Some(Due::Batches(10))),
            (9, None, Some(1 << 40), None),
        ] {
            assert_eq!(bounds.due(batches, warm, now), due, "{batches} {warm:?} {now:?}");
        }
    }

    #[test]
    fn the_kernels_words_are_read() {
        let own = std::fs::read_to_string("/proc/self/status").unwrap();
        assert!(resident_bytes(&own).unwrap() > 100_000);
        for (status, bytes) in [
            ("Name:\tx\nVmRSS:\t    2048 kB\nThreads:\t1\n", Some(2 << 20)),
            ("Name:\tx\nState:\tZ (zombie)\n", None),
            ("VmRSS:\t many kB\n", None),
            ("VmRSS:\t 1 MB\n", None),
        ] {
            assert_eq!(resident_bytes(status), bytes);
        }
    }
}
