//! The attributes that a report and a capture have in common: whose it is, which study it belongs to, who made it (PS3.3
//! C.7.1.1, C.7.2.1, C.7.5.1, C.12.1), and the series that it is alone in. They repeat the image's own, so that an archive files them beside it.

use dicom_core::value::{DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_encoding::TransferSyntaxIndex;
use dicom_object::InMemDicomObject;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

use super::record::Record;
use super::uids::Kind;

/// The maker of every object that is made here, Manufacturer (0008,0070).
pub const MANUFACTURER: &str = "Hilum";
/// Manufacturer's Model Name (0008,1090).
pub const MODEL_NAME: &str = "Hilum appliance";
/// A series of our own within the image's study.
#[derive(Clone, Copy)]
pub(super) struct Series {
    /// Modality (0008,0060).
    pub(super) modality: &'static str,
    /// Series Number (0020,0011).
    pub(super) number: &'static str,
    /// What its identifier is made for.
    pub(super) kind: Kind,
}

/// An object for an archive.
#[derive(Clone)]
pub struct Made {
    /// SOP Class UID.
    pub class: &'static str,
    /// SOP Instance UID.
    pub instance: String,
    object: InMemDicomObject,
}

/// Why an object was not made.
#[derive(Debug, thiserror::Error)]
#[error("an object could not be encoded; report this with the software's version")]
pub struct EncodeError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl EncodeError {
    pub(super) fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// An element of text.
pub(super) fn text(tag: Tag, vr: VR, value: impl Into<String>) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, vr, PrimitiveValue::from(value.into()))
}

/// An element of type 2: there even where nothing is known.
pub(super) fn known(tag: Tag, vr: VR, value: Option<&str>) -> DataElement<InMemDicomObject> {
    value.map_or_else(|| DataElement::new(tag, vr, PrimitiveValue::Empty), |value| text(tag, vr, value))
}

/// A sequence.
pub(super) fn sequence(tag: Tag, items: Vec<InMemDicomObject>) -> DataElement<InMemDicomObject> {
    DataElement::new(tag, VR::SQ, DataSetSequence::from(items))
}

/// What both kinds of object share.
pub(super) fn begin(record: &Record, class: &'static str, instance: &str) -> InMemDicomObject {
    let identity = &record.identity;
    let (date, time) = record.moment.date_and_time();
    let mut object = InMemDicomObject::from_element_iter([
        text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192"),
        text(tags::SOP_CLASS_UID, VR::UI, class),
        text(tags::SOP_INSTANCE_UID, VR::UI, instance),
        text(tags::INSTANCE_CREATION_DATE, VR::DA, date),
        text(tags::INSTANCE_CREATION_TIME, VR::TM, time),
        known(tags::PATIENT_NAME, VR::PN, identity.patient_name.as_deref()),
        known(tags::PATIENT_ID, VR::LO, identity.patient_id.as_deref()),
        known(tags::PATIENT_BIRTH_DATE, VR::DA, identity.birth_date.as_deref()),
        known(tags::PATIENT_SEX, VR::CS, identity.sex.as_deref()),
        known(tags::STUDY_INSTANCE_UID, VR::UI, identity.study_instance_uid.as_deref()),
        known(tags::STUDY_DATE, VR::DA, identity.study_date.as_deref()),
        known(tags::STUDY_TIME, VR::TM, identity.study_time.as_deref()),
        known(tags::STUDY_ID, VR::SH, identity.study_id.as_deref()),
        known(tags::ACCESSION_NUMBER, VR::SH, identity.accession_number.as_deref()),
        known(tags::REFERRING_PHYSICIAN_NAME, VR::PN, identity.referring_physician.as_deref()),
        text(tags::MANUFACTURER, VR::LO, MANUFACTURER),
        text(tags::MANUFACTURER_MODEL_NAME, VR::LO, MODEL_NAME),
        text(tags::DEVICE_SERIAL_NUMBER, VR::LO, record.origin.device.as_str()),
        text(tags::SOFTWARE_VERSIONS, VR::LO, record.origin.version.as_str()),
    ]);
    // Type 3: left out where the image has none.
    for (tag, vr, value) in [
        (tags::ISSUER_OF_PATIENT_ID, VR::LO, &identity.patient_id_issuer),
        (tags::STUDY_DESCRIPTION, VR::LO, &identity.study_description),
        // Said only where the image says it, since it would change what the image's own dates and times mean.
        (tags::TIMEZONE_OFFSET_FROM_UTC, VR::SH, &identity.utc_offset),
    ] {
        if let Some(value) = value {
            object.put(text(tag, vr, value.as_str()));
        }
    }
    object
}

/// The series and the place in it of an object that is the only one there (PS3.3 C.7.3.1, C.17.1 and C.17.2, C.7.6.1).
pub(super) fn put_series(record: &Record, series: Series, object: &mut InMemDicomObject) {
    let ((date, time), uid) = (record.moment.date_and_time(), record.uid(series.kind));
    for (tag, vr, value) in [
        (tags::MODALITY, VR::CS, series.modality),
        (tags::SERIES_INSTANCE_UID, VR::UI, uid.as_str()),
        (tags::SERIES_NUMBER, VR::IS, series.number),
        (tags::SERIES_DESCRIPTION, VR::LO, "Hilum: not for diagnosis"),
        (tags::INSTANCE_NUMBER, VR::IS, "1"),
        (tags::CONTENT_DATE, VR::DA, date.as_str()),
        (tags::CONTENT_TIME, VR::TM, time.as_str()),
    ] {
        object.put(text(tag, vr, value));
    }
}

/// An item that refers to the image that was read.
pub(super) fn source_image(record: &Record) -> InMemDicomObject {
    InMemDicomObject::from_element_iter([
        known(tags::REFERENCED_SOP_CLASS_UID, VR::UI, record.facts.sop_class.as_deref()),
        text(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, record.sop_instance.as_str()),
    ])
}

impl Made {
    pub(super) fn new(class: &'static str, instance: String, object: InMemDicomObject) -> Self {
        Self { class, instance, object }
    }

    /// The dataset without file meta group, in an uncompressed little-endian transfer syntax.
    ///
    /// # Errors
    /// [`EncodeError`] if the toolkit refuses an attribute, which a test excludes.
    pub fn dataset(&self, transfer_syntax: &str) -> Result<Vec<u8>, EncodeError> {
        let syntax = TransferSyntaxRegistry.get(transfer_syntax);
        let syntax = syntax.ok_or_else(|| EncodeError::new("no such transfer syntax"))?;
        let mut dataset = Vec::new();
        // The writer takes up the character set from the dataset's own first element.
        self.object.write_dataset_with_ts(&mut dataset, syntax).map_err(EncodeError::new)?;
        Ok(dataset)
    }
}
