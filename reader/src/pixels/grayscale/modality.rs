//! The modality LUT, DICOM PS3.3 C.11.1: from stored values to the units that the VOI transform speaks of.

use super::{Lut, Voi};

/// From stored to modality values.
#[derive(Clone, Debug, PartialEq)]
pub enum Modality {
    /// `slope · stored + intercept`: Rescale Slope (0028,1053) and Intercept (0028,1052); 1 and 0 where absent.
    Rescale {
        /// Not 0.
        slope: f64,
        /// Any finite number.
        intercept: f64,
    },
    /// Modality LUT Sequence (0028,3000).
    Lut(Lut),
}

/// What is applied to each sample; integers in, integers out.
pub(super) enum Map<'a> {
    Identity,
    Integer { slope: i64, intercept: i64 },
    Rounded { slope: f64, intercept: f64 },
    Lut(&'a Lut),
}

impl Map<'_> {
    pub(super) fn apply(&self, stored: i32) -> i32 {
        match self {
            Self::Identity => stored,
            Self::Integer { slope, intercept } => {
                let value = i64::from(stored).saturating_mul(*slope).saturating_add(*intercept);
                value.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32
            }
            Self::Rounded { slope, intercept } => (f64::from(stored) * slope + intercept + 0.5).floor() as i32,
            Self::Lut(lut) => i32::from(lut.get(stored)),
        }
    }
}

impl Modality {
    /// No rescaling.
    pub const IDENTITY: Self = Self::Rescale { slope: 1.0, intercept: 0.0 };

    /// The map to apply and the VOI transform to use after it.
    ///
    /// Values stay integers. Where a rescale has a fraction, the samples are left as stored and the window is moved
    /// instead, which gives the same brightness exactly; only a fraction together with a VOI LUT, or with a negative slope,
    /// rounds its values (half up).
    pub(super) fn with_voi(&self, voi: Voi) -> (Map<'_>, Voi) {
        let (slope, intercept) = match self {
            Self::Lut(lut) => return (Map::Lut(lut), voi),
            Self::Rescale { slope, intercept } => (*slope, *intercept),
        };
        let small = |x: f64| x.fract() == 0.0 && x.abs() <= f64::from(i32::MAX);
        if (slope, intercept) == (1.0, 0.0) {
            (Map::Identity, voi)
        } else if small(slope) && small(intercept) {
            (Map::Integer { slope: slope as i64, intercept: intercept as i64 }, voi)
        } else {
            match moved(&voi, slope, intercept) {
                Some(voi) => (Map::Identity, voi),
                None => (Map::Rounded { slope, intercept }, voi),
            }
        }
    }
}

/// `voi` in units of stored values.
fn moved(voi: &Voi, slope: f64, intercept: f64) -> Option<Voi> {
    if slope <= 0.0 {
        return None;
    }
    let stored = |value: f64| (value - intercept) / slope;
    match voi {
        Voi::FullRange => Some(Voi::FullRange),
        Voi::Linear { center, width } if *width > 1.0 => {
            Some(Voi::LinearExact { center: stored(center - 0.5), width: (width - 1.0) / slope })
        }
        Voi::LinearExact { center, width } => Some(Voi::LinearExact { center: stored(*center), width: width / slope }),
        Voi::Sigmoid { center, width } => Some(Voi::Sigmoid { center: stored(*center), width: width / slope }),
        Voi::Linear { .. } | Voi::Lut(_) => None,
    }
}
