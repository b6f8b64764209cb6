//! The attributes that say how stored values become grey: modality LUT, VOI LUT or window, photometric interpretation,
//! padding, palette. Only the first item or value of each counts, as for a first display (PS3.3 C.11.2.1.2).

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, InMemDicomObject};

use super::header::{number, text};
use crate::pixels::Unreadable;
use crate::pixels::grayscale::{Lut, Modality, Transform, Voi};

/// What the samples mean.
pub(super) enum Colour {
    /// MONOCHROME2, or MONOCHROME1 with `invert`.
    Grey { invert: bool },
    /// Red, green, blue; or luminance and two chrominances, of which the luminance is taken.
    Rgb {
        luminance_first: bool,
        /// YBR_FULL_422: where it is not compressed, two luminances share a pair of chrominances (PS3.3 C.7.6.3.1.2).
        halved: bool,
    },
    /// PALETTE COLOR, PS3.3 C.7.6.3.1.5.
    Palette(Box<[Lut; 3]>),
}

pub(super) struct Recipe {
    pub(super) colour: Colour,
    pub(super) bits_allocated: u32,
    pub(super) bits_stored: u32,
    pub(super) high_bit: u32,
    pub(super) signed: bool,
    pub(super) transform: Transform,
}

impl Recipe {
    pub(super) fn read(object: &DefaultDicomObject) -> Result<Self, Unreadable> {
        let bits_allocated = number(object, tags::BITS_ALLOCATED).unwrap_or(0);
        let bits_stored = number(object, tags::BITS_STORED).unwrap_or(bits_allocated);
        let high_bit = number(object, tags::HIGH_BIT).unwrap_or(bits_stored.saturating_sub(1));
        if !matches!(bits_allocated, 8 | 16) {
            return Err(Unreadable::UnsupportedPixels { what: format!("{bits_allocated} bits allocated per sample") });
        }
        // In this order: a High Bit of 2³² - 1 has no successor.
        if bits_stored == 0 || bits_stored > bits_allocated || high_bit >= bits_allocated || high_bit + 1 < bits_stored
        {
            return Err(Unreadable::malformed("Bits Stored and High Bit do not fit Bits Allocated"));
        }
        let signed = number(object, tags::PIXEL_REPRESENTATION) == Some(1);
        let colour = colour(object)?;
        let grey = matches!(colour, Colour::Grey { .. });
        let transform = Transform {
            modality: if grey { modality(object, signed) } else { Modality::IDENTITY },
            // A colour image is shown as it is: black is 0 and white 255.
            voi: if grey { voi(object, signed) } else { Voi::LinearExact { center: 127.5, width: 255.0 } },
            padding: if grey { padding(object, signed) } else { None },
            invert: matches!(colour, Colour::Grey { invert: true }),
        };
        Ok(Self { transform, colour, bits_allocated, bits_stored, high_bit, signed })
    }

    /// Samples per pixel.
    pub(super) fn samples(&self) -> usize {
        if matches!(self.colour, Colour::Rgb { .. }) { 3 } else { 1 }
    }

    /// Bytes that so many pixels take, `native` or out of a decoder.
    pub(super) fn bytes(&self, pixels: usize, native: bool) -> usize {
        let samples = if native && self.halved() { 2 * pixels.next_multiple_of(2) } else { self.samples() * pixels };
        samples * (self.bits_allocated / 8) as usize
    }

    /// See [`Colour::Rgb`].
    pub(super) fn halved(&self) -> bool {
        matches!(self.colour, Colour::Rgb { halved: true, .. })
    }
}

/// Planar Configuration (0028,0006) says one colour plane after the other.
pub(super) fn is_planar(object: &DefaultDicomObject) -> bool {
    number(object, tags::PLANAR_CONFIGURATION) == Some(1)
}

fn colour(object: &DefaultDicomObject) -> Result<Colour, Unreadable> {
    let samples = number(object, tags::SAMPLES_PER_PIXEL).unwrap_or(1);
    let photometric = text(object, tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_default().to_ascii_uppercase();
    match (photometric.as_str(), samples) {
        // Absent, and yet one sample: the one reading that every viewer gives it.
        ("MONOCHROME1" | "MONOCHROME2" | "", 1) => Ok(Colour::Grey { invert: inverted(object, &photometric) }),
        ("RGB", 3) => Ok(Colour::Rgb { luminance_first: false, halved: false }),
        ("YBR_FULL_422", 3) => Ok(Colour::Rgb { luminance_first: true, halved: true }),
        ("YBR_FULL" | "YBR_ICT" | "YBR_RCT", 3) => Ok(Colour::Rgb { luminance_first: true, halved: false }),
        ("PALETTE COLOR", 1) => palette(object),
        _ => Err(Unreadable::UnsupportedPixels {
            what: format!("{samples} samples per pixel of an unusual colour model"),
        }),
    }
}

/// MONOCHROME1, or Presentation LUT Shape (2050,0020) INVERSE. Where both say it, they say the same thing (PS3.3 C.8.11.3.1.4:
/// INVERSE is what a MONOCHROME1 image has), so it is inverted once.
fn inverted(object: &DefaultDicomObject, photometric: &str) -> bool {
    photometric == "MONOCHROME1" || text(object, tags::PRESENTATION_LUT_SHAPE).as_deref() == Some("INVERSE")
}

fn palette(object: &DefaultDicomObject) -> Result<Colour, Unreadable> {
    let lut = |descriptor, data| {
        lut(object, descriptor, data, false).ok_or_else(|| Unreadable::malformed("its colour palette is incomplete"))
    };
    let red = lut(tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA)?;
    let green = lut(tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA)?;
    let blue = lut(tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA)?;
    Ok(Colour::Palette(Box::new([red, green, blue])))
}

fn modality(object: &DefaultDicomObject, signed: bool) -> Modality {
    let item = first_item(object, tags::MODALITY_LUT_SEQUENCE);
    if let Some(lut) = item.and_then(|item| lut(item, tags::LUT_DESCRIPTOR, tags::LUT_DATA, signed)) {
        return Modality::Lut(lut);
    }
    let slope = float(object, tags::RESCALE_SLOPE).filter(|s| *s != 0.0).unwrap_or(1.0);
    Modality::Rescale { slope, intercept: float(object, tags::RESCALE_INTERCEPT).unwrap_or(0.0) }
}

fn voi(object: &DefaultDicomObject, signed: bool) -> Voi {
    let item = first_item(object, tags::VOILUT_SEQUENCE);
    if let Some(lut) = item.and_then(|item| lut(item, tags::LUT_DESCRIPTOR, tags::LUT_DATA, signed)) {
        return Voi::Lut(lut);
    }
    let (Some(center), Some(width)) = (float(object, tags::WINDOW_CENTER), float(object, tags::WINDOW_WIDTH)) else {
        return Voi::FullRange;
    };
    match text(object, tags::VOILUT_FUNCTION).unwrap_or_default().to_ascii_uppercase().as_str() {
        "LINEAR_EXACT" => Voi::LinearExact { center, width },
        "SIGMOID" => Voi::Sigmoid { center, width },
        _ => Voi::Linear { center, width },
    }
}

/// Inclusive range of stored values that mean "no pixel", PS3.3 C.7.5.1.1.2.
fn padding(object: &DefaultDicomObject, signed: bool) -> Option<(i32, i32)> {
    let value = |tag| {
        let value = object.element_opt(tag).ok().flatten()?.to_int::<i32>().ok()?;
        Some(if signed { sign16(value) } else { value & 0xFFFF })
    };
    let one = value(tags::PIXEL_PADDING_VALUE)?;
    let other = value(tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(one);
    Some((one.min(other), one.max(other)))
}

fn float(object: &DefaultDicomObject, tag: Tag) -> Option<f64> {
    let value = object.element_opt(tag).ok().flatten()?.to_multi_float64().ok()?;
    value.first().copied().filter(|v| v.is_finite())
}

fn first_item(object: &DefaultDicomObject, tag: Tag) -> Option<&InMemDicomObject> {
    object.element_opt(tag).ok().flatten()?.items()?.first()
}

/// A table from its descriptor (entries, first value, bits) and data, PS3.3 C.11.1.1. `None` where they do not agree.
fn lut(item: &InMemDicomObject, descriptor: Tag, data: Tag, signed: bool) -> Option<Lut> {
    let descriptor = item.element_opt(descriptor).ok().flatten()?.to_multi_int::<i32>().ok()?;
    let [count, first, bits] = descriptor[..] else { return None };
    // 65,536 entries do not fit 16 bits and are written as 0; a writer that used SS gives large counts as negative.
    let count = if count & 0xFFFF == 0 { 1 << 16 } else { (count & 0xFFFF) as usize };
    let bytes = item.element_opt(data).ok().flatten()?.to_bytes().ok()?;
    let entries: Vec<u16> = if bytes.len() >= count * 2 {
        bytes.chunks_exact(2).take(count).map(|b| u16::from_le_bytes([b[0], b[1]])).collect()
    } else if bytes.len() >= count && bits == 8 {
        bytes.iter().take(count).map(|b| u16::from(*b)).collect()
    } else {
        return None;
    };
    let first = if signed { sign16(first) } else { first };
    Lut::new(first, u8::try_from(bits).ok()?, entries)
}

/// A 16-bit pattern as the signed number it stands for, however its representation was read.
fn sign16(value: i32) -> i32 {
    i32::from(value as i16)
}
