//! Hard limits on what one file may ask of this machine. Beyond them a file is refused with a reason, never trimmed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// See each field. `Default` is sized for chest radiography with room to spare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of the file on disk.
    pub file_bytes: u64,
    /// Rows × columns × frames.
    pub pixels: u64,
    /// Address space of the decoding process, bytes (`RLIMIT_AS`).
    pub memory_bytes: u64,
    /// Processor time for one file (`RLIMIT_CPU`), rounded up to whole seconds.
    pub cpu: Duration,
    /// Time on the clock for one file, after which the process is killed.
    pub wall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // The largest detectors in use (4300 × 3500 at 16 bit) give 30 MB; film digitisers about 60 MB.
            file_bytes: 256 << 20,
            // 64 megapixels, four times the largest detector.
            pixels: 64_000_000,
            // 64 megapixels cost file + decoded u16 + i32 samples + display + decoder's own i32 planes ≈ 1.1 GB at the worst.
            memory_bytes: 2 << 30,
            // A 16-megapixel JPEG 2000 takes about 2 s on one slow core.
            cpu: Duration::from_secs(20),
            wall: Duration::from_secs(30),
        }
    }
}
