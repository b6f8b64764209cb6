//! The reading as an HL7 v2.5 message ORU^R01 (HL7 v2.5 chapter 7), and its receiver's answer. Pure: a record in, text out.

pub mod ack;
pub mod mllp;
mod segment;

use sha2::{Digest, Sha256};
use wire::v1::result::{OutcomeV1, ReadV1};

use super::config::Hl7Destination;
use super::record::Record;
use super::sr::Code;
use super::uids::Kind;
use super::words::{self, DISCLAIMER, NOT_EXCLUDED};
use segment::{Segment, component, escaped};

/// A message with the number that its answer names.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// MSH-10, Message Control ID: follows from the record and the receiver, so that a message sent again is the same one.
    pub control_id: String,
    /// Segments, each ended by a carriage return.
    pub text: String,
}

/// The message about a record that [`Record::can_be_filed`], for one receiver.
#[must_use]
pub fn message(record: &Record, receiver: &Hl7Destination) -> Message {
    let control_id = control_id(record, receiver);
    let mut segments = vec![header(record, receiver, &control_id), patient(record), request(record)];
    segments.extend(observations(record));
    let text = segments.iter().map(Segment::text).collect();
    Message { control_id, text }
}

/// 20 characters, which is all that MSH-10 holds: 80 bits of the report's identifier and the receiver's name.
fn control_id(record: &Record, receiver: &Hl7Destination) -> String {
    let digest = Sha256::digest(format!("{}\n{}", record.uid(Kind::Report), receiver.name));
    hex::encode(&digest[..10])
}

/// MSH, 2.15.9.
fn header(record: &Record, receiver: &Hl7Destination, control_id: &str) -> Segment {
    Segment::new("MSH")
        .with(3, "HILUM")
        .with(4, escaped(&record.origin.site))
        .with(5, escaped(&receiver.receiving_application))
        .with(6, escaped(&receiver.receiving_facility))
        .with(7, timestamp(record))
        .with(9, "ORU^R01^ORU_R01")
        .with(10, control_id)
        .with(11, "P")
        .with(12, "2.5")
        .with(18, "UNICODE UTF-8")
}

/// PID, 3.4.2.
fn patient(record: &Record) -> Segment {
    let identity = &record.identity;
    let of = |text: &Option<String>| escaped(text.as_deref().unwrap_or_default());
    let id = match &identity.patient_id {
        Some(id) => format!("{}^^^{}", escaped(id), of(&identity.patient_id_issuer)),
        None => String::new(),
    };
    Segment::new("PID")
        .with(1, "1")
        .with(3, id.trim_end_matches('^'))
        .with(5, patient_name(identity.patient_name.as_deref()))
        .with(7, of(&identity.birth_date))
        .with(8, of(&identity.sex))
}

/// OBR, 7.4.1: the study by its accession number, a preliminary result.
fn request(record: &Record) -> Segment {
    let identity = &record.identity;
    let study = match (&identity.study_date, &identity.study_time) {
        (Some(date), time) => date.clone() + time.as_deref().unwrap_or_default(),
        (None, _) => String::new(),
    };
    Segment::new("OBR")
        .with(1, "1")
        .with(2, escaped(identity.accession_number.as_deref().unwrap_or_default()))
        .with(3, format!("{}^HILUM", control_number(record)))
        .with(4, coded(record.procedure()))
        .with(7, study)
        .with(16, component(&person(identity.referring_physician.as_deref())))
        .with(22, timestamp(record))
        .with(25, "P")
}

/// OBX, 7.4.2, one for each thing that is said.
fn observations(record: &Record) -> Vec<Segment> {
    let study = record.identity.study_instance_uid.clone().unwrap_or_default();
    // PS3.16 annex D: DICOM Study, by which a viewer opens it.
    let mut told = vec![("ST", "113014^DICOM Study^DCM".to_owned(), escaped(&study), None)];
    let comment = |words: &str| ("TX", "121106^Comment^DCM".to_owned(), escaped(words), None);
    let presence = |code, flag| ("CWE", coded(Code::PNEUMONIA), coded(code), flag);
    match &record.outcome {
        OutcomeV1::Read(read) => {
            // Table 0078 has `N` for normal, which no algorithm can say: a negative bears no flag.
            told.push(if read.positive {
                presence(Code::PRESENT, Some("A"))
            } else {
                presence(Code::NOT_DETECTED, None)
            });
            told.push(("NM", coded(Code::PROBABILITY), format!("{:.6}", read.probability), None));
            if !read.positive {
                told.push(comment(NOT_EXCLUDED));
            }
            told.push(comment(&model(read)));
        }
        OutcomeV1::Abstained { reason } | OutcomeV1::Unreadable { reason } => {
            told.push(presence(Code::UNDETERMINED, None));
            told.push(comment(&words::not_read(reason)));
        }
    }
    told.extend(record.caveats.iter().map(|caveat| comment(&caveat.words)));
    told.push(comment(DISCLAIMER));
    let segment = |(place, (kind, name, value, flag)): (usize, (&str, String, String, Option<&str>))| {
        let unit = if kind == "NM" { "{0:1}^range: 0:1^UCUM" } else { "" };
        Segment::new("OBX")
            .with(1, (place + 1).to_string())
            .with(2, kind)
            .with(3, name)
            // Repeated identifiers are told apart by their sub-id.
            .with(4, (place + 1).to_string())
            .with(5, value)
            .with(6, unit)
            .with(8, flag.unwrap_or_default())
            .with(11, "P")
            .with(14, timestamp(record))
    };
    told.into_iter().enumerate().map(segment).collect()
}

fn model(read: &ReadV1) -> String {
    let (model, point) = (&read.model, &read.model.operating_point);
    format!(
        "Read by {} {} (SHA-256 {}) at the operating point {}, positive from {}.",
        model.id, model.version, model.digest, point.name, point.threshold
    )
}

/// A filler's number of at most 20 characters, from the report's identifier alone.
fn control_number(record: &Record) -> String {
    hex::encode(&Sha256::digest(record.uid(Kind::Report))[..10])
}

/// TS, 2.A.77, with the distance from UTC.
fn timestamp(record: &Record) -> String {
    let (date, time) = record.moment.date_and_time();
    date + &time + &record.moment.offset()
}

fn coded(Code(value, scheme, meaning): Code) -> String {
    format!("{}^{}^{scheme}", escaped(value), escaped(meaning))
}

/// A Person Name of DICOM (family, given, middle, prefix, suffix) as XPN of HL7 (family, given, middle, suffix, prefix). Where
/// it is written in several ways, each is a repetition with its Name Representation Code (XPN-8, table 0465).
fn patient_name(name: Option<&str>) -> String {
    let groups: Vec<&str> = name.unwrap_or_default().split('=').collect();
    if groups.len() < 2 {
        return person(name);
    }
    let told = groups.into_iter().zip(["A", "I", "P"]).filter(|(group, _)| !group.is_empty());
    let repetitions = told.map(|(group, code)| {
        let mut parts: Vec<String> = person(Some(group)).split('^').map(str::to_owned).collect();
        parts.resize(7, String::new());
        parts.push(code.to_owned());
        parts.join("^")
    });
    repetitions.collect::<Vec<_>>().join("~")
}

/// A name's five parts in HL7's order; of several ways to write it the first there is.
fn person(name: Option<&str>) -> String {
    let group = name.unwrap_or_default().split('=').find(|group| !group.is_empty()).unwrap_or_default();
    let mut parts: Vec<String> = group.split('^').map(escaped).collect();
    parts.resize(5, String::new());
    parts.swap(3, 4);
    parts.join("^").trim_end_matches('^').to_owned()
}

#[cfg(test)]
mod tests;
