//! A DICOM object from its bytes: header facts first, then one frame of stored values, then the grey-scale recipe. Hard
//! limits are checked before memory is taken; what a limit cannot see (a decompression bomb, a nesting bomb, a decoder's
//! bug) is what the memory-limited child process is for. It never runs in a service's own process.

mod anatomy;
mod codec;
mod header;
mod identity;
mod recipe;
mod repertoire;
mod samples;
pub mod syntax;

use std::borrow::Cow;

use dicom_core::Tag;
use dicom_dictionary_std::{tags, uids};
use dicom_encoding::transfer_syntax::TransferSyntaxIndex;
use dicom_object::file::ReadPreamble;
use dicom_object::meta::FileMetaTableBuilder;
use dicom_object::{DefaultDicomObject, InMemDicomObject, OpenFileOptions};
use dicom_pixeldata::{PixelDecoder, PlanarConfiguration};
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::grayscale::Frame;
use super::{About, Limits, Unreadable};
use codec::Shape;
use recipe::Recipe;
use samples::Decoded;
use syntax::Codec;

/// An object whose header has been read and whose pixels have not.
pub struct Opened<'a> {
    bytes: &'a [u8],
    /// All but the pixels.
    header: DefaultDicomObject,
    about: About,
    limits: Limits,
    start: Start,
}

/// How the object begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// A preamble or at least a file meta group, PS3.10 7.1.
    Meta,
    /// A bare dataset, as written before 1993 and by some archives; which encoding is a guess from its first element.
    Bare { uid: &'static str },
}

/// Reads the header of an object from all of its bytes.
pub fn open<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Opened<'a>, Unreadable> {
    let start = start(bytes)?;
    let header = read(bytes, start, Some(tags::PIXEL_DATA))?;
    let about = header::about(&header);
    Ok(Opened { bytes, header, about, limits: *limits, start })
}

impl<'a> Opened<'a> {
    /// What the header says.
    #[must_use]
    pub fn about(&self) -> About {
        self.about.clone()
    }

    /// Decodes the one frame and settles how it is to be shown. Uncompressed samples at the end of the object, where nearly
    /// all lie, are not copied.
    pub fn decode(&self) -> Result<Frame<'a>, Unreadable> {
        let mut frame = self.decode_frame()?;
        frame.pixel_height = header::pixel_height(&self.header);
        Ok(frame)
    }

    fn decode_frame(&self) -> Result<Frame<'a>, Unreadable> {
        let facts = &self.about.facts;
        let size = size(facts.rows, facts.columns, facts.frames, &self.limits)?;
        let uid = &facts.transfer_syntax;
        let Some(codec) = syntax::codec(uid) else {
            return Err(Unreadable::UnsupportedTransferSyntax { uid: uid.clone() });
        };
        if let Some((recipe, bytes)) = self.at_the_end(size) {
            let planar = recipe::is_planar(&self.header);
            return frame(size, Decoded { bytes: Cow::Borrowed(bytes), planar, native: true }, recipe);
        }
        let mut object = read(self.bytes, self.start, None)?;
        if object.element_opt(tags::PIXEL_DATA).ok().flatten().is_none() {
            return Err(Unreadable::NoPixelData);
        }
        let recipe = Recipe::read(&object)?;
        // The recipe is ours from here; the decoder refuses whole files for a window it need not know.
        for tag in [tags::WINDOW_CENTER, tags::WINDOW_WIDTH, tags::VOILUT_SEQUENCE, tags::VOILUT_FUNCTION] {
            object.remove_element(tag);
        }
        let shape =
            Shape { rows: size.0, columns: size.1, samples: recipe.samples(), bits_allocated: recipe.bits_allocated };
        let decoded = decompress(&object, codec, shape).ok_or_else(|| Unreadable::DecodeFailed { uid: uid.clone() })?;
        frame(size, decoded, recipe)
    }

    /// The recipe and the samples of an uncompressed little-endian frame whose Pixel Data is the object's last element.
    /// Its header of known length is looked for where it must stand; anything unusual is left to the parser.
    fn at_the_end(&self, (rows, columns): (usize, usize)) -> Option<(Recipe, &'a [u8])> {
        let recipe = Recipe::read(&self.header).ok()?;
        let needed = recipe.bytes(rows * columns, true);
        let length = needed.next_multiple_of(2);
        let (head, samples) = self.bytes.split_at_checked(self.bytes.len().checked_sub(length)?)?;
        let [a, b, c, d] = u32::try_from(length).ok()?.to_le_bytes();
        // (7FE0,0010), PS3.5 7.1.2 and 7.1.3.
        let found = match &*self.about.facts.transfer_syntax {
            uids::EXPLICIT_VR_LITTLE_ENDIAN => {
                [b'B', b'W'].iter().any(|kind| head.ends_with(&[0xE0, 0x7F, 0x10, 0, b'O', *kind, 0, 0, a, b, c, d]))
            }
            uids::IMPLICIT_VR_LITTLE_ENDIAN => head.ends_with(&[0xE0, 0x7F, 0x10, 0, a, b, c, d]),
            _ => false,
        };
        found.then(|| (recipe, &samples[..needed]))
    }
}

/// The samples of the one frame; `None` where its decoder refuses it.
fn decompress<'a>(object: &DefaultDicomObject, codec: Codec, shape: Shape) -> Option<Decoded<'a>> {
    let own = |bytes| Decoded { bytes: Cow::Owned(bytes), planar: false, native: false };
    if codec == Codec::JpegXl {
        return codec::jpeg_xl(&codec::frame(object)?, shape).map(own);
    }
    match object.decode_pixel_data() {
        Ok(decoded) => Some(Decoded {
            bytes: Cow::Owned(decoded.data().to_vec()),
            planar: decoded.planar_configuration() == PlanarConfiguration::PixelFirst,
            native: codec == Codec::Native,
        }),
        Err(_) if codec == Codec::Extended => codec::jpeg_twelve(&codec::frame(object)?, shape).map(own),
        Err(_) => None,
    }
}

fn frame<'a>(size: (usize, usize), decoded: Decoded<'a>, recipe: Recipe) -> Result<Frame<'a>, Unreadable> {
    let (raw, stored) = samples::stored(decoded, size.0 * size.1, &recipe)?;
    Ok(Frame::new(size, raw, stored, recipe.transform))
}

/// Rows and columns, if the frame is one and within the limit.
fn size(rows: Option<u32>, columns: Option<u32>, frames: u32, limits: &Limits) -> Result<(usize, usize), Unreadable> {
    let (Some(rows @ 1..), Some(columns @ 1..)) = (rows, columns) else {
        return Err(Unreadable::malformed("Rows or Columns are missing or zero"));
    };
    // 2³² · 2³² · 2³² does not fit u64, hence the saturation.
    let pixels = (u64::from(rows) * u64::from(columns)).saturating_mul(u64::from(frames.max(1)));
    if pixels > limits.pixels {
        let what = format!("{} megapixels, the limit is {}", pixels / 1_000_000, limits.pixels / 1_000_000);
        return Err(Unreadable::TooLarge { what });
    }
    // Both have the representation US; what an object claims beyond it is no radiograph, and sums of a column would not fit.
    if rows.max(columns) > u32::from(u16::MAX) {
        return Err(Unreadable::malformed("Rows or Columns are over 65535"));
    }
    if frames > 1 {
        return Err(Unreadable::MultiFrame);
    }
    Ok((rows as usize, columns as usize))
}

/// How the object begins, from its first 132 bytes.
fn start(head: &[u8]) -> Result<Start, Unreadable> {
    // A file meta group without its preamble starts with (0002,0000) or, by a lax writer, (0002,0010).
    if head.get(128..132) == Some(b"DICM") || head.starts_with(b"DICM") || head.starts_with(&[2, 0]) {
        return Ok(Start::Meta);
    }
    // A bare dataset starts with group 0008, whose first element is a UID, a length or an image type.
    match (head.get(0..2), head.get(4..6)) {
        (Some([8, 0]), Some([b'A'..=b'Z', b'A'..=b'Z'])) => Ok(Start::Bare { uid: uids::EXPLICIT_VR_LITTLE_ENDIAN }),
        (Some([8, 0]), Some(_)) => Ok(Start::Bare { uid: uids::IMPLICIT_VR_LITTLE_ENDIAN }),
        _ => Err(Unreadable::NotDicom),
    }
}

fn read(bytes: &[u8], start: Start, until: Option<Tag>) -> Result<DefaultDicomObject, Unreadable> {
    match start {
        Start::Meta => {
            let options = OpenFileOptions::new().read_preamble(ReadPreamble::Auto);
            let options = if let Some(tag) = until { options.read_until(tag) } else { options };
            options.from_reader(bytes).map_err(broken)
        }
        Start::Bare { uid } => {
            let syntax = TransferSyntaxRegistry.get(uid).ok_or(Unreadable::NotDicom)?;
            let dataset = InMemDicomObject::read_dataset_with_ts(bytes, syntax).map_err(broken)?;
            with_meta(dataset, uid)
        }
    }
}

/// The parser refuses damage and impossible lengths alike, and does not tell them apart from outside.
fn broken<E>(_: E) -> Unreadable {
    Unreadable::malformed("it cannot be parsed within the memory that one object may take")
}

fn with_meta(dataset: InMemDicomObject, uid: &str) -> Result<DefaultDicomObject, Unreadable> {
    let text = |tag| dataset.get(tag).and_then(|e| e.to_str().ok()).map(|t| t.trim_end_matches([' ', '\0']).to_owned());
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(uid)
        .media_storage_sop_class_uid(text(tags::SOP_CLASS_UID).unwrap_or_default())
        .media_storage_sop_instance_uid(text(tags::SOP_INSTANCE_UID).unwrap_or_default())
        .build()
        .map_err(|_| Unreadable::malformed("it has no SOP class"))?;
    Ok(dataset.with_exact_meta(meta))
}
