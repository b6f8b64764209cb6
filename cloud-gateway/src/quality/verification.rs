//! What share of all pneumonias was found, where not every reading was judged.
//!
//! Reviewers open positives first, so that judged readings are not a sample of all: among them sensitivity looks better than
//! it is. Begg and Greenes (Biometrics 1983;39:207) put it right where whether a reading is judged depends on what the model
//! called it and on nothing else.

use serde::Serialize;

use super::confusion::Confusion;
use super::interval::{Interval, Share, float};

/// A rate over all readings, judged or not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Corrected {
    /// 0 to 1.
    pub value: f64,
    /// 95 %.
    pub interval: Interval,
}

/// How many readings there were of each call, judged or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Called {
    /// Called positive.
    pub positive: u64,
    /// Called negative.
    pub negative: u64,
}

/// The false negative rate over all readings: of all positives, those called negative. Nothing where one of the two calls was never
/// made or never judged, or no judged reading is positive.
#[must_use]
pub fn false_negative_rate(called: Called, judged: &Confusion) -> Option<Corrected> {
    let missed = Share::of(judged.false_negatives, judged.false_negatives + judged.true_negatives);
    let found = Share::of(judged.true_positives, judged.true_positives + judged.false_positives);
    if called.negative == 0 {
        return None;
    }
    let (missed_share, found_share) = (missed.value?, found.value?);
    let weight = float(called.negative) / float(called.positive);
    // Missed over found, of all readings; the rate is this ratio over 1 + itself.
    let ratio = weight * missed_share / found_share;
    if ratio.is_nan() {
        return None;
    }
    let limits = ratio_of(missed, found)?;
    let rate = |ratio: f64| if ratio.is_infinite() { 1.0 } else { ratio / (1.0 + ratio) };
    let interval = Interval { low: rate(weight * limits.low), high: rate(weight * limits.high) };
    Some(Corrected { value: rate(ratio), interval })
}

/// Limits of the ratio of two independent shares out of each one's own limits (Zou and Donner, Stat Med 2008;27:1693).
fn ratio_of(above: Share, below: Share) -> Option<Interval> {
    let (a, b) = (above.value?, below.value?);
    let (above, below) = (above.interval?, below.interval?);
    // Fieller's form: the limits solve a quadratic in the ratio, and stay finite at a = 0.
    let limit = |toward_a: f64, toward_b: f64, sign: f64| {
        let (room_a, room_b) = (toward_a * (2.0 * a - toward_a), toward_b * (2.0 * b - toward_b));
        let root = (a * b).powi(2) - room_a * room_b;
        (a * b + sign * root.max(0.0).sqrt()) / room_b
    };
    let low = limit(above.low, below.high, -1.0);
    let high = if b > 0.0 { limit(above.high, below.low, 1.0) } else { f64::INFINITY };
    let high = if high.is_finite() && high >= 0.0 { high } else { f64::INFINITY };
    Some(Interval { low: if low.is_finite() { low.max(0.0) } else { 0.0 }, high })
}
