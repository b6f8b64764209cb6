//! Associations, command sets, datasets and whole objects.

use appliance::dicom::Uid;
use appliance::dicom::acceptance::APPLICATION_CONTEXT;
use appliance::dicom::commitment::{Ask, PUSH_MODEL, Reference, Report};
use appliance::dicom::dimse::{Request, action_request, event_report_request, store_request};
use appliance::dicom::syntax::{EXPLICIT_LE, IMPLICIT_LE, TRANSFER_SYNTAXES, VERIFICATION};
use appliance::spool::part10::FileMeta;
use dicom_object::DefaultDicomObject;
use dicom_ul::Pdu;
use dicom_ul::pdu::{
    AbortRQServiceProviderReason, AbortRQSource, AssociationAC, AssociationRJ, AssociationRJResult,
    AssociationRJServiceUserReason, AssociationRJSource, AssociationRQ, PDataValue, PDataValueType,
    PresentationContextProposed, PresentationContextResult, PresentationContextResultReason, RequestorRoles,
    UserVariableItem, write_pdu,
};
use reader::pixels::plain::{Plain, Samples};
use reader::pixels::wrap::{WrapFacts, to_dicom};

use super::{Seeds, viewed};

const CLASS: &str = "1.2.840.10008.5.1.4.1.1.1";

fn written(pdus: &[Pdu]) -> Vec<u8> {
    let mut bytes = Vec::new();
    pdus.iter().for_each(|pdu| write_pdu(&mut bytes, pdu).unwrap());
    bytes
}

fn fragment(value_type: PDataValueType, data: Vec<u8>) -> Pdu {
    Pdu::PData { data: vec![PDataValue { presentation_context_id: 1, value_type, is_last: true, data }] }
}

fn request() -> AssociationRQ {
    let context = |id, class: &str, syntaxes: &[&str]| PresentationContextProposed {
        id,
        abstract_syntax: class.to_owned(),
        transfer_syntaxes: syntaxes.iter().map(|uid| (*uid).to_owned()).collect(),
    };
    AssociationRQ {
        protocol_version: 1,
        calling_ae_title: "XR".into(),
        called_ae_title: "HILUM".into(),
        application_context_name: APPLICATION_CONTEXT.into(),
        presentation_contexts: vec![
            context(1, CLASS, &TRANSFER_SYNTAXES),
            context(3, VERIFICATION, &[IMPLICIT_LE]),
            context(5, PUSH_MODEL, &[EXPLICIT_LE]),
            context(7, "1.2.840.10008.5.1.4.1.1.2", &[EXPLICIT_LE]),
        ],
        user_variables: vec![
            UserVariableItem::MaxLength(16_384),
            UserVariableItem::ImplementationClassUID("2.25.1".into()),
            UserVariableItem::ImplementationVersionName("XR_1".into()),
            UserVariableItem::ScuScpRoleSelectionSubItem(PUSH_MODEL.into(), RequestorRoles { scu: true, scp: true }),
            UserVariableItem::Unknown(0x53, vec![0, 4, 0, 4]),
        ],
    }
}

pub(crate) fn pdu() -> Seeds {
    let ours = AssociationAC {
        protocol_version: 1,
        calling_ae_title: "XR".into(),
        called_ae_title: "HILUM".into(),
        application_context_name: APPLICATION_CONTEXT.into(),
        presentation_contexts: vec![PresentationContextResult {
            id: 1,
            reason: PresentationContextResultReason::Acceptance,
            transfer_syntax: IMPLICIT_LE.into(),
        }],
        user_variables: vec![UserVariableItem::MaxLength(16_384)],
    };
    let command = store_request(1, &CLASS.parse().unwrap(), &"2.25.42".parse().unwrap());
    let no = AssociationRJ {
        result: AssociationRJResult::Permanent,
        source: AssociationRJSource::ServiceUser(AssociationRJServiceUserReason::CallingAETitleNotRecognized),
    };
    let abort = AbortRQSource::ServiceProvider(AbortRQServiceProviderReason::UnexpectedPdu);
    vec![
        ("request", written(&[Pdu::AssociationRQ(request())])),
        ("acceptance", written(&[Pdu::AssociationAC(ours)])),
        ("rejection", written(&[Pdu::AssociationRJ(no)])),
        ("abort", written(&[Pdu::AbortRQ { source: abort }])),
        (
            "association",
            written(&[
                Pdu::AssociationRQ(request()),
                fragment(PDataValueType::Command, command),
                fragment(PDataValueType::Data, b"\x08\0\x16\0UI\x02\x001.".to_vec()),
                Pdu::ReleaseRQ,
                Pdu::ReleaseRP,
            ]),
        ),
        ("http", b"GET / HTTP/1.1\r\nHost: hilum\r\n\r\n".to_vec()),
        ("four_gigabytes", vec![4, 0, 0xff, 0xff, 0xff, 0xff]),
    ]
}

pub(crate) fn dataset() -> Seeds {
    let uid = |text: &str| text.parse::<Uid>().unwrap();
    let (class, model, instance) = (uid(CLASS), uid(PUSH_MODEL), uid("2.25.42"));
    let one = || Reference { class: class.clone(), instance: instance.clone() };
    let ask = Ask { transaction: uid("2.25.7"), references: vec![one(), one()] };
    let report = Report { transaction: uid("2.25.7"), committed: vec![one()], failed: vec![(one(), 0x0112)] };
    let store = store_request(7, &class, &instance);
    let response = Request::parse(&store).unwrap().response(0, "");
    let meta = FileMeta { sop_class: CLASS, sop_instance: "2.25.42", transfer_syntax: EXPLICIT_LE, source: "XR" };
    let head =
        b"\x08\0\x16\0UI\x1a\x001.2.840.10008.5.1.4.1.1.1\0\x08\0\x18\0UI\x08\x002.25.42\0\x20\0\x0d\0UI\x06\x002.25.4";
    let part10 = [&meta.encode()[..], head].concat();
    vec![
        ("store", viewed(0, store)),
        ("response", viewed(0, response)),
        ("action", viewed(0, action_request(3, &model, &instance, 1))),
        ("event_report", viewed(0, event_report_request(3, &model, &instance, 2))),
        ("ask_explicit", viewed(1, ask.encode(EXPLICIT_LE))),
        ("ask_implicit", viewed(2, ask.encode(IMPLICIT_LE))),
        ("report_explicit", viewed(1, report.encode(EXPLICIT_LE))),
        ("report_implicit", viewed(2, report.encode(IMPLICIT_LE))),
        ("stated", viewed(3, viewed(0, head))),
        ("meta", viewed(4, &part10[132..])),
        ("file", viewed(4, &part10)),
        ("uid", viewed(5, "1.2.840.10008.1.1")),
        ("path", viewed(5, "../../etc/passwd")),
    ]
}

fn film() -> DefaultDicomObject {
    let facts = WrapFacts {
        patient_id: Some("4711".into()),
        body_part: Some("CHEST".into()),
        view: Some("PA".into()),
        age: Some("004Y".into()),
        sex: Some("F".into()),
    };
    to_dicom(&Plain { rows: 8, columns: 8, samples: Samples::Sixteen((0..64).collect()) }, &facts).unwrap()
}

/// A film with look-up tables.
pub(crate) fn film_with_tables() -> Vec<u8> {
    let mut bytes = Vec::new();
    film().write_all(&mut bytes).unwrap();
    let dataset = 144 + u32::from_le_bytes([bytes[140], bytes[141], bytes[142], bytes[143]]) as usize;
    bytes.splice(dataset..dataset, LUTS.iter().copied());
    bytes
}

/// In the target's own form: the attribute's and the representation's number, a length, a value.
pub(crate) fn attributes() -> Seeds {
    let one =
        |which: u8, representation: u8, value: &[u8]| [&[which, representation, value.len() as u8], value].concat();
    let (us, ul, ds, cs, pn) = (0, 2, 4, 6, 8);
    vec![
        ("window", [one(35, ds, b"32768"), one(36, ds, b"65536"), one(39, cs, b"SIGMOID")].concat()),
        ("name", [one(0, cs, b"ISO 2022 IR 87"), one(10, pn, b"Yamada^Tarou=\x1b$B;3ED\x1b(B")].concat()),
        ("high_bit_without_successor", one(31, ul, &[0xff; 4])),
        ("monochrome1", [one(22, cs, b"MONOCHROME1"), one(33, us, &[0, 0])].concat()),
        ("age", [one(14, 11, b"004Y"), one(12, 9, b"20200229"), one(3, 9, b"20240301")].concat()),
        ("spacing", one(27, ds, b"0.2\\0.1")),
        ("modality_lut", one(44, 0, &[4, 0, 0, 0, 16, 0, 0, 0, 1, 0, 2, 0, 3, 0])),
        ("voi_lut", one(45, 0, &[4, 0, 0, 0, 8, 0, 0, 0, 1, 0, 2, 0, 3, 0])),
        ("view_code", one(47, 7, b"272479007")),
    ]
}

/// Modality LUT Sequence and VOI LUT Sequence of four entries each, Explicit VR.
const LUTS: &[u8] = b"\x28\0\x00\x30SQ\0\0\x32\0\0\0\xfe\xff\0\xe0\x2a\0\0\0\x28\0\x02\x30US\x06\0\x04\0\0\0\x10\0\
    \x28\0\x06\x30OW\0\0\x08\0\0\0\0\0\x01\0\x02\0\x03\0\x28\0\x04\x30LO\0\0\
    \x28\0\x10\x30SQ\0\0\x2a\0\0\0\xfe\xff\0\xe0\x22\0\0\0\x28\0\x02\x30US\x06\0\x04\0\0\0\x08\0\
    \x28\0\x06\x30OW\0\0\x08\0\0\0\0\0\x01\0\x02\0\x03\0";
