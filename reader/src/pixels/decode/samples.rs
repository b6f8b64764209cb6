//! Decoded bytes to samples and what each stands for: bit layout, sign, colour to luminance. Pure.

use std::borrow::Cow;

use super::recipe::{Colour, Recipe};
use crate::pixels::Unreadable;
use crate::pixels::grayscale::{Lut, Raw};
use crate::pixels::plain::luminance;

/// Bytes of one frame and how they lie.
pub(super) struct Decoded<'a> {
    /// Interleaved or in planes, 16-bit samples with the less significant byte first.
    pub(super) bytes: Cow<'a, [u8]>,
    /// One colour plane after the other, Planar Configuration 1.
    pub(super) planar: bool,
    /// Not compressed, so bits above Bits Stored may hold overlays and are masked away. A decoder's output has none, and
    /// near-lossless ones may legitimately exceed Bits Stored.
    pub(super) native: bool,
}

/// One sample per pixel, and the stored value that each sample stands for.
pub(super) fn stored<'a>(
    decoded: Decoded<'a>,
    pixels: usize,
    recipe: &Recipe,
) -> Result<(Raw<'a>, Vec<i32>), Unreadable> {
    let needed = recipe.bytes(pixels, decoded.native);
    if decoded.bytes.len() < needed {
        return Err(Unreadable::malformed("the pixel data is shorter than Rows × Columns"));
    }
    if let Colour::Rgb { luminance_first, .. } = recipe.colour {
        let grey = to_grey(&decoded, pixels, luminance_first, recipe);
        return Ok((Raw::Eight(Cow::Owned(grey)), (0..=255).collect()));
    }
    let bytes = match decoded.bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[..needed]),
        Cow::Owned(mut bytes) => {
            bytes.truncate(needed);
            Cow::Owned(bytes)
        }
    };
    let raw = if recipe.bits_allocated == 8 { Raw::Eight(bytes) } else { Raw::Sixteen(bytes) };
    let values = (0..raw.levels() as u32).map(|sample| extract(sample, decoded.native, recipe));
    let values = match &recipe.colour {
        Colour::Palette(luts) => values.map(|value| in_palette(luts, value)).collect(),
        _ => values.collect(),
    };
    Ok((raw, values))
}

/// The luminance of a palette's entry. Entries fill their bits; the high byte of 16 is the brightness.
fn in_palette(luts: &[Lut; 3], value: i32) -> i32 {
    let byte = |lut: &Lut| (lut.get(value) >> (lut.bits - 8)) as u8;
    luminance(byte(&luts[0]), byte(&luts[1]), byte(&luts[2])).into()
}

fn to_grey(decoded: &Decoded<'_>, pixels: usize, luminance_first: bool, recipe: &Recipe) -> Vec<u8> {
    let bytes = &*decoded.bytes;
    let at = |i: usize, c: usize| {
        let index = match (decoded.native && recipe.halved(), decoded.planar) {
            // Two luminances, then the blue and the red chrominance of both.
            (true, _) => i / 2 * 4 + i % 2,
            (false, true) => c * pixels + i,
            (false, false) => 3 * i + c,
        };
        match recipe.bits_allocated {
            8 => bytes[index],
            _ => {
                let sample = u16::from_le_bytes([bytes[2 * index], bytes[2 * index + 1]]);
                (sample >> (recipe.bits_stored.max(8) - 8)) as u8
            }
        }
    };
    // A decoder has turned compressed chrominance into RGB already.
    let luminance_first = luminance_first && decoded.native;
    let grey = |i| if luminance_first { at(i, 0) } else { luminance(at(i, 0), at(i, 1), at(i, 2)) };
    (0..pixels).map(grey).collect()
}

fn extract(raw: u32, native: bool, recipe: &Recipe) -> i32 {
    let bits = recipe.bits_stored;
    let shifted = if native { raw >> (recipe.high_bit + 1 - bits) } else { raw };
    if recipe.signed {
        let unused = 32 - bits;
        ((shifted << unused) as i32) >> unused
    } else if native {
        (shifted & ((1 << bits) - 1)) as i32
    } else {
        shifted as i32
    }
}
