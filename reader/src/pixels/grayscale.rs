//! The one grey-scale transform: stored values → modality LUT → VOI → photometric → 8 bits. The model, the preview and the
//! dashboard's viewer show the same image because all three follow this file and its vectors (`tests/vectors/grayscale.json`).
//! It never decodes and never resizes.
//!
//! Source: DICOM PS3.3 C.11.1 (modality LUT), C.11.2 (VOI LUT), C.7.6.3.1.2 (photometric interpretation),
//! C.7.5.1.1.2 (pixel padding).

pub mod modality;
pub mod voi;

use std::ops::RangeInclusive;

use modality::Map;

pub use modality::Modality;
pub use voi::Voi;

/// A look-up table of DICOM (PS3.3 C.11.1.1, C.11.2.1.1): entry i stands for the input `first + i`; inputs outside take the
/// nearest entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lut {
    /// First input value mapped.
    pub first: i32,
    /// Bits of each entry, 8 to 16.
    pub bits: u8,
    /// Entries; never empty.
    pub entries: Vec<u16>,
}

impl Lut {
    /// `None` where there are no entries or the bits are outside 8 to 16.
    #[must_use]
    pub fn new(first: i32, bits: u8, entries: Vec<u16>) -> Option<Self> {
        (!entries.is_empty() && (8..=16).contains(&bits)).then_some(Self { first, bits, entries })
    }

    /// The entry for `value`.
    #[must_use]
    pub fn get(&self, value: i32) -> u16 {
        let last = self.entries.len() as i64 - 1;
        let index = (i64::from(value) - i64::from(self.first)).clamp(0, last);
        self.entries[index as usize]
    }
}

/// One decoded image after the modality LUT, with how to show it.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Rows of `values`, 1 or more.
    pub rows: usize,
    /// Columns of `values`, 1 or more.
    pub columns: usize,
    /// Row-major values after the modality LUT. Padding has been replaced by the value that shows darkest.
    pub values: Vec<i32>,
    /// Least and greatest of `values`.
    pub range: (i32, i32),
    /// From `values` to brightness.
    pub voi: Voi,
    /// MONOCHROME1: inverted after the VOI transform.
    pub invert: bool,
}

impl Frame {
    /// Applies `modality` to `stored` samples and settles the window; `padding` is the inclusive range of stored values that
    /// stand for "no pixel here" (Pixel Padding Value and Range Limit).
    ///
    /// # Panics
    /// Never for `stored.len() == rows * columns >= 1`, which callers hold by construction.
    #[must_use]
    pub fn new(
        (rows, columns): (usize, usize),
        stored: Vec<i32>,
        modality: &Modality,
        voi: Voi,
        invert: bool,
        padding: Option<(i32, i32)>,
    ) -> Self {
        debug_assert_eq!(stored.len(), rows * columns);
        let (map, voi) = modality.with_voi(voi);
        let mut values = stored;
        let range = match padding {
            None => {
                map.apply_all(&mut values);
                range_of(&values)
            }
            Some((low, high)) => replace_padding(&mut values, &map, low..=high, invert),
        };
        Self { rows, columns, values, range, voi: voi.or_full_range(), invert }
    }

    /// 8-bit grey, row-major, 0 black: what a person sees and the model reads.
    #[must_use]
    pub fn display(&self) -> Vec<u8> {
        let shade = self.voi.shade(self.range, self.invert);
        let (low, high) = self.range;
        let span = i64::from(high) - i64::from(low);
        // A table pays from the first repeated value on; 16-bit images have at most 65,536 distinct ones.
        if span < 1 << 16 {
            let table: Vec<u8> = (low..=high).map(&shade).collect();
            self.values.iter().map(|v| table[(v - low) as usize]).collect()
        } else {
            self.values.iter().map(|v| shade(*v)).collect()
        }
    }
}

/// Least and greatest; 0 and 0 of nothing.
fn range_of(values: &[i32]) -> (i32, i32) {
    let (low, high) = values.iter().fold((i32::MAX, i32::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
    if low <= high { (low, high) } else { (0, 0) }
}

/// Maps what is no padding and puts the value that shows darkest where there is some; gives the range of the former.
fn replace_padding(values: &mut [i32], map: &Map<'_>, padding: RangeInclusive<i32>, invert: bool) -> (i32, i32) {
    let live: Vec<i32> = values.iter().filter(|v| !padding.contains(v)).map(|v| map.apply(*v)).collect();
    let range = range_of(&live);
    let darkest = if invert { range.1 } else { range.0 };
    for v in values {
        *v = if padding.contains(v) { darkest } else { map.apply(*v) };
    }
    range
}

#[cfg(test)]
mod tests;
