//! What a sender is told: of each object (PS3.18 annex I.2) in DICOM JSON, and of the whole request by its status. It decides
//! nothing about an object.

use serde_json::{Value, json};

use crate::dicom::Uid;
use crate::intake::Refusal;

/// Why an object was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It is no Part 10 object, or does not say what it is.
    NotDicom,
    /// Of a kind that is not taken.
    Class,
    /// In an encoding that is not taken.
    Syntax,
    /// Of another study than the address names.
    Study,
    /// More bytes than one object may have.
    TooLarge,
    /// The disk is full.
    DiskFull,
    /// Its identifiers contradict each other.
    Mismatch,
    /// Another reason, which the log has.
    Failed,
    /// The body ended, or could not be understood, before the object was whole.
    CutShort,
}

impl Failure {
    /// Each of them.
    pub const ALL: [Self; 9] = [
        Self::NotDicom,
        Self::Class,
        Self::Syntax,
        Self::Study,
        Self::TooLarge,
        Self::DiskFull,
        Self::Mismatch,
        Self::Failed,
        Self::CutShort,
    ];

    /// Failure Reason (0008,1197), PS3.18 table I.2-2, and what a technician reads.
    #[must_use]
    pub fn told(self) -> (u16, &'static str) {
        match self {
            Self::NotDicom => (0xC000, "it is not a whole DICOM file (PS3.10) of the media type application/dicom"),
            Self::Class => (0x0122, "this appliance does not take its SOP class"),
            Self::Syntax => (0xC122, "this appliance does not take its transfer syntax"),
            Self::Study => (0xC409, "it is not of the study that the address names"),
            Self::TooLarge => (0xA700, "it is larger than this appliance accepts"),
            Self::DiskFull => (0xA700, "the disk of the appliance is full; free space and send again"),
            Self::Mismatch => (0xA900, "the UIDs in its dataset contradict each other"),
            Self::Failed => (0x0110, "the appliance could not store it; its log has the reason"),
            Self::CutShort => (0xC001, "the request broke off before it was whole"),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TooLarge => Self::TooLarge,
            Refusal::DiskFull => Self::DiskFull,
            Refusal::Mismatch => Self::Mismatch,
            Refusal::Failed => Self::Failed,
        }
    }
}

/// What an object says that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) class: Uid,
    pub(super) instance: Uid,
}

/// What became of the objects of one request.
#[derive(Debug, Default)]
pub(super) struct Answer {
    stored: Vec<Object>,
    failed: Vec<(Object, Failure)>,
    /// Of objects that did not say what they are.
    nameless: Vec<Failure>,
}

impl Answer {
    pub(super) fn stored(&mut self, object: Object) {
        self.stored.push(object);
    }

    pub(super) fn failed(&mut self, object: Option<Object>, failure: Failure) {
        match object {
            Some(object) => self.failed.push((object, failure)),
            None => self.nameless.push(failure),
        }
    }

    /// Objects that were looked at.
    pub(super) fn len(&self) -> usize {
        self.stored.len() + self.failed.len() + self.nameless.len()
    }

    /// Whether anything was stored.
    pub(super) fn has_stored(&self) -> bool {
        !self.stored.is_empty()
    }

    /// Status of a request that was understood to its end (PS3.18 table 10.5.3-1).
    pub(super) fn status(&self) -> u16 {
        let mut failures = self.failed.iter().map(|(_, failure)| *failure).chain(self.nameless.iter().copied());
        match (self.has_stored(), failures.next()) {
            (true, None) => 200,
            (true, Some(_)) => 202,
            (false, None) => 400,
            // Nothing is wrong with the objects: the sender comes again.
            (false, Some(Failure::DiskFull)) if failures.all(|failure| failure == Failure::DiskFull) => 503,
            (false, Some(_)) => 409,
        }
    }

    /// The Store Instances Response Module (PS3.18 table I.2-1) in DICOM JSON. Retrieve URLs are empty: nothing is given back.
    pub(super) fn json(&self) -> Value {
        let mut module = json!({ "00081190": { "vr": "UR" } });
        let mut sequence = |tag: &str, items: Vec<Value>| {
            if !items.is_empty() {
                module[tag] = json!({ "vr": "SQ", "Value": items });
            }
        };
        let failed = self.failed.iter().map(|(object, failure)| {
            let mut item = object.json();
            item["00081197"] = reason(*failure);
            item
        });
        let stored = self.stored.iter().map(|object| {
            let mut item = object.json();
            item["00081190"] = json!({ "vr": "UR" });
            item
        });
        sequence("00081198", failed.collect());
        sequence("00081199", stored.collect());
        sequence("0008119A", self.nameless.iter().map(|failure| json!({ "00081197": reason(*failure) })).collect());
        module
    }
}

impl Object {
    fn json(&self) -> Value {
        json!({
            "00081150": { "vr": "UI", "Value": [self.class.as_str()] },
            "00081155": { "vr": "UI", "Value": [self.instance.as_str()] },
        })
    }
}

fn reason(failure: Failure) -> Value {
    json!({ "vr": "US", "Value": [failure.told().0] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(instance: &str) -> Object {
        Object { class: "1.2.840.10008.5.1.4.1.1.7".parse().unwrap(), instance: instance.parse().unwrap() }
    }

    #[test]
    fn the_status_says_what_became_of_all() {
        use Failure::{Class, DiskFull, NotDicom};
        for (stored, failures, status) in [
            (1, &[][..], 200),
            (1, &[Class], 202),
            (0, &[Class], 409),
            (0, &[DiskFull, DiskFull], 503),
            (0, &[DiskFull, NotDicom], 409),
            (0, &[NotDicom, DiskFull], 409),
            (1, &[DiskFull], 202),
            (0, &[], 400),
        ] {
            let mut answer = Answer::default();
            (0..stored).for_each(|_| answer.stored(object("2.25.1")));
            failures.iter().for_each(|failure| {
                answer.failed((*failure != NotDicom).then(|| object("2.25.2")), *failure);
            });
            assert_eq!((answer.status(), answer.len()), (status, stored + failures.len()), "{stored} {failures:?}");
        }
    }

    #[test]
    fn the_module_is_written_as_the_standard_has_it() {
        let mut answer = Answer::default();
        answer.stored(object("2.25.1"));
        answer.failed(Some(object("2.25.2")), Failure::Study);
        answer.failed(None, Failure::NotDicom);
        let class = json!({ "vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"] });
        assert_eq!(
            answer.json(),
            json!({
                "00081190": { "vr": "UR" },
                "00081198": { "vr": "SQ", "Value": [{
                    "00081150": class,
                    "00081155": { "vr": "UI", "Value": ["2.25.2"] },
                    "00081197": { "vr": "US", "Value": [50185] },
                }] },
                "00081199": { "vr": "SQ", "Value": [{
                    "00081150": class,
                    "00081155": { "vr": "UI", "Value": ["2.25.1"] },
                    "00081190": { "vr": "UR" },
                }] },
                "0008119A": { "vr": "SQ", "Value": [{ "00081197": { "vr": "US", "Value": [49152] } }] },
            })
        );
    }
}
