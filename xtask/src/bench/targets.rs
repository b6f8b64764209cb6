//! What the appliance is to reach, and whether it did. Pure: the numbers come from [`super::figures`] and
//! [`super::footprint`].

use super::contestants::{Contestant, Size};
use super::figures::{Figures, Spread};

/// A ratio to be reached.
pub(super) struct Target {
    pub(super) size: Size,
    pub(super) ours: Contestant,
    /// The lowest of these.
    pub(super) theirs: &'static [Contestant],
    pub(super) words: &'static str,
    /// Fewer is a miss.
    pub(super) least: f64,
    /// What is aimed at, where that is more.
    pub(super) goal: Option<f64>,
}

/// Every ratio that is promised.
pub(super) const TARGETS: [Target; 6] = [
    Target {
        size: Size::Full,
        ours: Contestant::Whole,
        theirs: &[Contestant::Pipeline],
        words: "whole path ÷ the Python pipeline's",
        least: 1.5,
        goal: Some(2.0),
    },
    Target {
        size: Size::Full,
        ours: Contestant::Whole,
        theirs: &[Contestant::Orthanc],
        words: "whole path ÷ Orthanc's ingest alone",
        least: 1.3,
        goal: Some(2.0),
    },
    Target {
        size: Size::Full,
        ours: Contestant::Whole,
        theirs: &[Contestant::WriteAndSync, Contestant::Runtime],
        words: "whole path ÷ the lower of the two ceilings",
        least: 0.8,
        goal: Some(1.0),
    },
    Target {
        size: Size::Full,
        ours: Contestant::Ingest,
        theirs: &[Contestant::Storescp],
        words: "durable ingest ÷ dcmtk storescp, which does not sync",
        least: 0.8,
        goal: None,
    },
    Target {
        size: Size::Small,
        ours: Contestant::Whole,
        theirs: &[Contestant::Runtime],
        words: "whole path ÷ ONNX Runtime alone",
        least: 0.8,
        goal: None,
    },
    Target {
        size: Size::Small,
        ours: Contestant::Whole,
        theirs: &[Contestant::Pipeline],
        words: "whole path ÷ the Python pipeline's",
        least: 3.0,
        goal: None,
    },
];

/// Full-size images in a minute: more than this.
pub(super) const IMAGES_A_MINUTE: f64 = 1_000.0;
/// Memory of the idle service without the process that holds the model, MiB: at most.
pub(super) const IDLE_MIB: f64 = 64.0;
/// From exec to the first C-ECHO success, milliseconds: at most.
pub(super) const READY_MS: f64 = 2_000.0;
/// What the service's memory may grow by after the first tenth of a long run, MiB, and still be called flat: an allocator
/// settles by a few MiB, and a leak of one kilobyte an image would be 9 MiB over 10,000 images.
pub(super) const GROWTH_MIB: f64 = 8.0;

impl Target {
    /// What was reached.
    pub(super) fn reached(&self, figures: &Figures) -> Option<Spread> {
        figures.ratio(self.size, self.ours, self.theirs)
    }

    /// What is asked for.
    pub(super) fn asked(&self) -> String {
        match self.goal {
            Some(goal) => format!("≥ {} (goal {goal:.1})", self.least),
            None => format!("≥ {}", self.least),
        }
    }
}

/// How a target ended.
pub(super) fn verdict(met: Option<bool>) -> &'static str {
    match met {
        Some(true) => "met",
        Some(false) => "**missed**",
        None => "not measured",
    }
}
