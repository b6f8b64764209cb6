//! The one grey-scale transform: stored values → modality LUT → VOI → photometric → 8 bits. The model, the preview and the
//! dashboard's viewer show the same image because all three follow this file and its vectors (`tests/vectors/grayscale.json`).
//! It never decodes and never resizes.
//!
//! Source: DICOM PS3.3 C.11.1 (modality LUT), C.11.2 (VOI LUT), C.7.6.3.1.2 (photometric interpretation),
//! C.7.5.1.1.2 (pixel padding).

pub mod modality;
pub mod raw;
pub mod voi;

use std::borrow::Cow;

pub use modality::Modality;
pub use raw::Raw;
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

/// One decoded image, with how to show it.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame<'a> {
    /// Rows, 1 or more.
    pub rows: usize,
    /// Columns, 1 or more.
    pub columns: usize,
    /// `rows` × `columns` samples.
    raw: Raw<'a>,
    /// For each sample up to the greatest that occurs its value after the modality LUT. Padding has the value that shows
    /// darkest.
    table: Vec<i32>,
    /// Least and greatest of the values that occur.
    pub range: (i32, i32),
    /// From `values` to brightness.
    pub voi: Voi,
    /// MONOCHROME1, or Presentation LUT Shape INVERSE: inverted after the VOI transform.
    pub invert: bool,
    /// Height of a pixel divided by its width, as it is to be shown, 0.1 to 10; 1 for a square. The model's input does not ask
    /// for it: it is a square that both sides of the image fill, as in training.
    pub pixel_height: f64,
}

/// What is done to stored values before the VOI transform, and what it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Transform {
    /// The modality LUT.
    pub modality: Modality,
    /// The VOI transform.
    pub voi: Voi,
    /// Inverted after the VOI transform.
    pub invert: bool,
    /// Inclusive range of stored values that stand for "no pixel here" (Pixel Padding Value and Range Limit).
    pub padding: Option<(i32, i32)>,
}

impl<'a> Frame<'a> {
    /// Puts `transform` on `raw`, whose samples stand for the stored values `stored`: entry i for sample i. Samples beyond
    /// it stand for 0.
    ///
    /// # Panics
    /// Where `raw` does not hold `rows * columns` samples; callers hold that by construction.
    #[must_use]
    pub fn new(
        (rows, columns): (usize, usize),
        raw: Raw<'a>,
        mut stored: Vec<i32>,
        Transform { modality, voi, invert, padding }: Transform,
    ) -> Self {
        assert_eq!(raw.len(), rows * columns, "one sample per pixel");
        let seen = raw.seen();
        // A film of 12 bits in 16 has sixteen times as many samples that cannot occur as samples that can.
        stored.resize(seen.iter().rposition(|seen| *seen).map_or(0, |greatest| greatest + 1), 0);
        let (map, voi) = modality.with_voi(voi);
        let is_padding = |value: i32| padding.is_some_and(|(low, high)| (low..=high).contains(&value));
        let occurring = stored.iter().zip(&seen).filter(|(value, seen)| **seen && !is_padding(**value));
        let range = range_of(occurring.map(|(value, _)| map.apply(*value)));
        let darkest = if invert { range.1 } else { range.0 };
        let table = stored.iter().map(|value| if is_padding(*value) { darkest } else { map.apply(*value) }).collect();
        Self { rows, columns, raw, table, range, voi: voi.or_full_range(), invert, pixel_height: 1.0 }
    }

    /// A frame of stored values that are in no file: for reference vectors. At most 65,536 of them.
    #[must_use]
    pub fn of_values(size: (usize, usize), stored: Vec<i32>, transform: Transform) -> Self {
        let numbers = (0..stored.len()).flat_map(|number| (number as u16).to_le_bytes());
        Frame::new(size, Raw::Sixteen(Cow::Owned(numbers.collect())), stored, transform)
    }

    /// Row-major values after the modality LUT, padding replaced by the value that shows darkest.
    #[must_use]
    pub fn values(&self) -> Vec<i32> {
        self.mapped(&self.each_value(|value| value))
    }

    /// 8-bit grey, row-major, 0 black: what a person sees and the model reads.
    #[must_use]
    pub fn display(&self) -> Vec<u8> {
        self.mapped(&self.greys())
    }

    /// [`Frame::display`] a row at a time: puts the row of that number into the line, in place of what is there.
    pub(in crate::pixels) fn display_rows(&self) -> impl Fn(usize, &mut Vec<u8>) + '_ {
        let greys = self.greys();
        move |row, line| {
            line.clear();
            self.raw.look_up(row * self.columns..(row + 1) * self.columns, &greys, line);
        }
    }

    /// The grey of each sample.
    fn greys(&self) -> Vec<u8> {
        let shade = self.voi.shade(self.range, self.invert);
        // Values outside the range do not occur, so theirs are not computed: a sigmoid is dear.
        self.each_value(|value| if self.in_range(value) { shade(value) } else { 0 })
    }

    /// What `of` gives for each sample's value; samples over the greatest that occurs have nothing.
    pub(in crate::pixels) fn each_value<T: Copy + Default>(&self, of: impl Fn(i32) -> T) -> Vec<T> {
        let mut each = Vec::with_capacity(self.raw.levels());
        each.extend(self.table.iter().map(|value| of(*value)));
        each.resize(self.raw.levels(), T::default());
        each
    }

    /// The value of each sample up to the greatest that occurs.
    pub(in crate::pixels) fn sample_values(&self) -> &[i32] {
        &self.table
    }

    /// The samples.
    pub(in crate::pixels) fn raw(&self) -> &Raw<'a> {
        &self.raw
    }

    pub(in crate::pixels) fn in_range(&self, value: i32) -> bool {
        (self.range.0..=self.range.1).contains(&value)
    }

    fn mapped<T: Copy>(&self, table: &[T]) -> Vec<T> {
        let mut out = Vec::with_capacity(self.raw.len());
        self.raw.look_up(0..self.raw.len(), table, &mut out);
        out
    }
}

/// Least and greatest; 0 and 0 of nothing.
fn range_of(values: impl Iterator<Item = i32>) -> (i32, i32) {
    let (low, high) = values.fold((i32::MAX, i32::MIN), |(low, high), v| (low.min(v), high.max(v)));
    if low <= high { (low, high) } else { (0, 0) }
}

#[cfg(test)]
mod tests;
