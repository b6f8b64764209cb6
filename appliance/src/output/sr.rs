//! The reading as a Structured Report: Comprehensive SR (PS3.3 A.35.3) with template TID 1500 "Measurement Report" (PS3.16).
//!
//! Comprehensive SR rather than Enhanced SR: TID 1500 fits in both, and of the two it is the one that archives and viewers
//! list for measurements. An image that was not read gets a report, too, which says so in words and holds no measurement.

mod codes;
mod content;
mod tree;

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::modules::{Made, Series, begin, put_series, sequence, source_image, text};
use super::record::Record;
use super::uids::Kind;
pub(crate) use codes::Code;

/// Its number is far from a modality's own.
const SERIES: Series = Series { modality: "SR", number: "9001", kind: Kind::ReportSeries };

/// The report of a record that [`Record::can_be_filed`].
#[must_use]
pub fn report(record: &Record) -> Made {
    let instance = record.uid(Kind::Report);
    let mut object = begin(record, uids::COMPREHENSIVE_SR_STORAGE, &instance);
    put_series(record, SERIES, &mut object);
    document(record, &mut object);
    content::root(record).put_into(&mut object);
    Made::new(uids::COMPREHENSIVE_SR_STORAGE, instance, object)
}

/// SR Document General, PS3.3 C.17.2.
fn document(record: &Record, object: &mut InMemDicomObject) {
    for (tag, vr, value) in [
        // All that there is to say was said; nobody has verified it.
        (tags::COMPLETION_FLAG, VR::CS, "COMPLETE"),
        (tags::VERIFICATION_FLAG, VR::CS, "UNVERIFIED"),
        (tags::PRELIMINARY_FLAG, VR::CS, "PRELIMINARY"),
    ] {
        object.put(text(tag, vr, value));
    }
    for tag in [tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, tags::PERFORMED_PROCEDURE_CODE_SEQUENCE] {
        object.put(sequence(tag, Vec::new()));
    }
    object.put(sequence(tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, vec![evidence(record)]));
}

/// Every object that the content refers to, by study and series (PS3.3 table 10-4).
fn evidence(record: &Record) -> InMemDicomObject {
    let identity = &record.identity;
    let series = InMemDicomObject::from_element_iter([
        text(tags::SERIES_INSTANCE_UID, VR::UI, identity.series_instance_uid.clone().unwrap_or_default()),
        sequence(tags::REFERENCED_SOP_SEQUENCE, vec![source_image(record)]),
    ]);
    InMemDicomObject::from_element_iter([
        text(tags::STUDY_INSTANCE_UID, VR::UI, identity.study_instance_uid.clone().unwrap_or_default()),
        sequence(tags::REFERENCED_SERIES_SEQUENCE, vec![series]),
    ])
}
