//! The model's evidence map as bytes for a viewer: relative to the strongest evidence in this image, so it shows where,
//! never how much. How much is the probability's business.

use serde::{Deserialize, Serialize};

/// Evidence on a grid that covers the whole image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saliency {
    /// Grid rows, 14 or more for a shipped model.
    pub rows: u16,
    /// Grid columns.
    pub columns: u16,
    /// Row-major; 255 is the strongest evidence in this image, 0 none or evidence against.
    #[serde(with = "serde_bytes")]
    pub values: Vec<u8>,
}

impl Saliency {
    /// Scales `map` (row-major, `rows` × `columns`) to its greatest value; negative and not-a-number cells become 0.
    #[must_use]
    pub fn from_map(map: &[f32], rows: u16, columns: u16) -> Self {
        let max = map.iter().copied().filter(|v| v.is_finite()).fold(0.0f32, f32::max);
        let scale = |v: &f32| if max > 0.0 && v.is_finite() { (v.max(0.0) / max * 255.0).round() as u8 } else { 0 };
        Self { rows, columns, values: map.iter().map(scale).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_relative_to_its_own_maximum() {
        let map = Saliency::from_map(&[0.0, -3.0, 1.0, 2.0], 2, 2);
        assert_eq!(map.values, [0, 0, 128, 255]);
    }

    #[test]
    fn no_evidence_is_all_zero_and_not_a_number_is_no_evidence() {
        assert_eq!(Saliency::from_map(&[-1.0, f32::NAN, 0.0, -0.5], 2, 2).values, [0; 4]);
        assert_eq!(Saliency::from_map(&[f32::INFINITY, 1.0], 1, 2).values, [0, 255]);
    }
}
