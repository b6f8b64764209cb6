//! Files that were made to hurt, each as few bytes as it takes. Every one ends in a typed reason, costs at most its own
//! process, and the next good film is read by the same sandbox.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test states its expectations by panicking"
)]

use std::fs::File;
use std::io::Write;

use dicom_core::value::PixelFragmentSequence;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::DefaultDicomObject;
use reader::pixels::plain::{Plain, Samples};
use reader::pixels::sandbox::{Sandbox, SandboxConfig};
use reader::pixels::wrap::{WrapFacts, to_dicom};
use reader::pixels::{Limits, Prepared, Unreadable};

const SIDE: u16 = 64;

fn film() -> DefaultDicomObject {
    let side = usize::from(SIDE);
    let grey = (0..side * side).map(|i| (i / side * 4) as u8).collect();
    to_dicom(&Plain { rows: side, columns: side, samples: Samples::Eight(grey) }, &WrapFacts::default()).unwrap()
}

fn bytes(object: &DefaultDicomObject) -> Vec<u8> {
    let mut out = Vec::new();
    object.write_all(&mut out).unwrap();
    out
}

/// A film whose pixels are one fragment in the given transfer syntax.
fn compressed(syntax: &str, frame: &[u8]) -> Vec<u8> {
    let mut object = film();
    object.update_meta(|meta| meta.transfer_syntax = syntax.to_owned());
    let mut frame = frame.to_vec();
    frame.resize(frame.len().next_multiple_of(2), 0);
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PixelFragmentSequence::new(vec![], vec![frame])));
    bytes(&object)
}

/// Offset of the first element of the dataset: preamble, prefix, the group length's element and what it counts.
fn dataset(file: &[u8]) -> usize {
    144 + u32::from_le_bytes([file[140], file[141], file[142], file[143]]) as usize
}

/// With `element` before the dataset's first.
fn with_first(element: &[u8]) -> Vec<u8> {
    let mut file = bytes(&film());
    let at = dataset(&file);
    file.splice(at..at, element.iter().copied());
    file
}

fn patched(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut file = bytes(&film());
    change(&mut file);
    file
}

/// A start-of-frame marker that promises 65,535 × 65,535 pixels of one component, and nothing after it.
fn jpeg_of_65535(marker: u8, precision: u8) -> Vec<u8> {
    let mut out = vec![0xFF, 0xD8, 0xFF, marker, 0, 11, precision, 0xFF, 0xFF, 0xFF, 0xFF, 1, 1, 0x11, 0];
    out.extend([0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 0xFF, 0xD9]);
    out
}

/// A JPEG 2000 codestream that promises 2³¹ × 2³¹ pixels in tiles of the same size.
fn jpeg_2000_of_two_to_the_31() -> Vec<u8> {
    let mut out = vec![0xFF, 0x4F, 0xFF, 0x51, 0, 41, 0, 0];
    let most = 0x7FFF_FFFFu32.to_be_bytes();
    for value in [most, most, [0; 4], [0; 4], most, most, [0; 4], [0; 4]] {
        out.extend(value);
    }
    out.extend([0, 1, 7, 1, 1, 0xFF, 0x90, 0, 10, 0, 0, 0, 0, 0, 0, 0, 1, 0xFF, 0x93, 0xFF, 0xD9]);
    out
}

fn cases() -> Vec<(&'static str, Vec<u8>)> {
    let mut run_length = vec![0xFF; 64];
    run_length[..4].copy_from_slice(&[1, 0, 0, 0]);
    vec![
        ("a file meta group that ends far beyond the file", patched(|f| f[140..144].fill(0xFE))),
        ("a file meta group of no length", patched(|f| f[140..144].fill(0))),
        ("a file meta element of four gigabytes", patched(|f| f[152..156].fill(0xFE))),
        (
            "a file meta element of no known representation",
            patched(|f| f[148..156].copy_from_slice(b"ZZ\xFE\xFF\xFE\xFF\xFF\xFF")),
        ),
        ("a text of four gigabytes", with_first(&[8, 0, 1, 0, b'U', b'T', 0, 0, 0xFE, 0xFF, 0xFF, 0xFF])),
        ("an unknown value of three gigabytes", with_first(&[8, 0, 1, 0, b'U', b'N', 0, 0, 0, 0, 0, 0xC0])),
        ("a sequence that never ends", with_first(&[8, 0, 6, 0, b'S', b'Q', 0, 0, 255, 255, 255, 255])),
        ("a run-length header that points outside", compressed(uids::RLE_LOSSLESS, &run_length)),
        ("a run-length frame of nothing", compressed(uids::RLE_LOSSLESS, &[])),
        ("a baseline JPEG of 65535 × 65535", compressed("1.2.840.10008.1.2.4.50", &jpeg_of_65535(0xC0, 8))),
        ("an extended JPEG of 65535 × 65535", compressed("1.2.840.10008.1.2.4.51", &jpeg_of_65535(0xC1, 12))),
        ("a lossless JPEG of 65535 × 65535", compressed("1.2.840.10008.1.2.4.70", &jpeg_of_65535(0xC3, 16))),
        ("a JPEG-LS of 65535 × 65535", compressed(uids::JPEGLS_LOSSLESS, &jpeg_of_65535(0xF7, 16))),
        ("a JPEG 2000 of 2³¹ × 2³¹", compressed(uids::JPEG2000_LOSSLESS, &jpeg_2000_of_two_to_the_31())),
        ("an HTJ2K of 2³¹ × 2³¹", compressed("1.2.840.10008.1.2.4.201", &jpeg_2000_of_two_to_the_31())),
        (
            "a JPEG XL of 2³⁰ × 2³⁰",
            compressed("1.2.840.10008.1.2.4.110", &[0xFF, 0x0A, 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        ),
        ("a deflated dataset of rubbish", {
            let mut object = film();
            object.update_meta(|meta| meta.transfer_syntax = uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN.to_owned());
            let mut file = bytes(&object);
            let at = dataset(&file);
            file[at..].fill(0xA5);
            file
        }),
    ]
}

fn prepare(sandbox: &Sandbox, file: &[u8]) -> Prepared {
    let mut stored: File = tempfile::tempfile().unwrap();
    stored.write_all(file).unwrap();
    sandbox.prepare(&stored).unwrap()
}

fn sandbox() -> Sandbox {
    let program = env!("CARGO_BIN_EXE_decode-worker").into();
    Sandbox::new(SandboxConfig { program, args: vec![], workers: 1, limits: Limits::default() })
}

#[test]
fn each_hostile_file_has_its_reason_and_the_next_film_is_read() {
    let (sandbox, good) = (sandbox(), bytes(&film()));
    for (name, file) in cases() {
        assert!(file.len() < 8192, "{name}: {} bytes", file.len());
        let why = prepare(&sandbox, &file).pixels.err().unwrap_or_else(|| panic!("{name} was read"));
        println!("{name}: {}", why.code());
        let expected = ["malformed", "not_dicom", "no_pixel_data", "decode_failed", "decoder_crashed", "too_large"];
        assert!(expected.contains(&why.code()), "{name}: {why}");
        assert!(prepare(&sandbox, &good).pixels.is_ok(), "the film after {name}");
    }
}

/// Some writers give US attributes as UL; it is an image all the same.
#[test]
fn dimensions_in_an_unusual_representation_are_read() {
    let mut object = film();
    for tag in [tags::ROWS, tags::COLUMNS] {
        object.put(DataElement::new(tag, VR::UL, PrimitiveValue::from(u32::from(SIDE))));
    }
    let sandbox = sandbox();
    let expected = prepare(&sandbox, &bytes(&film())).pixels.unwrap();
    assert!(prepare(&sandbox, &bytes(&object)).pixels.unwrap() == expected);
}

/// 2³² - 1 has no successor. It is refused in words, and costs the decoding process nothing.
#[test]
fn a_high_bit_without_a_successor_is_malformed() {
    let mut object = film();
    object.put(DataElement::new(tags::HIGH_BIT, VR::UL, PrimitiveValue::from(u32::MAX)));
    let why = prepare(&sandbox(), &bytes(&object)).pixels.unwrap_err();
    assert!(matches!(why, Unreadable::Malformed { .. }), "{why:?}");
}

/// Pixel Data that claims to be nearly all of the four gigabytes that a length can say, at the end of a few hundred bytes.
#[test]
fn pixels_that_are_promised_and_not_there_are_missed() {
    let file = patched(|f| {
        let pixels = usize::from(SIDE) * usize::from(SIDE);
        f.truncate(f.len() - pixels);
        let length = f.len() - 4;
        f[length..].copy_from_slice(&0xFFFF_FFF0u32.to_le_bytes());
    });
    let why = prepare(&sandbox(), &file).pixels.unwrap_err();
    assert!(matches!(why, Unreadable::Malformed { .. } | Unreadable::DecoderCrashed), "{why:?}");
}
