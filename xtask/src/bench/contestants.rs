//! Who is measured, with which films, and in which order. Pure.

/// The films that are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Size {
    /// 2048 × 2500, 12 bits in 16: 10 MB.
    Full,
    /// 512 × 512, 8 bits: 262 KB.
    Small,
}

/// Whoever is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(super) enum Contestant {
    /// The appliance, from the first image in to the last result in the outbox.
    Whole,
    /// The appliance while it has no model: it takes in, and reads later.
    Ingest,
    /// pynetdicom, pydicom, ONNX Runtime and SQLite.
    Pipeline,
    /// Orthanc with synced storage, which only takes in.
    Orthanc,
    /// dcmtk's storescp, which only takes in and never syncs.
    Storescp,
    /// A ceiling: the files' bytes from memory to the disk, synced.
    WriteAndSync,
    /// A ceiling: the model on tensors in memory.
    Runtime,
}

/// Everything that one round measures.
pub(super) const TRIALS: [(Size, Contestant); 10] = [
    (Size::Full, Contestant::Whole),
    (Size::Full, Contestant::Pipeline),
    (Size::Full, Contestant::Ingest),
    (Size::Full, Contestant::Orthanc),
    (Size::Full, Contestant::Storescp),
    (Size::Full, Contestant::WriteAndSync),
    (Size::Full, Contestant::Runtime),
    (Size::Small, Contestant::Whole),
    (Size::Small, Contestant::Pipeline),
    (Size::Small, Contestant::Runtime),
];

impl Size {
    /// In tables.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Full => "2048×2500, 12 bit",
            Self::Small => "512×512, 8 bit",
        }
    }
}

impl Contestant {
    /// In tables.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Whole => "**Hilum**, whole path",
            Self::Ingest => "**Hilum**, durable ingest alone",
            Self::Pipeline => "pynetdicom + pydicom + onnxruntime + SQLite FULL, whole path",
            Self::Orthanc => "Orthanc, SyncStorageArea, ingest alone",
            Self::Storescp => "dcmtk storescp --fork, ingest alone, no sync",
            Self::WriteAndSync => "ceiling: write and fsync the same bytes, 3 threads",
            Self::Runtime => "ceiling: ONNX Runtime alone on tensors in memory",
        }
    }
}

/// The order of one round of `only` these contestants, or of all where none is named: each begins with another contestant, so that nobody always has the disk that the same other one
/// left behind.
pub(super) fn order(round: usize, only: &[Contestant]) -> Vec<(Size, Contestant)> {
    let wanted = |(_, who): &&(Size, Contestant)| only.is_empty() || only.contains(who);
    let mut order: Vec<(Size, Contestant)> = TRIALS.iter().filter(wanted).copied().collect();
    let first = round % order.len().max(1);
    order.rotate_left(first);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_measures_everything_once_and_begins_elsewhere() {
        let sorted = |round| {
            let mut order = order(round, &[]);
            order.sort();
            order
        };
        assert_eq!(sorted(0), sorted(13));
        let first = |round| order(round, &[])[0];
        assert!(first(0) != first(1) && first(1) != first(2));
        let mut once = sorted(4);
        once.dedup();
        assert_eq!(once.len(), TRIALS.len());
        assert_eq!(order(7, &[Contestant::Orthanc]), [(Size::Full, Contestant::Orthanc)]);
    }
}
