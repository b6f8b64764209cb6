//! DICOM objects made here, so that every rule of decoding has a file wherever the tests run.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test states its expectations by panicking"
)]

use std::path::{Path, PathBuf};

use dicom_core::value::{DataSetSequence, PixelFragmentSequence};
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_encoding::transfer_syntax::TransferSyntaxIndex;
use dicom_object::InMemDicomObject;
use dicom_object::meta::FileMetaTableBuilder;
use dicom_pixeldata::Transcode;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;
use reader::pixels::plain::{Plain, Samples};
use reader::pixels::wrap::{WrapFacts, to_dicom};
use reader::pixels::{Limits, Pixels, Prepared, Unreadable, decode, prepare};
use tempfile::TempDir;

/// Retired, and still in archives.
const EXPLICIT_VR_BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

const ROWS: u16 = 240;
const COLUMNS: u16 = 226;
const PIXELS: usize = ROWS as usize * COLUMNS as usize;

/// 12-bit values with structure in both directions and all bits in use.
fn picture() -> Vec<u16> {
    (0..PIXELS).map(|i| ((i / COLUMNS as usize * 17 + i % COLUMNS as usize * 5) % 4096) as u16).collect()
}

fn put(object: &mut InMemDicomObject, tag: Tag, vr: VR, value: impl Into<PrimitiveValue>) {
    object.put(DataElement::new(tag, vr, value.into()));
}

/// A 12-bit MONOCHROME2 radiograph with a window.
fn radiograph() -> InMemDicomObject {
    let mut object = InMemDicomObject::new_empty();
    let o = &mut object;
    put(o, tags::SOP_CLASS_UID, VR::UI, uids::DIGITAL_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION);
    put(o, tags::SOP_INSTANCE_UID, VR::UI, "2.25.1");
    put(o, tags::MODALITY, VR::CS, "DX");
    put(o, tags::SAMPLES_PER_PIXEL, VR::US, 1u16);
    put(o, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2");
    put(o, tags::ROWS, VR::US, ROWS);
    put(o, tags::COLUMNS, VR::US, COLUMNS);
    put(o, tags::BITS_ALLOCATED, VR::US, 16u16);
    put(o, tags::BITS_STORED, VR::US, 12u16);
    put(o, tags::HIGH_BIT, VR::US, 11u16);
    put(o, tags::PIXEL_REPRESENTATION, VR::US, 0u16);
    put(o, tags::WINDOW_CENTER, VR::DS, "2000");
    put(o, tags::WINDOW_WIDTH, VR::DS, "3000");
    put(o, tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(picture().into()));
    object
}

fn save(folder: &TempDir, name: &str, object: InMemDicomObject, syntax: &str) -> PathBuf {
    let path = folder.path().join(name);
    let meta = FileMetaTableBuilder::new().transfer_syntax(syntax);
    object.with_meta(meta).unwrap().write_to_file(&path).unwrap();
    path
}

fn opened(path: &Path) -> Prepared {
    prepare(&std::fs::read(path).unwrap(), &Limits::default(), |_| ())
}

/// The object through a file in Explicit VR Little Endian.
fn through_file(object: InMemDicomObject) -> Prepared {
    let folder = tempfile::tempdir().unwrap();
    opened(&save(&folder, "film.dcm", object, uids::EXPLICIT_VR_LITTLE_ENDIAN))
}

fn pixels(object: InMemDicomObject) -> Pixels {
    through_file(object).pixels.unwrap()
}

fn refusal(object: InMemDicomObject) -> Unreadable {
    through_file(object).pixels.unwrap_err()
}

/// The values after the modality LUT, and the displayed image.
fn decoded(object: InMemDicomObject) -> (Vec<i32>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = save(&folder, "film.dcm", object, uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let bytes = std::fs::read(path).unwrap();
    let frame = decode::open(&bytes, &Limits::default()).unwrap().decode().unwrap();
    (frame.values(), frame.display())
}

/// RLE Lossless, PS3.5 Annex G: most significant bytes first, each row in literal runs.
fn rle(values: &[u16]) -> Vec<u8> {
    let segment = |byte: usize| -> Vec<u8> {
        let plane: Vec<u8> = values.iter().map(|v| v.to_be_bytes()[byte]).collect();
        let runs = plane.chunks(COLUMNS as usize).flat_map(|row| row.chunks(128));
        let mut out: Vec<u8> = runs.flat_map(|run| std::iter::once(run.len() as u8 - 1).chain(run.to_vec())).collect();
        out.resize(out.len().next_multiple_of(2), 0);
        out
    };
    let (high, low) = (segment(0), segment(1));
    let mut header = [0u32; 16];
    header[..3].copy_from_slice(&[2, 64, 64 + high.len() as u32]);
    header.iter().flat_map(|n| n.to_le_bytes()).chain(high).chain(low).collect()
}

#[test]
fn every_native_and_lossless_encoding_gives_the_same_pixels() {
    let folder = tempfile::tempdir().unwrap();
    let expected = pixels(radiograph());
    let native = [
        uids::IMPLICIT_VR_LITTLE_ENDIAN,
        uids::EXPLICIT_VR_LITTLE_ENDIAN,
        EXPLICIT_VR_BIG_ENDIAN,
        uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    ];
    for syntax in native {
        let path = save(&folder, "native.dcm", radiograph(), syntax);
        assert!(opened(&path).pixels.unwrap() == expected, "{syntax}");
    }
    let mut run_length = radiograph();
    let fragments = PixelFragmentSequence::new(vec![], vec![rle(&picture())]);
    run_length.put(DataElement::new(tags::PIXEL_DATA, VR::OB, fragments));
    let path = save(&folder, "rle.dcm", run_length, uids::RLE_LOSSLESS);
    assert!(opened(&path).pixels.unwrap() == expected, "RLE");
    let meta = FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let mut object = radiograph().with_meta(meta).unwrap();
    object.transcode(TransferSyntaxRegistry.get(uids::JPEGLS_LOSSLESS).unwrap()).unwrap();
    let path = folder.path().join("jpeg-ls.dcm");
    object.write_to_file(&path).unwrap();
    assert!(opened(&path).pixels.unwrap() == expected, "JPEG-LS");
}

#[test]
fn a_bare_dataset_is_guessed_by_its_first_element() {
    let folder = tempfile::tempdir().unwrap();
    for syntax in [uids::IMPLICIT_VR_LITTLE_ENDIAN, uids::EXPLICIT_VR_LITTLE_ENDIAN] {
        let path = folder.path().join("bare.dcm");
        let file = std::fs::File::create(&path).unwrap();
        radiograph().write_dataset_with_ts(file, TransferSyntaxRegistry.get(syntax).unwrap()).unwrap();
        let prepared = opened(&path);
        assert_eq!(prepared.about.unwrap().facts.transfer_syntax, syntax);
        assert!(prepared.pixels.unwrap() == pixels(radiograph()), "{syntax}");
    }
}

#[test]
fn monochrome1_is_the_negative() {
    let mut negative = radiograph();
    put(&mut negative, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1");
    let (plain, inverted) = (decoded(radiograph()).1, decoded(negative.clone()).1);
    assert!(plain.iter().zip(&inverted).all(|(a, b)| a + b == 255));
    assert!(pixels(negative).preview.invert);
}

#[test]
fn signed_values_are_rescaled() {
    let mut object = radiograph();
    let stored: Vec<u16> = (0..PIXELS).map(|i| ((i % 4096) as i16 - 2048) as u16 & 0x0FFF).collect();
    put(&mut object, tags::PIXEL_REPRESENTATION, VR::US, 1u16);
    put(&mut object, tags::RESCALE_SLOPE, VR::DS, "2");
    put(&mut object, tags::RESCALE_INTERCEPT, VR::DS, "-24");
    put(&mut object, tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(stored.into()));
    let (values, _) = decoded(object);
    assert_eq!(values[..3], [-4120, -4118, -4116]);
    assert_eq!(values[4095], 2047 * 2 - 24);
}

#[test]
fn bits_outside_the_stored_ones_are_not_pixels() {
    let mut object = radiograph();
    // Stored in bits 2 to 13; an overlay in bit 15 and rubbish in bits 0 and 1.
    let shifted: Vec<u16> = picture().iter().map(|v| v << 2 | 0x8003).collect();
    put(&mut object, tags::HIGH_BIT, VR::US, 13u16);
    put(&mut object, tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(shifted.into()));
    assert_eq!(decoded(object), decoded(radiograph()));
}

#[test]
fn padding_does_not_stretch_the_range() {
    let mut object = radiograph();
    let mut stored = vec![1000u16; PIXELS];
    stored[1] = 1200;
    stored[0] = 4095;
    object.remove_element(tags::WINDOW_CENTER);
    put(&mut object, tags::PIXEL_PADDING_VALUE, VR::US, 4095u16);
    put(&mut object, tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(stored.into()));
    let (values, display) = decoded(object);
    assert_eq!((values[..3].to_vec(), display[..3].to_vec()), (vec![1000, 1200, 1000], vec![0, 255, 0]));
}

#[test]
fn a_voi_lut_goes_before_the_window() {
    let mut object = radiograph();
    let item = InMemDicomObject::from_element_iter([
        DataElement::new(tags::LUT_DESCRIPTOR, VR::US, PrimitiveValue::U16([4096, 0, 8].into_iter().collect())),
        DataElement::new(tags::LUT_DATA, VR::OW, PrimitiveValue::U16((0..4096u16).map(|v| 255 - v / 16).collect())),
    ]);
    object.put(DataElement::new(tags::VOILUT_SEQUENCE, VR::SQ, DataSetSequence::from(vec![item])));
    let (_, display) = decoded(object);
    assert!(display.iter().zip(picture()).all(|(grey, v)| u16::from(*grey) == 255 - v / 16));
}

#[test]
fn colours_become_luminance_in_both_layouts() {
    let coloured = |planar: u16, data: Vec<u8>| {
        let mut object = radiograph();
        for (tag, value) in [(tags::SAMPLES_PER_PIXEL, 3), (tags::PLANAR_CONFIGURATION, planar)] {
            put(&mut object, tag, VR::US, value);
        }
        for (tag, value) in [(tags::BITS_ALLOCATED, 8u16), (tags::BITS_STORED, 8), (tags::HIGH_BIT, 7)] {
            put(&mut object, tag, VR::US, value);
        }
        put(&mut object, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "RGB");
        put(&mut object, tags::PIXEL_DATA, VR::OB, PrimitiveValue::U8(data.into()));
        decoded(object).1
    };
    let interleaved: Vec<u8> = (0..PIXELS).flat_map(|_| [255, 0, 0]).collect();
    let planes: Vec<u8> = [255, 0, 0].iter().flat_map(|v| vec![*v; PIXELS]).collect();
    assert!(coloured(0, interleaved).iter().chain(&coloured(1, planes)).all(|grey| *grey == 76));
}

#[test]
fn a_palette_is_looked_up_and_an_index_outside_takes_the_last_entry() {
    let mut object = radiograph();
    put(&mut object, tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "PALETTE COLOR");
    let descriptor = || PrimitiveValue::U16([2, 0, 16].into_iter().collect());
    for (about, data) in [
        (tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, tags::RED_PALETTE_COLOR_LOOKUP_TABLE_DATA),
        (tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, tags::GREEN_PALETTE_COLOR_LOOKUP_TABLE_DATA),
        (tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DESCRIPTOR, tags::BLUE_PALETTE_COLOR_LOOKUP_TABLE_DATA),
    ] {
        put(&mut object, about, VR::US, descriptor());
        put(&mut object, data, VR::OW, PrimitiveValue::U16([0, 0xFFFF].into_iter().collect()));
    }
    let (_, display) = decoded(object);
    assert!(display.iter().zip(picture()).all(|(grey, v)| *grey == if v == 0 { 0 } else { 255 }));
}

#[test]
fn what_cannot_be_an_image_is_refused_by_its_reason() {
    type Change = fn(&mut InMemDicomObject);
    let cases: [(&str, Change); 9] = [
        ("no_pixel_data", |o| drop(o.take(tags::PIXEL_DATA))),
        ("malformed", |o| drop(o.take(tags::ROWS))),
        ("malformed", |o| put(o, tags::COLUMNS, VR::US, 0u16)),
        ("malformed", |o| put(o, tags::BITS_STORED, VR::US, 17u16)),
        ("malformed", |o| put(o, tags::HIGH_BIT, VR::US, 3u16)),
        ("malformed", |o| put(o, tags::ROWS, VR::US, ROWS + 1)),
        ("malformed", |o| {
            put(o, tags::ROWS, VR::UL, 30_000_000u32);
            put(o, tags::COLUMNS, VR::US, 1u16);
        }),
        ("unsupported_pixels", |o| put(o, tags::BITS_ALLOCATED, VR::US, 32u16)),
        ("multi_frame", |o| put(o, tags::NUMBER_OF_FRAMES, VR::IS, "2")),
    ];
    for (code, change) in cases {
        let mut object = radiograph();
        change(&mut object);
        assert_eq!(refusal(object).code(), code);
    }
}

#[test]
fn a_compression_without_a_decoder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut object = radiograph();
    let fragments = PixelFragmentSequence::new(vec![], vec![vec![0u8; 64]]);
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, fragments));
    let hevc = save(&folder, "video.dcm", object.clone(), uids::HEVCMP51);
    let why = opened(&hevc).pixels.unwrap_err();
    assert_eq!(why, Unreadable::UnsupportedTransferSyntax { uid: uids::HEVCMP51.into() });
    let broken = save(&folder, "broken.dcm", object, uids::JPEG2000_LOSSLESS);
    assert_eq!(opened(&broken).pixels.unwrap_err().code(), "decode_failed");
}

#[test]
fn a_file_cut_anywhere_is_refused_or_whole_and_never_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let path = save(&folder, "cut.dcm", radiograph(), uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let bytes = std::fs::read(&path).unwrap();
    let head = bytes.len() - PIXELS * 2;
    for length in (0..head).step_by(7).chain([head, head + 1, bytes.len() - 1]) {
        std::fs::write(&path, &bytes[..length]).unwrap();
        assert!(opened(&path).pixels.is_err(), "cut at {length}");
    }
}

#[test]
fn facts_are_taken_from_the_header_and_identity_is_never_printed() {
    let mut object = radiograph();
    put(&mut object, tags::BODY_PART_EXAMINED, VR::CS, "chest ");
    put(&mut object, tags::PATIENT_AGE, VR::AS, "030M");
    put(&mut object, tags::PATIENT_ID, VR::LO, "Secret-7");
    put(&mut object, tags::BURNED_IN_ANNOTATION, VR::CS, "YES");
    let about = through_file(object).about.unwrap();
    assert_eq!(about.facts.body_part.as_deref(), Some("CHEST"));
    assert_eq!((about.facts.age_years, about.facts.bits_stored), (Some(2.5), Some(12)));
    assert!(about.facts.burned_in_annotation);
    assert_eq!(about.identity.patient_id.as_deref(), Some("Secret-7"));
    assert!(!format!("{about:?}").contains("Secret"));
}

/// A wrapped image shows as it was, states no body part, and is the same object each time.
#[test]
fn a_wrapped_image_is_itself() {
    let folder = tempfile::tempdir().unwrap();
    let eight: Vec<u8> = (0..15).map(|i| i * 17).collect();
    let sixteen: Vec<u16> = (0..15).map(|i| i * 4369).collect();
    for (samples, bits) in [(Samples::Eight(eight.clone()), 8), (Samples::Sixteen(sixteen), 16)] {
        let image = Plain { rows: 3, columns: 5, samples };
        let path = folder.path().join("wrapped.dcm");
        to_dicom(&image, &WrapFacts::default()).unwrap().write_to_file(&path).unwrap();
        let first = std::fs::read(&path).unwrap();
        let object = decode::open(&first, &Limits::default()).unwrap();
        let (about, frame) = (object.about(), object.decode().unwrap());
        assert_eq!(frame.display(), eight, "{bits} bits");
        assert_eq!((about.facts.bits_stored, about.facts.body_part, about.facts.view), (Some(bits), None, None));
        assert_eq!(about.facts.sop_class.as_deref(), Some(uids::SECONDARY_CAPTURE_IMAGE_STORAGE));
        to_dicom(&image, &WrapFacts::default()).unwrap().write_to_file(&path).unwrap();
        assert!(first == std::fs::read(&path).unwrap(), "the same object, byte for byte");
    }
}
