//! The reading as a picture that every viewer shows: Secondary Capture Image Storage (PS3.3 A.8.1), 8-bit RGB. The radiograph
//! as the model saw it, the model's evidence over it, and below it in words what was found, how sure, by which model, and
//! that it is not for diagnosis. Nothing is written over the radiograph, and nothing that is written says who it is.

mod canvas;
mod colours;
mod font;

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use reader::pixels::Preview;
use reader::pixels::grayscale::{Lut, Voi};
use reader::pixels::preview::PreviewVoi;
use wire::v1::result::{OutcomeV1, ReadV1};

use super::modules::{DISCLAIMER, EncodeError, Made, NOT_EXCLUDED, begin, sequence, source_image, text};
use super::record::{Picture, Record};
use super::uids::Kind;
use canvas::{Canvas, advance, line_height, wrapped};

/// Series Number of the captures: far from a modality's own, beside the reports'.
const SERIES_NUMBER: &str = "9002";
/// Least width, pixels: 40 letters of the caption.
const NARROWEST: usize = 480;
/// Size of the caption's letters: 14 pixels high on a picture of about 1,000.
const CAPTION: usize = 2;
/// Size of the warning's letters.
const WARNING: usize = 4;
/// Space around what is written, pixels.
const MARGIN: usize = 12;
/// What stands first.
const NOT_FOR_DIAGNOSIS: &str = "NOT FOR DIAGNOSIS";
/// Amber: neither a grey of the film nor a colour of the evidence.
const AMBER: [u8; 3] = [255, 150, 40];
/// Nearly white.
const PALE: [u8; 3] = [225, 225, 225];

/// The capture of a record; `None` where the model did not read the image or there is no picture of it.
///
/// # Errors
/// [`EncodeError`] if the toolkit refuses the attributes, which a test excludes.
pub fn capture(record: &Record) -> Result<Option<Made>, EncodeError> {
    let (OutcomeV1::Read(read), Some(picture)) = (&record.outcome, &record.picture) else { return Ok(None) };
    let instance = record.uid(Kind::Capture);
    let mut object = begin(record, uids::SECONDARY_CAPTURE_IMAGE_STORAGE, &instance);
    image(record, &mut object);
    pixels(&drawn(record, read, picture), &mut object)?;
    Ok(Some(Made::new(uids::SECONDARY_CAPTURE_IMAGE_STORAGE, instance, object)))
}

/// General Series, SC Equipment, General Image and its references, PS3.3 C.7.3.1, C.8.6.1, C.7.6.1 and C.12.4.
fn image(record: &Record, object: &mut InMemDicomObject) {
    let ((date, time), series) = (record.moment.date_and_time(), record.uid(Kind::CaptureSeries));
    for (tag, vr, value) in [
        // Not the source's: what hangs radiographs by their modality must not hang this among them.
        (tags::MODALITY, VR::CS, "OT"),
        (tags::CONVERSION_TYPE, VR::CS, "WSD"),
        // Only what was taken for a chest is read; a part without sides needs no Laterality (C.7.3.1).
        (tags::BODY_PART_EXAMINED, VR::CS, "CHEST"),
        (tags::SERIES_INSTANCE_UID, VR::UI, series.as_str()),
        (tags::SERIES_NUMBER, VR::IS, SERIES_NUMBER),
        (tags::SERIES_DESCRIPTION, VR::LO, "Hilum: not for diagnosis"),
        (tags::INSTANCE_NUMBER, VR::IS, "1"),
        (tags::CONTENT_DATE, VR::DA, date.as_str()),
        (tags::CONTENT_TIME, VR::TM, time.as_str()),
        (tags::BURNED_IN_ANNOTATION, VR::CS, "YES"),
        (tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00"),
        (tags::DERIVATION_DESCRIPTION, VR::ST, "Reduced radiograph with the evidence map of a model laid over it"),
        (tags::IMAGE_COMMENTS, VR::LT, DISCLAIMER),
    ] {
        object.put(text(tag, vr, value));
    }
    let kind = ["DERIVED", "SECONDARY"].map(str::to_owned);
    object.put(DataElement::new(tags::IMAGE_TYPE, VR::CS, PrimitiveValue::Strs(kind.into_iter().collect())));
    object.put(DataElement::new(tags::PATIENT_ORIENTATION, VR::CS, PrimitiveValue::Empty));
    let mut source = source_image(record);
    // PS3.16 CID 7202.
    let purpose = [("121322", "DCM", "Source image for image processing operation")];
    let purpose = purpose.map(|(value, scheme, meaning)| {
        InMemDicomObject::from_element_iter([
            text(tags::CODE_VALUE, VR::SH, value),
            text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, scheme),
            text(tags::CODE_MEANING, VR::LO, meaning),
        ])
    });
    source.put(sequence(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, purpose.into()));
    object.put(sequence(tags::SOURCE_IMAGE_SEQUENCE, vec![source]));
}

/// Image Pixel, PS3.3 C.7.6.3.
fn pixels(canvas: &Canvas, object: &mut InMemDicomObject) -> Result<(), EncodeError> {
    // A preview has at most 1024 a side and the caption some lines more.
    let side = |pixels: usize| u16::try_from(pixels).map_err(EncodeError::new);
    for (tag, value) in [
        (tags::SAMPLES_PER_PIXEL, 3),
        (tags::PLANAR_CONFIGURATION, 0),
        (tags::ROWS, side(canvas.rows)?),
        (tags::COLUMNS, side(canvas.columns)?),
        (tags::BITS_ALLOCATED, 8),
        (tags::BITS_STORED, 8),
        (tags::HIGH_BIT, 7),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
    }
    object.put(text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "RGB"));
    let mut bytes = canvas.pixels.clone();
    // Values have an even length (PS3.5 7.1.1).
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, PrimitiveValue::U8(bytes.into())));
    Ok(())
}

/// The whole sheet: the warning, the radiograph, the caption.
fn drawn(record: &Record, read: &ReadV1, picture: &Picture) -> Canvas {
    let (rows, columns) = (usize::from(picture.preview.rows), usize::from(picture.preview.columns));
    let width = columns.max(NARROWEST);
    let letters = (width - 2 * MARGIN) / advance(CAPTION);
    let lines: Vec<String> = caption(record, read).iter().flat_map(|words| wrapped(words, letters)).collect();
    let (head, foot) = (line_height(WARNING) + MARGIN, lines.len() * line_height(CAPTION) + 2 * MARGIN);
    let mut canvas = Canvas::new(head + rows + foot, width);
    canvas.write(NOT_FOR_DIAGNOSIS, (MARGIN, MARGIN), WARNING, AMBER);
    let rgb = colours::overlay(&display(&picture.preview), (rows, columns), &picture.saliency);
    canvas.put(&rgb, columns, (head, (width - columns) / 2));
    for (number, line) in lines.iter().enumerate() {
        let colour = if number == 0 { AMBER } else { PALE };
        canvas.write(line, (head + rows + MARGIN + number * line_height(CAPTION), MARGIN), CAPTION, colour);
    }
    canvas
}

/// What is written below the radiograph. Nothing of it is about the patient.
fn caption(record: &Record, read: &ReadV1) -> Vec<String> {
    let (model, point) = (&read.model, &read.model.operating_point);
    let (date, time) = record.moment.date_and_time();
    let found = if read.positive { "positive" } else { "negative" };
    let digest = model.digest.get(..12).unwrap_or_default();
    let part = |text: &str, range: std::ops::Range<usize>| text.get(range).unwrap_or_default().to_owned();
    let mut lines = vec![format!("Pneumonia: {found}, probability {:.1} %", read.probability * 100.0)];
    // Straight after the finding, because they qualify it: a viewer may show the capture and nothing else of ours.
    lines.extend((!read.positive).then(|| NOT_EXCLUDED.to_owned()));
    lines.extend(record.caveats.iter().map(|caveat| format!("Caution: {}", caveat.words)));
    lines.extend([
        format!("Operating point {}: positive from {:.1} %", point.name, point.threshold * 100.0),
        format!("Model {} {} (SHA-256 {digest})", model.id, model.version),
        format!(
            "Hilum {}, {}-{}-{} {}:{} {}",
            record.origin.version,
            part(&date, 0..4),
            part(&date, 4..6),
            part(&date, 6..8),
            part(&time, 0..2),
            part(&time, 2..4),
            record.moment.offset()
        ),
        "Colour: where the evidence of the model lies, strongest in yellow".to_owned(),
        DISCLAIMER.to_owned(),
    ]);
    lines
}

/// The preview under its own window, 8-bit grey: what the model and the reviewer see (PS3.3 C.11.2).
fn display(preview: &Preview) -> Vec<u8> {
    let voi = voi(&preview.voi);
    // A preview always names its window, so the range is not asked for.
    let shade = voi.shade((0, 0), preview.invert);
    let samples = preview.samples.chunks_exact(2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
    let grey: Vec<u8> = samples.map(|sample| shade(i32::from(sample).saturating_add(preview.offset))).collect();
    grey
}

fn voi(voi: &PreviewVoi) -> Voi {
    match voi {
        PreviewVoi::Linear { center, width } => Voi::Linear { center: *center, width: *width },
        PreviewVoi::LinearExact { center, width } => Voi::LinearExact { center: *center, width: *width },
        PreviewVoi::Sigmoid { center, width } => Voi::Sigmoid { center: *center, width: *width },
        PreviewVoi::Lut { first, bits, data } => {
            let entries = data.chunks_exact(2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]])).collect();
            Lut::new(*first, *bits, entries).map_or(Voi::FullRange, Voi::Lut)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn the_caption_names_the_finding_and_the_model_and_never_the_patient() {
        let record = record();
        let OutcomeV1::Read(read) = &record.outcome else { panic!("a reading") };
        let words = caption(&record, read).join("\n");
        for part in [
            "positive, probability 87.4 %",
            "default: positive from 41.2 %",
            "pneumonia-cxr 1.2.0",
            "cdcdcdcdcdcd",
            "2024-03-01 09:30 +0100",
        ] {
            assert!(words.contains(part), "{part} in {words}");
        }
        for secret in ["4711", "ller", "A-17", "Meyer", "2.25.10", "20200229"] {
            assert!(!words.contains(secret), "{secret} in {words}");
        }
    }

    #[test]
    fn the_film_lies_untouched_between_the_warning_and_the_caption() {
        let record = record();
        let (OutcomeV1::Read(read), Some(picture)) = (&record.outcome, &record.picture) else { panic!("a picture") };
        let canvas = drawn(&record, read, picture);
        assert_eq!(canvas.columns, NARROWEST);
        let top = line_height(WARNING) + MARGIN;
        let left = (NARROWEST - 6) / 2;
        let at = |row: usize, column: usize| canvas.pixels[((top + row) * NARROWEST + left + column) * 3];
        let grey = display(&picture.preview);
        assert_eq!((at(0, 0), at(0, 1)), (grey[0], grey[1]), "no evidence there");
        assert_eq!((grey[0], grey[23]), (0, 255));
    }

    #[test]
    fn what_was_not_read_has_no_capture() {
        let reason = wire::v1::result::ReasonV1 { code: "not_a_chest".into(), words: "Not a chest.".into() };
        let abstained = Record { outcome: OutcomeV1::Abstained { reason }, ..record() };
        assert!(capture(&abstained).unwrap().is_none());
        assert!(capture(&Record { picture: None, ..record() }).unwrap().is_none());
        assert!(capture(&record()).unwrap().is_some());
    }
}
