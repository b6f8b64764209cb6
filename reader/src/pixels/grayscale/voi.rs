//! The VOI transform, DICOM PS3.3 C.11.2: from values after the modality LUT to 0..255, before photometric inversion.

use super::Lut;

/// How values become brightness.
#[derive(Clone, Debug, PartialEq)]
pub enum Voi {
    /// From the least to the greatest value of the image: none was given, or it was not usable.
    FullRange,
    /// C.11.2.1.2.1, width 1 or more.
    Linear {
        /// Window Center (0028,1050).
        center: f64,
        /// Window Width (0028,1051).
        width: f64,
    },
    /// C.11.2.1.3.2, width over 0.
    LinearExact {
        /// Window Center (0028,1050).
        center: f64,
        /// Window Width (0028,1051).
        width: f64,
    },
    /// C.11.2.1.3.1, width over 0.
    Sigmoid {
        /// Window Center (0028,1050).
        center: f64,
        /// Window Width (0028,1051).
        width: f64,
    },
    /// C.11.2.1.1.
    Lut(Lut),
}

impl Voi {
    /// Itself where its window can be computed with, else the full range: a width of 0 or a number that is none would make
    /// every pixel black.
    #[must_use]
    pub fn or_full_range(self) -> Self {
        let usable = match &self {
            Self::Linear { center, width } => center.is_finite() && width.is_finite() && *width >= 1.0,
            Self::LinearExact { center, width } | Self::Sigmoid { center, width } => {
                center.is_finite() && width.is_finite() && *width > 0.0
            }
            Self::FullRange | Self::Lut(_) => true,
        };
        if usable { self } else { Self::FullRange }
    }

    /// The window that stands for the full range over `(low, high)`: the same brightness for every value in between.
    #[must_use]
    pub fn settled(&self, (low, high): (i32, i32)) -> Self {
        match self {
            Self::FullRange => {
                let (low, high) = (f64::from(low), f64::from(high));
                // A flat image: the one value is the window's lower end, so it is black here too.
                let high = if high > low { high } else { low + 1.0 };
                Self::LinearExact { center: (low + high) / 2.0, width: high - low }
            }
            other => other.clone(),
        }
    }

    /// The function from a value to its grey byte. `range` is used by [`Voi::FullRange`] alone, where a flat image is black
    /// (or, inverted, white). Rounded half up.
    pub fn shade(&self, range: (i32, i32), invert: bool) -> impl Fn(i32) -> u8 + '_ {
        let (low, high) = (f64::from(range.0), f64::from(range.1));
        move |value| {
            let x = f64::from(value);
            let y = match self {
                Self::FullRange if high > low => (x - low) / (high - low) * 255.0,
                Self::FullRange => 0.0,
                Self::Linear { center, width } => linear(x, center - 0.5, width - 1.0),
                Self::LinearExact { center, width } => linear(x, *center, *width),
                Self::Sigmoid { center, width } => 255.0 / (1.0 + (-4.0 * (x - center) / width).exp()),
                Self::Lut(lut) => f64::from(lut.get(value)) * 255.0 / f64::from((1u32 << lut.bits) - 1),
            };
            // `as` saturates: 255.5 and more stays 255.
            let grey = (y + 0.5).floor() as u8;
            if invert { 255 - grey } else { grey }
        }
    }
}

/// Both linear functions of the standard: C.11.2.1.2.1 is the exact one with centre − 0.5 and width − 1.
fn linear(x: f64, center: f64, width: f64) -> f64 {
    if x <= center - width / 2.0 {
        0.0
    } else if x > center + width / 2.0 {
        255.0
    } else {
        ((x - center) / width + 0.5) * 255.0
    }
}
