//! What a reviewer's screen gets: values after the modality LUT, reduced to at most 1024 a side, and the very transform
//! under which the model saw them. The viewer can move the window; its first picture is the model's.

use std::borrow::Cow;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::grayscale::{Frame, Raw, Voi};

/// Longest side of a preview, pixels: a reviewer's study page shows no more, and 1024² × 2 bytes seal to about 1 MB.
pub const MAX_SIDE: usize = 1024;

/// A look-up table has at most as many entries as its samples have values (PS3.3 C.11.1.1.1).
const MAX_LUT_BYTES: usize = 2 << 16;

/// A reduced image with its recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    /// Rows of `samples`, 1 to 1024.
    pub rows: u16,
    /// Columns of `samples`, 1 to 1024.
    pub columns: u16,
    /// Row-major little-endian u16; value = sample + `offset`, in units after the modality LUT.
    #[serde(with = "serde_bytes")]
    pub samples: Vec<u8>,
    /// See `samples`.
    pub offset: i32,
    /// MONOCHROME1: inverted after the VOI transform.
    pub invert: bool,
    /// The VOI transform that the model saw it under.
    pub voi: PreviewVoi,
}

/// A VOI transform as data. There is no "full range": it would change with the reduction, so it is given as the window that
/// it came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PreviewVoi {
    /// PS3.3 C.11.2.1.2.1.
    Linear {
        /// Window Center.
        center: f64,
        /// Window Width.
        width: f64,
    },
    /// PS3.3 C.11.2.1.3.2.
    LinearExact {
        /// Window Center.
        center: f64,
        /// Window Width.
        width: f64,
    },
    /// PS3.3 C.11.2.1.3.1.
    Sigmoid {
        /// Window Center.
        center: f64,
        /// Window Width.
        width: f64,
    },
    /// PS3.3 C.11.2.1.1.
    Lut {
        /// First value mapped.
        first: i32,
        /// Bits of each entry, 8 to 16.
        bits: u8,
        /// Little-endian u16 entries.
        #[serde(with = "serde_bytes")]
        data: Vec<u8>,
    },
}

impl PreviewVoi {
    fn is_sound(&self) -> bool {
        match self {
            Self::Linear { center, width } => center.is_finite() && width.is_finite() && *width >= 1.0,
            Self::LinearExact { center, width } | Self::Sigmoid { center, width } => {
                center.is_finite() && width.is_finite() && *width > 0.0
            }
            Self::Lut { bits, data, .. } => {
                (8..=16).contains(bits) && (2..=MAX_LUT_BYTES).contains(&data.len()) && data.len().is_multiple_of(2)
            }
        }
    }
}

impl Preview {
    /// Whether its numbers are those of a preview: sides within their range, a sample for each place, a window that can be
    /// computed with.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let (rows, columns) = (usize::from(self.rows), usize::from(self.columns));
        let sides = [rows, columns].iter().all(|side| (1..=MAX_SIDE).contains(side));
        sides && self.samples.len() == rows * columns * 2 && self.voi.is_sound()
    }

    /// Reduces `frame`, or its 8-bit image where the values span more than 16 bits.
    #[must_use]
    pub fn from_frame(frame: &Frame<'_>) -> Self {
        let (rows, columns) = reduced(frame.rows, frame.columns, frame.pixel_height);
        let span = i64::from(frame.range.1) - i64::from(frame.range.0);
        let fits = span <= i64::from(u16::MAX);
        let (offset, invert, voi) = if fits {
            (frame.range.0, frame.invert, frame.voi.settled(frame.range))
        } else {
            (0, false, Voi::LinearExact { center: 127.5, width: 255.0 })
        };
        let (from, to) = ((frame.rows, frame.columns), (rows, columns));
        let samples = if fits {
            let above = |value: i32| u16::try_from(i64::from(value) - i64::from(offset)).unwrap_or(0);
            match distance(frame) {
                Some(distance) => average_blocks(|range, sums| frame.raw().add_to(range, sums), distance, from, to),
                None => average_blocks(looked_up(frame.raw(), &frame.each_value(above)), 0, from, to),
            }
        } else {
            let shown = Raw::Eight(Cow::Owned(frame.display()));
            average_blocks(|range, sums| shown.add_to(range, sums), 0, from, to)
        };
        Self { rows: rows as u16, columns: columns as u16, samples, offset, invert, voi: PreviewVoi::from(voi) }
    }
}

impl Preview {
    /// 8-bit grey, row-major, 0 black: what the viewer shows first.
    #[must_use]
    pub fn display(&self) -> Vec<u8> {
        let samples = self.samples.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
        let most = samples.clone().max().unwrap_or(0);
        let voi = Voi::from(&self.voi);
        let shade = voi.shade((0, 0), self.invert);
        let table: Vec<u8> = (0..=i32::from(most)).map(|sample| shade(sample.saturating_add(self.offset))).collect();
        samples.map(|sample| table[usize::from(sample)]).collect()
    }
}

impl From<&PreviewVoi> for Voi {
    fn from(voi: &PreviewVoi) -> Self {
        match voi {
            PreviewVoi::Linear { center, width } => Self::Linear { center: *center, width: *width },
            PreviewVoi::LinearExact { center, width } => Self::LinearExact { center: *center, width: *width },
            PreviewVoi::Sigmoid { center, width } => Self::Sigmoid { center: *center, width: *width },
            PreviewVoi::Lut { first, bits, data } => {
                let entries = data.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
                // A table that is none shows nothing in particular; `FullRange` over (0, 0) is black.
                super::grayscale::Lut::new(*first, *bits, entries).map_or(Self::FullRange, Self::Lut)
            }
        }
    }
}

impl From<Voi> for PreviewVoi {
    fn from(voi: Voi) -> Self {
        match voi {
            // `settled` leaves none; a flat image at 0 is what it would show.
            Voi::FullRange => Self::LinearExact { center: 0.0, width: 1.0 },
            Voi::Linear { center, width } => Self::Linear { center, width },
            Voi::LinearExact { center, width } => Self::LinearExact { center, width },
            Voi::Sigmoid { center, width } => Self::Sigmoid { center, width },
            Voi::Lut(lut) => {
                let data = lut.entries.iter().flat_map(|e| e.to_le_bytes()).collect();
                Self::Lut { first: lut.first, bits: lut.bits, data }
            }
        }
    }
}

/// The largest size with square pixels, as it is looked at, and no side over [`MAX_SIDE`]; never enlarged.
fn reduced(rows: usize, columns: usize, pixel_height: f64) -> (usize, usize) {
    // Where pixels are no squares, their shorter side is drawn out by giving up samples along the longer one.
    let shrunk = |side: usize, by: f64| ((side as f64 / by).round() as usize).max(1);
    let (rows, columns) = match pixel_height {
        height if height > 1.0 => (rows, shrunk(columns, height)),
        height if height < 1.0 => (shrunk(rows, height.recip()), columns),
        _ => (rows, columns),
    };
    let longest = rows.max(columns);
    if longest <= MAX_SIDE {
        return (rows, columns);
    }
    let scale = |side: usize| ((side * MAX_SIDE + longest / 2) / longest).clamp(1, MAX_SIDE);
    (scale(rows), scale(columns))
}

/// How much more each sample is than its value in the preview, where that is one number for all that occur: then they are
/// added up as they are, which is three times as fast as looking each up.
fn distance(frame: &Frame<'_>) -> Option<u32> {
    let values = (0i64..).zip(frame.sample_values().iter().copied().map(i64::from));
    let mut distances = values
        .filter(|(_, value)| (i64::from(frame.range.0)..=i64::from(frame.range.1)).contains(value))
        .map(|(sample, value)| sample - (value - i64::from(frame.range.0)));
    let first = distances.next()?;
    distances.all(|other| other == first).then(|| u32::try_from(first).ok()).flatten()
}

/// Adds what `table` has for each sample.
fn looked_up<'a>(source: &'a Raw<'_>, table: &'a [u16]) -> impl FnMut(Range<usize>, &mut [u32]) + 'a {
    let mut line = Vec::new();
    move |range, sums| {
        line.clear();
        source.look_up(range, table, &mut line);
        sums.iter_mut().zip(&line).for_each(|(sum, value)| *sum += u32::from(*value));
    }
}

/// Each target pixel is the rounded mean of the whole source pixels it covers. Unlike the model's input it needs no weights
/// of part pixels: it is looked at, not measured.
///
/// `add` adds a range of the source's samples to sums; each is `above` more than what is averaged.
fn average_blocks(
    mut add: impl FnMut(Range<usize>, &mut [u32]),
    above: u32,
    (rows, columns): (usize, usize),
    (out_rows, out_columns): (usize, usize),
) -> Vec<u8> {
    let edges = |source: usize, target: usize| -> Vec<usize> { (0..=target).map(|i| i * source / target).collect() };
    let (ys, xs) = (edges(rows, out_rows), edges(columns, out_columns));
    let mut out = Vec::with_capacity(out_rows * out_columns * 2);
    // A sample has 16 bits and a side at most 65,535 rows, so the sum down one column fits 32 bits.
    let mut sums = vec![0u32; columns];
    for y in ys.windows(2) {
        sums.fill(0);
        for row in y[0]..y[1] {
            add(row * columns..(row + 1) * columns, &mut sums);
        }
        for x in xs.windows(2) {
            let area = ((y[1] - y[0]) * (x[1] - x[0])) as u64;
            let sum = sums[x[0]..x[1]].iter().copied().map(u64::from).sum::<u64>() - u64::from(above) * area;
            out.extend((((2 * sum + area) / (2 * area)) as u16).to_le_bytes());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pixels::grayscale::{Modality, Transform};

    fn frame(rows: usize, columns: usize, values: Vec<i32>, voi: Voi) -> Frame<'static> {
        let transform = Transform { modality: Modality::IDENTITY, voi, invert: false, padding: None };
        Frame::of_values((rows, columns), values, transform)
    }

    #[test]
    fn sizes_keep_the_aspect_ratio_and_never_grow() {
        assert_eq!(reduced(440, 440, 1.0), (440, 440));
        assert_eq!(reduced(2048, 2500, 1.0), (839, 1024));
        assert_eq!(reduced(8000, 2, 1.0), (1024, 1));
        assert_eq!(reduced(440, 440, 2.0), (440, 220));
        assert_eq!(reduced(440, 440, 0.5), (220, 440));
        assert_eq!(reduced(2048, 2048, 0.75), (768, 1024));
        assert_eq!(reduced(8, 1, 10.0), (8, 1));
    }

    #[test]
    fn a_small_image_keeps_every_value() {
        let frame = frame(1, 3, vec![-1000, 0, 64535], Voi::FullRange);
        let preview = Preview::from_frame(&frame);
        assert_eq!(preview.offset, -1000);
        let values: Vec<u16> = preview.samples.chunks(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
        assert_eq!(values, [0, 1000, 65535]);
        assert_eq!(preview.voi, PreviewVoi::LinearExact { center: 31767.5, width: 65535.0 });
        assert_eq!(preview.display(), frame.display());
    }

    #[test]
    fn the_settled_window_shows_what_the_full_range_shows() {
        let frame = frame(1, 256, (0..256).map(|v| v * 13 - 700).collect(), Voi::FullRange);
        let settled = frame.voi.settled(frame.range);
        let shade = settled.shade((0, 0), false);
        let again: Vec<u8> = frame.values().iter().map(|v| shade(*v)).collect();
        assert_eq!(again, frame.display());
    }

    #[test]
    fn values_over_16_bits_fall_back_to_the_displayed_image() {
        let frame = frame(1, 2, vec![0, 1 << 20], Voi::FullRange);
        let preview = Preview::from_frame(&frame);
        assert_eq!(preview.samples, [0, 0, 255, 0]);
        assert_eq!(preview.voi, PreviewVoi::LinearExact { center: 127.5, width: 255.0 });
    }

    /// The short way (samples added up as they are) and the long one (each looked up) give the same picture.
    #[test]
    fn both_ways_of_adding_up_agree() {
        let side = 1100;
        let samples: Vec<u16> = (0..side * side).map(|i| 300 + (i * 7919 % 3500) as u16).collect();
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let preview = |stored: Vec<i32>| {
            let transform =
                Transform { modality: Modality::IDENTITY, voi: Voi::FullRange, invert: false, padding: None };
            let frame = Frame::new((side, side), Raw::Sixteen(Cow::Borrowed(&bytes)), stored, transform);
            (distance(&frame), Preview::from_frame(&frame))
        };
        let (short, expected) = preview((0..1 << 16).collect());
        assert_eq!(short, Some(300));
        // One sample that does not occur stands for another value, so no number holds for all.
        let (long, found) = preview((0..1 << 16).map(|sample| if sample == 9 { 400 } else { sample }).collect());
        assert_eq!((long, found), (None, expected));
    }

    #[test]
    fn blocks_are_averaged() {
        let values: Vec<i32> = (0..2048 * 2).map(|i| i % 2 * 10).collect();
        let frame = frame(2, 2048, values, Voi::FullRange);
        let preview = Preview::from_frame(&frame);
        assert_eq!((preview.rows, preview.columns), (1, 1024));
        assert!(preview.samples.chunks(2).all(|b| b == [5, 0]));
    }
}
