//! Samples as they lie in the file or came out of a decoder: bytes, borrowed where possible. A grey-scale transform is a
//! function of the sample alone, so it is computed once for each of at most 65,536 samples and looked up for each pixel.

use std::borrow::Cow;
use std::ops::Range;

/// One sample per pixel, row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raw<'a> {
    /// One byte each.
    Eight(Cow<'a, [u8]>),
    /// Two bytes each, the less significant first.
    Sixteen(Cow<'a, [u8]>),
}

impl Raw<'_> {
    /// Pixels.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Eight(bytes) => bytes.len(),
            Self::Sixteen(bytes) => bytes.len() / 2,
        }
    }

    /// No pixel at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many different samples there can be: 256 or 65,536. The length of every table here.
    #[must_use]
    pub fn levels(&self) -> usize {
        match self {
            Self::Eight(_) => 1 << 8,
            Self::Sixteen(_) => 1 << 16,
        }
    }

    /// Which samples occur, one flag per level.
    #[must_use]
    pub fn seen(&self) -> Vec<bool> {
        let mut seen = vec![false; self.levels()];
        match self {
            Self::Eight(bytes) => bytes.iter().for_each(|b| seen[usize::from(*b)] = true),
            Self::Sixteen(bytes) => sixteens(bytes).for_each(|s| seen[usize::from(s)] = true),
        }
        seen
    }

    /// Appends to `out` what `table` has for each pixel of `range`. A table that is too short gives nothing.
    pub(in crate::pixels) fn look_up<T: Copy>(&self, range: Range<usize>, table: &[T], out: &mut Vec<T>) {
        // The fixed length spares a check of every pixel.
        match self {
            Self::Eight(bytes) => {
                let Some(table) = table.first_chunk::<{ 1 << 8 }>() else { return };
                out.extend(bytes[range].iter().map(|b| table[usize::from(*b)]));
            }
            Self::Sixteen(bytes) => {
                let Some(table) = table.first_chunk::<{ 1 << 16 }>() else { return };
                out.extend(sixteens(&bytes[2 * range.start..2 * range.end]).map(|s| table[usize::from(s)]));
            }
        }
    }

    /// Adds each sample of `range` to the sum at its place: what needs no table.
    pub(in crate::pixels) fn add_to(&self, range: Range<usize>, sums: &mut [u32]) {
        match self {
            Self::Eight(bytes) => sums.iter_mut().zip(&bytes[range]).for_each(|(sum, b)| *sum += u32::from(*b)),
            Self::Sixteen(bytes) => {
                let samples = sixteens(&bytes[2 * range.start..2 * range.end]);
                sums.iter_mut().zip(samples).for_each(|(sum, s)| *sum += u32::from(s));
            }
        }
    }
}

fn sixteens(bytes: &[u8]) -> impl Iterator<Item = u16> + '_ {
    bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
}
