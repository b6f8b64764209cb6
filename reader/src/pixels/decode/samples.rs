//! Decoded bytes to stored values: bit layout, sign, colour to luminance. Pure.

use dicom_pixeldata::{DecodedPixelData, PlanarConfiguration};

use super::recipe::{Colour, Recipe};
use crate::pixels::Unreadable;
use crate::pixels::plain::luminance;

/// One value per pixel. `native`: not compressed, so bits above Bits Stored may hold overlays and are masked away; a
/// decoder's output has none, and near-lossless ones may legitimately exceed Bits Stored.
pub(super) fn stored(
    decoded: &DecodedPixelData<'_>,
    pixels: usize,
    native: bool,
    recipe: &Recipe,
) -> Result<Vec<i32>, Unreadable> {
    let bytes = decoded.data();
    let samples = if matches!(recipe.colour, Colour::Rgb { .. }) { 3 } else { 1 };
    let needed = pixels * samples * (recipe.bits_allocated / 8) as usize;
    let Some(bytes) = bytes.get(..needed) else {
        return Err(Unreadable::malformed("the pixel data is shorter than Rows × Columns"));
    };
    let raw = |i: usize| match recipe.bits_allocated {
        8 => u32::from(bytes[i]),
        _ => u32::from(u16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]])),
    };
    let value = |i: usize| extract(raw(i), native, recipe);
    Ok(match &recipe.colour {
        Colour::Grey { .. } => (0..pixels).map(value).collect(),
        Colour::Palette(luts) => {
            // Entries of palettes fill their bits; the high byte of 16 is the brightness.
            let byte = |lut: &crate::pixels::grayscale::Lut, v| (lut.get(v) >> (lut.bits - 8)) as u8;
            let grey = |v| i32::from(luminance(byte(&luts[0], v), byte(&luts[1], v), byte(&luts[2], v)));
            (0..pixels).map(|i| grey(value(i))).collect()
        }
        Colour::Rgb { luminance_first } => {
            let planar = decoded.planar_configuration() == PlanarConfiguration::PixelFirst;
            let at = |i: usize, c: usize| {
                let index = if planar { c * pixels + i } else { 3 * i + c };
                (raw(index) >> (recipe.bits_stored.max(8) - 8)) as u8
            };
            // A decoder has turned compressed chrominance into RGB already.
            let luminance_first = *luminance_first && native;
            let grey = |i| if luminance_first { at(i, 0) } else { luminance(at(i, 0), at(i, 1), at(i, 2)) };
            (0..pixels).map(|i| i32::from(grey(i))).collect()
        }
    })
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
