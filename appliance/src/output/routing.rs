//! Which destinations are given which objects of an image. Pure: the routes and what is known of the image in, deliveries out.

use outbox::Priority;

use super::config::{DestinationConfig, DicomObject, OutputConfig};
use super::record::{Finding, Record};

/// A kind of object, as the journal names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Object {
    /// A Structured Report.
    Report,
    /// A Secondary Capture.
    Capture,
    /// An HL7 v2 message.
    Hl7,
    /// A FHIR transaction.
    Fhir,
}

/// One object for one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The destination's name.
    pub destination: String,
    /// What it is given.
    pub object: Object,
    /// Who goes first.
    pub priority: Priority,
}

impl Object {
    /// Its word in the journal.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Report => "sr",
            Self::Capture => "sc",
            Self::Hl7 => "hl7",
            Self::Fhir => "fhir",
        }
    }

    /// From its word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        [Self::Report, Self::Capture, Self::Hl7, Self::Fhir].into_iter().find(|object| object.word() == word)
    }
}

/// What is owed of an image that came from `source`; each object once to each destination, at the most urgent of its routes.
/// Nothing is owed of an image that could not be filed: nobody would know whose it is.
#[must_use]
pub fn plan(config: &OutputConfig, source: &str, record: &Record) -> Vec<Planned> {
    let (finding, mut planned) = (record.finding(), Vec::<Planned>::new());
    if !record.can_be_filed() {
        return planned;
    }
    let theirs = |from: &[String]| from.is_empty() || from.iter().any(|title| title == source);
    for route in config.route.iter().filter(|route| route.finding.is(finding) && theirs(&route.from)) {
        let urgent = route.urgent.unwrap_or(finding == Finding::Positive);
        let priority = if urgent { Priority::Urgent } else { Priority::Live };
        for destination in
            config.destination.iter().filter(|destination| route.to.iter().any(|to| to == destination.name()))
        {
            for object in objects(destination, &route.objects, finding) {
                let same = |one: &&mut Planned| one.destination == destination.name() && one.object == object;
                if let Some(earlier) = planned.iter_mut().find(same) {
                    earlier.priority = earlier.priority.min(priority);
                } else {
                    planned.push(Planned { destination: destination.name().to_owned(), object, priority });
                }
            }
        }
    }
    planned
}

/// What such a destination can be given of such an image: what was not read has no capture.
fn objects(destination: &DestinationConfig, wanted: &[DicomObject], finding: Finding) -> Vec<Object> {
    let was_read = matches!(finding, Finding::Positive | Finding::Negative);
    match destination {
        DestinationConfig::Hl7(_) => vec![Object::Hl7],
        DestinationConfig::Fhir(_) => vec![Object::Fhir],
        DestinationConfig::Dicom(_) => {
            let objects = wanted.iter().map(|object| match object {
                DicomObject::Sr => Object::Report,
                DicomObject::Sc => Object::Capture,
            });
            objects.filter(|object| was_read || *object != Object::Capture).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use reader::pixels::Identity;
    use wire::v1::result::{OutcomeV1, ReasonV1};

    use super::super::record::tests::record;
    use super::*;

    const CONFIG: &str = r#"
        [[destination]]
        name = "pacs"
        kind = "dicom"
        address = "ARCHIVE@10.0.0.5:104"
        [[destination]]
        name = "ris"
        kind = "hl7"
        address = "10.0.0.6:2575"
        [[route]]
        from = ["XR-1"]
        finding = "positive"
        to = ["pacs", "ris"]
        [[route]]
        to = ["pacs"]
        objects = ["sr"]
        urgent = false
        [[route]]
        finding = "unreadable"
        to = ["ris"]
        urgent = true
    "#;

    fn planned(source: &str, record: &Record) -> Vec<(String, &'static str, Priority)> {
        let plan = plan(&toml::from_str(CONFIG).unwrap(), source, record);
        plan.into_iter().map(|one| (one.destination, one.object.word(), one.priority)).collect()
    }

    #[test]
    fn routes_add_up_and_the_most_urgent_wins() {
        let positive = record();
        let expected =
            [("pacs", "sr", Priority::Urgent), ("pacs", "sc", Priority::Urgent), ("ris", "hl7", Priority::Urgent)];
        assert_eq!(
            planned("XR-1", &positive),
            expected.map(|(to, object, priority)| (to.to_owned(), object, priority))
        );
        assert_eq!(planned("XR-2", &positive), [("pacs".to_owned(), "sr", Priority::Live)]);
    }

    #[test]
    fn what_was_not_read_has_no_capture_and_what_nobody_knows_goes_nowhere() {
        let reason = ReasonV1 { code: "malformed".into(), words: "Damaged.".into() };
        let unreadable = Record { outcome: OutcomeV1::Unreadable { reason }, ..record() };
        let expected = [("pacs".to_owned(), "sr", Priority::Live), ("ris".to_owned(), "hl7", Priority::Urgent)];
        assert_eq!(planned("XR-1", &unreadable), expected);
        let nobody = Record { identity: Identity::default(), ..unreadable };
        assert_eq!(planned("XR-1", &nobody), []);
    }

    #[test]
    fn words_of_objects_come_back() {
        for object in [Object::Report, Object::Capture, Object::Hl7, Object::Fhir] {
            assert_eq!(Object::of(object.word()), Some(object));
        }
        assert_eq!(Object::of("pdf"), None);
    }
}
