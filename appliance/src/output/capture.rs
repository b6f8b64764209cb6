//! The reading as a picture that every viewer shows: Secondary Capture Image Storage (PS3.3 A.8.1), 8-bit RGB. The radiograph
//! as the model saw it, the model's evidence over it, and below it in words what was found, how sure, by which model, and
//! that it is not for diagnosis. Nothing is written over the radiograph, and nothing that is written says who it is.

mod canvas;
mod colours;
mod font;
mod sheet;

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use wire::v1::result::{OutcomeV1, ReadV1};

use super::modules::{EncodeError, Made, Series, begin, known, put_series, sequence, source_image, text};
use super::record::Record;
use super::uids::Kind;
use super::words::DISCLAIMER;
use canvas::Canvas;

/// Not the source's modality: what hangs radiographs by theirs must not hang this among them. Its number is far from a
/// modality's own, beside the reports'.
const SERIES: Series = Series { modality: "OT", number: "9002", kind: Kind::CaptureSeries };
/// Derivation Description (0008,2111) of a film that is called positive, and of another.
const DERIVED: [&str; 2] = ["Reduced radiograph with the evidence map of a model laid over it", "Reduced radiograph"];

/// The capture of a record; `None` where the model did not read the image or there is no picture of it.
///
/// # Errors
/// [`EncodeError`] if the toolkit refuses the attributes, which a test excludes.
pub fn capture(record: &Record) -> Result<Option<Made>, EncodeError> {
    let (OutcomeV1::Read(read), Some(picture)) = (&record.outcome, &record.picture) else { return Ok(None) };
    let instance = record.uid(Kind::Capture);
    let mut object = begin(record, uids::SECONDARY_CAPTURE_IMAGE_STORAGE, &instance);
    put_series(record, SERIES, &mut object);
    image(record, read, &mut object);
    pixels(&sheet::drawn(record, read, picture), &mut object)?;
    Ok(Some(Made::new(uids::SECONDARY_CAPTURE_IMAGE_STORAGE, instance, object)))
}

/// SC Equipment, General Image and its references, PS3.3 C.8.6.1, C.7.6.1 and C.12.4.
fn image(record: &Record, read: &ReadV1, object: &mut InMemDicomObject) {
    let derived = DERIVED[usize::from(!read.positive)];
    for (tag, vr, value) in [
        (tags::CONVERSION_TYPE, VR::CS, "WSD"),
        // Only what was taken for a chest is read; a part without sides needs no Laterality (C.7.3.1).
        (tags::BODY_PART_EXAMINED, VR::CS, "CHEST"),
        (tags::BURNED_IN_ANNOTATION, VR::CS, "YES"),
        (tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00"),
        (tags::DERIVATION_DESCRIPTION, VR::ST, derived),
        (tags::IMAGE_COMMENTS, VR::LT, DISCLAIMER),
    ] {
        object.put(text(tag, vr, value));
    }
    let kind = ["DERIVED", "SECONDARY"].map(str::to_owned);
    object.put(DataElement::new(tags::IMAGE_TYPE, VR::CS, PrimitiveValue::Strs(kind.into_iter().collect())));
    // The film's own: it lies on the sheet as it came.
    object.put(known(tags::PATIENT_ORIENTATION, VR::CS, orientation(record)));
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

/// Patient Orientation of the image, where it is one: two directions of at most three letters each (C.7.6.1.1.1).
fn orientation(record: &Record) -> Option<&str> {
    let stated = record.facts.orientation.as_deref()?;
    let (rows, columns) = stated.split_once('\\')?;
    let is_direction = |words: &str| (1..=3).contains(&words.len()) && words.chars().all(|c| "LRAPHF".contains(c));
    (is_direction(rows) && is_direction(columns)).then_some(stated)
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

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn what_was_not_read_has_no_capture() {
        let reason = wire::v1::result::ReasonV1 { code: "not_a_chest".into(), words: "Not a chest.".into() };
        let abstained = Record { outcome: OutcomeV1::Abstained { reason }, ..record() };
        assert!(capture(&abstained).unwrap().is_none());
        assert!(capture(&Record { picture: None, ..record() }).unwrap().is_none());
        assert!(capture(&record()).unwrap().is_some());
    }
}
