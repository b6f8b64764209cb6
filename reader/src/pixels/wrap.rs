//! A plain grey image as a DICOM object: Secondary Capture, so that nobody takes it for the scanner's own. It states what is
//! known and leaves out the rest; body part, view and patient are never invented.
//!
//! UIDs are derived from the pixels (PS3.5 B.2, under 2.25), so the same image wrapped twice is the same object.

use dicom_core::value::PrimitiveValue;
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::meta::FileMetaTableBuilder;
use dicom_object::{DefaultDicomObject, InMemDicomObject, WithMetaError};
use sha2::{Digest, Sha256};

use super::plain::{Plain, Samples};

/// What the sender knows beside the pixels. Absent stays absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrapFacts {
    /// Patient ID; without one, the image is its own patient.
    pub patient_id: Option<String>,
    /// Body Part Examined.
    pub body_part: Option<String>,
    /// View Position.
    pub view: Option<String>,
    /// Patient's Age, such as `004Y`.
    pub age: Option<String>,
    /// Patient's Sex, `M`, `F` or `O`.
    pub sex: Option<String>,
}

/// Why no object could be made.
#[derive(Debug, thiserror::Error)]
pub enum WrapError {
    /// Rows and Columns are 16-bit.
    #[error("the image has a side of more than 65535 pixels, which DICOM cannot say; use a smaller copy")]
    TooLarge,
    /// The file meta group was refused.
    #[error("the DICOM object could not be completed")]
    Meta(#[from] Box<WithMetaError>),
}

/// Wraps `image` in Explicit VR Little Endian.
pub fn to_dicom(image: &Plain, facts: &WrapFacts) -> Result<DefaultDicomObject, WrapError> {
    let rows = u16::try_from(image.rows).map_err(|_| WrapError::TooLarge)?;
    let columns = u16::try_from(image.columns).map_err(|_| WrapError::TooLarge)?;
    let digest = digest(image);
    let patient = facts.patient_id.clone().unwrap_or_else(|| format!("WRAPPED-{}", hex::encode(&digest[..6])));
    let instance = uid(&digest, "instance");
    let mut object = InMemDicomObject::new_empty();
    let mut put = |tag: Tag, vr: VR, value: PrimitiveValue| {
        object.put(DataElement::new(tag, vr, value));
    };
    put(tags::SOP_CLASS_UID, VR::UI, uids::SECONDARY_CAPTURE_IMAGE_STORAGE.into());
    put(tags::SOP_INSTANCE_UID, VR::UI, instance.as_str().into());
    put(tags::STUDY_INSTANCE_UID, VR::UI, uid(&digest, "study").into());
    put(tags::SERIES_INSTANCE_UID, VR::UI, uid(&digest, "series").into());
    put(tags::MODALITY, VR::CS, "OT".into());
    // WSD: workstation, PS3.3 C.8.6.1.
    put(tags::CONVERSION_TYPE, VR::CS, "WSD".into());
    put(tags::PATIENT_ID, VR::LO, patient.into());
    // Type 2: present, and empty where unknown.
    for (tag, vr) in [
        (tags::PATIENT_NAME, VR::PN),
        (tags::PATIENT_BIRTH_DATE, VR::DA),
        (tags::STUDY_DATE, VR::DA),
        (tags::STUDY_TIME, VR::TM),
        (tags::ACCESSION_NUMBER, VR::SH),
        (tags::REFERRING_PHYSICIAN_NAME, VR::PN),
        (tags::STUDY_ID, VR::SH),
        (tags::SERIES_NUMBER, VR::IS),
        (tags::INSTANCE_NUMBER, VR::IS),
    ] {
        put(tag, vr, PrimitiveValue::Empty);
    }
    put(tags::PATIENT_SEX, VR::CS, facts.sex.as_deref().map_or(PrimitiveValue::Empty, PrimitiveValue::from));
    for (tag, vr, value) in [
        (tags::BODY_PART_EXAMINED, VR::CS, &facts.body_part),
        (tags::VIEW_POSITION, VR::CS, &facts.view),
        (tags::PATIENT_AGE, VR::AS, &facts.age),
    ] {
        if let Some(value) = value {
            put(tag, vr, value.as_str().into());
        }
    }
    put_pixels(&mut object, rows, columns, &image.samples);
    let meta = FileMetaTableBuilder::new()
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .media_storage_sop_class_uid(uids::SECONDARY_CAPTURE_IMAGE_STORAGE)
        .media_storage_sop_instance_uid(instance);
    object.with_meta(meta).map_err(|e| Box::new(e).into())
}

/// Image pixel module and the identity window: without it "min to max" would stretch an image that is finished already.
fn put_pixels(object: &mut InMemDicomObject, rows: u16, columns: u16, samples: &Samples) {
    let (bits, vr, pixels) = match samples {
        Samples::Eight(grey) => {
            let mut bytes = grey.clone();
            // Values have an even length, PS3.5 7.1.1.
            bytes.resize(bytes.len().next_multiple_of(2), 0);
            (8u16, VR::OB, PrimitiveValue::U8(bytes.into()))
        }
        Samples::Sixteen(grey) => (16, VR::OW, PrimitiveValue::U16(grey.clone().into())),
    };
    let levels = 1u32 << bits;
    let mut put = |tag: Tag, vr: VR, value: PrimitiveValue| {
        object.put(DataElement::new(tag, vr, value));
    };
    for (tag, value) in [
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::ROWS, rows),
        (tags::COLUMNS, columns),
        (tags::BITS_ALLOCATED, bits),
        (tags::BITS_STORED, bits),
        (tags::HIGH_BIT, bits - 1),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        put(tag, VR::US, value.into());
    }
    put(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2".into());
    // LINEAR with centre 2ⁿ⁻¹ and width 2ⁿ maps 0..2ⁿ−1 onto 0..255 exactly, PS3.3 C.11.2.1.2.1.
    put(tags::WINDOW_CENTER, VR::DS, (levels / 2).to_string().into());
    put(tags::WINDOW_WIDTH, VR::DS, levels.to_string().into());
    put(tags::PIXEL_DATA, vr, pixels);
}

fn digest(image: &Plain) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((image.rows as u64).to_le_bytes());
    hash.update((image.columns as u64).to_le_bytes());
    match &image.samples {
        Samples::Eight(grey) => hash.update(grey),
        Samples::Sixteen(grey) => grey.iter().for_each(|g| hash.update(g.to_le_bytes())),
    }
    hash.finalize().into()
}

/// A UID under 2.25 from the first 128 bits of a digest, at most 44 characters.
fn uid(digest: &[u8; 32], role: &str) -> String {
    let hash: [u8; 32] = Sha256::new().chain_update(digest).chain_update(role).finalize().into();
    let mut first = [0; 16];
    first.copy_from_slice(&hash[..16]);
    format!("2.25.{}", u128::from_be_bytes(first))
}
