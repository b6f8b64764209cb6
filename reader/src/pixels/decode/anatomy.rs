//! What DX objects must say in codes where others say it in words: the anatomic region and the view. It reads the first
//! item of each sequence and knows the few codes that the gate decides by.

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, InMemDicomObject};

/// Chest, thoracic structure, chest cavity and lung in SNOMED CT and, where they have one, in SRT: PS3.16 CID 4009 and 4031.
const CHEST: [&str; 6] = ["816094009", "51185008", "T-D3000", "43799004", "39607008", "T-28000"];

/// View Code Sequence, PS3.16 CID 4010, as View Position's defined terms: SNOMED CT, then SRT.
const VIEWS: [(&str, &str); 11] = [
    ("272479007", "PA"),
    ("R-10214", "PA"),
    ("R-40888", "PA"),
    ("399348003", "AP"),
    ("R-10206", "AP"),
    ("399173006", "LL"),
    ("R-10236", "LL"),
    ("399198007", "RL"),
    ("R-10232", "RL"),
    ("399067008", "LATERAL"),
    ("R-102CD", "LATERAL"),
];

/// `CHEST` where the code says so, `OTHER` where it names any other region; `None` where there is no code.
pub(super) fn region(object: &DefaultDicomObject) -> Option<String> {
    let code = first_code(object, tags::ANATOMIC_REGION_SEQUENCE)?;
    Some(if CHEST.contains(&code.as_str()) { "CHEST" } else { "OTHER" }.to_owned())
}

/// The view where its code is known; a code that is not leaves the word to View Position.
pub(super) fn view(object: &DefaultDicomObject) -> Option<String> {
    let code = first_code(object, tags::VIEW_CODE_SEQUENCE)?;
    VIEWS.iter().find(|(known, _)| *known == code).map(|(_, view)| (*view).to_owned())
}

fn first_code(object: &DefaultDicomObject, sequence: Tag) -> Option<String> {
    let item: &InMemDicomObject = object.element_opt(sequence).ok().flatten()?.items()?.first()?;
    let code = item.element_opt(tags::CODE_VALUE).ok().flatten()?.to_str().ok()?;
    let code = code.trim_matches([' ', '\0']);
    (!code.is_empty()).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dicom_core::value::DataSetSequence;
    use dicom_core::{DataElement, PrimitiveValue, VR};
    use dicom_dictionary_std::uids;
    use dicom_object::meta::FileMetaTableBuilder;

    fn coded(sequence: Tag, code: &str) -> DefaultDicomObject {
        let value = DataElement::new(tags::CODE_VALUE, VR::SH, PrimitiveValue::from(code));
        let items = DataSetSequence::from(vec![InMemDicomObject::from_element_iter([value])]);
        let object = InMemDicomObject::from_element_iter([
            DataElement::new(
                tags::SOP_CLASS_UID,
                VR::UI,
                PrimitiveValue::from(uids::COMPUTED_RADIOGRAPHY_IMAGE_STORAGE),
            ),
            DataElement::new(tags::SOP_INSTANCE_UID, VR::UI, PrimitiveValue::from("2.25.42")),
            DataElement::new(sequence, VR::SQ, items),
        ]);
        object.with_meta(FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)).unwrap()
    }

    #[test]
    fn a_view_is_known_by_its_code() {
        for (code, known) in VIEWS {
            assert_eq!(view(&coded(tags::VIEW_CODE_SEQUENCE, code)).as_deref(), Some(known));
        }
        assert_eq!(view(&coded(tags::VIEW_CODE_SEQUENCE, "399012000")), None);
    }

    #[test]
    fn a_region_is_the_chest_or_another() {
        for (code, known) in
            [("816094009", Some("CHEST")), ("T-D3000 ", Some("CHEST")), ("29836001", Some("OTHER")), ("", None)]
        {
            assert_eq!(region(&coded(tags::ANATOMIC_REGION_SEQUENCE, code)).as_deref(), known, "{code}");
        }
        assert_eq!(region(&coded(tags::VIEW_CODE_SEQUENCE, "816094009")), None);
    }
}
