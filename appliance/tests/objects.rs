//! The objects that go back to the hospital, held against other people's tools: dicom3tools' dciodvfy, dcmtk's dsrdump, and
//! highdicom on pydicom, which reads the measurement back.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states its expectations")]

#[path = "objects/character_sets.rs"]
mod character_sets;

use std::path::{Path, PathBuf};
use std::process::Command;

use appliance::output::config::Hl7Destination;
use appliance::output::modules::Made;
use appliance::output::record::{Moment, Origin, Picture};
use appliance::output::{Record, capture, fhir, hl7, sr};
use appliance::spool::FileMeta;
use reader::pixels::preview::PreviewVoi;
use reader::pixels::{Identity, ImageFacts, Preview};
use reader::saliency::Saliency;
use wire::v1::result::{ModelV1, OperatingPointV1, OutcomeV1, ReadV1, ReasonV1};

const EXPLICIT_LE: &str = "1.2.840.10008.1.2.1";
const IMPLICIT_LE: &str = "1.2.840.10008.1.2";

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// A child with a name that needs more than ASCII.
fn identity() -> Identity {
    Identity {
        patient_id: some("4711"),
        patient_id_issuer: some("ST-MARY"),
        patient_name: some("Yamada^Tarou=\u{5c71}\u{7530}^\u{592a}\u{90ce}"),
        birth_date: some("20200229"),
        sex: some("M"),
        study_instance_uid: some("2.25.100"),
        study_date: some("20240301"),
        study_time: some("073059"),
        study_id: some("7"),
        study_description: some("Thorax \u{e0} deux plans"),
        accession_number: some("A-17"),
        referring_physician: some("M\u{fc}ller^J\u{f6}rg"),
        series_instance_uid: some("2.25.101"),
        sop_instance_uid: some("2.25.102"),
        utc_offset: some("+0100"),
    }
}

fn read() -> ReadV1 {
    let operating_point = OperatingPointV1 {
        name: "default".into(),
        threshold: 0.412,
        sensitivity: 0.95,
        specificity: 0.9,
        measured_on: "test films".into(),
    };
    let model = ModelV1 {
        id: "pneumonia-cxr".into(),
        version: "1.2.0".into(),
        title: "Pneumonia on children's chest films".into(),
        digest: "cd".repeat(32),
        slope: 0.75,
        intercept: -0.5,
        operating_point,
    };
    ReadV1 { model, logit: 3.25, probability: 0.873_615_294, positive: true, provider: "CPU".into() }
}

fn picture() -> Picture {
    let preview = Preview {
        rows: 300,
        columns: 401,
        samples: (0..300 * 401_u32).flat_map(|n| ((n % 401 * 10) as u16).to_le_bytes()).collect(),
        offset: 0,
        invert: false,
        voi: PreviewVoi::Linear { center: 2000.0, width: 4000.0 },
    };
    let saliency = Saliency { rows: 14, columns: 14, values: (0..196).map(|n| n as u8).collect() };
    Picture { preview, saliency }
}

fn record(outcome: OutcomeV1) -> Record {
    Record {
        origin: Origin { device: "demo-1".into(), site: "St Mary".into(), version: "0.1.0".into() },
        identity: identity(),
        facts: ImageFacts {
            sop_class: some("1.2.840.10008.5.1.4.1.1.1"),
            modality: some("CR"),
            rows: Some(2048),
            columns: Some(2500),
            ..ImageFacts::default()
        },
        sop_instance: "2.25.102".into(),
        digest: "ab".repeat(32),
        moment: Moment { unix_ms: 1_709_281_845_678, offset_minutes: 60 },
        outcome,
        caveats: vec![ReasonV1 {
            code: "view_unknown".into(),
            words: "The header does not say that this is a frontal view; it was read as one.".into(),
        }],
        picture: Some(picture()),
    }
}

fn reason() -> ReasonV1 {
    ReasonV1 { code: "not_a_chest".into(), words: "The header says that this is not a chest.".into() }
}

/// A way for the header to be: the whole one, some without what scanners leave out, and one of which next to nothing is known.
fn headers() -> Vec<(&'static str, Identity)> {
    let whole = identity();
    let bare =
        Identity { study_instance_uid: some("2.25.100"), series_instance_uid: some("2.25.101"), ..Identity::default() };
    vec![
        ("no_number", Identity { patient_id: None, patient_id_issuer: None, accession_number: None, ..whole.clone() }),
        ("no_date", Identity { study_date: None, study_time: None, utc_offset: None, ..whole.clone() }),
        ("no_sex", Identity { sex: None, birth_date: None, referring_physician: None, ..whole.clone() }),
        ("no_name", Identity { patient_name: None, study_id: None, study_description: None, ..whole.clone() }),
        ("bare", bare),
        ("whole", whole),
    ]
}

/// Everything that can be made of every header: a positive and a negative report with their captures, and the reports of an
/// abstention and of an unreadable image.
fn all() -> Vec<(String, Made)> {
    let negative = ReadV1 { positive: false, probability: 0.03, ..read() };
    let mut all = Vec::new();
    for (header, identity) in headers() {
        for (finding, outcome) in [
            ("positive", OutcomeV1::Read(read())),
            ("negative", OutcomeV1::Read(negative.clone())),
            ("abstained", OutcomeV1::Abstained { reason: reason() }),
            ("unreadable", OutcomeV1::Unreadable { reason: reason() }),
        ] {
            let caveats = if header == "bare" { Vec::new() } else { record(outcome.clone()).caveats };
            let record = Record { identity: identity.clone(), caveats, ..record(outcome) };
            all.push((format!("{finding} {header}"), sr::report(&record)));
            let capture = capture::capture(&record).unwrap();
            all.extend(capture.map(|capture| (format!("capture of {finding} {header}"), capture)));
        }
    }
    all
}

fn reports() -> impl Iterator<Item = (String, Made)> {
    all().into_iter().filter(|(name, _)| !name.starts_with("capture"))
}

fn receiver() -> Hl7Destination {
    Hl7Destination {
        name: "ris".into(),
        address: "ris:2575".into(),
        receiving_application: "RIS".into(),
        receiving_facility: "ST-MARY".into(),
    }
}

fn write(folder: &Path, name: &str, made: &Made, transfer_syntax: &str) -> PathBuf {
    let meta = FileMeta { sop_class: made.class, sop_instance: &made.instance, transfer_syntax, source: "HILUM" };
    let file = folder.join(format!("{name}.dcm"));
    std::fs::write(&file, [meta.encode(), made.dataset(transfer_syntax).unwrap()].concat()).unwrap();
    file
}

/// Output and errors of a program.
fn told(program: &str, arguments: &[&str], file: &Path) -> (bool, String) {
    let done = Command::new(program).args(arguments).arg(file).output();
    let done = done.unwrap_or_else(|error| panic!("{program} ({error}); `cargo xtask setup` installs it"));
    (done.status.success(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
}

/// The errors and warnings that dicom3tools' dciodvfy has.
fn faults(rules: &[&str], file: &Path) -> Vec<String> {
    let (_, words) = told("dciodvfy", rules, file);
    let expected = ["SCImage", "ComprehensiveSR"];
    assert!(
        expected.iter().any(|kind| words.contains(kind)),
        "{} is taken for something else: {words}",
        file.display()
    );
    let fault = |line: &&str| line.starts_with("Error") || line.starts_with("Warning");
    words.lines().filter(fault).map(str::to_owned).collect()
}

#[test]
fn dciodvfy_finds_no_fault_in_any_object() {
    let folder = tempfile::tempdir().unwrap();
    for (name, made) in all() {
        // By the rules of the standard's older editions and of its newer ones.
        for (syntax, rules) in [(EXPLICIT_LE, &["-new"][..]), (IMPLICIT_LE, &["-new"]), (EXPLICIT_LE, &[])] {
            // A directory of a disc wants more than a study whose image does not say it has to offer.
            let is_known = |fault: &String| !name.ends_with("whole") && fault.contains("needed to build DICOMDIR");
            let mut faults = faults(rules, &write(folder.path(), "object", &made, syntax));
            faults.retain(|fault| !is_known(fault));
            assert!(faults.is_empty(), "{name}: {faults:#?}");
        }
    }
}

#[test]
fn dsrdump_reads_every_report() {
    let folder = tempfile::tempdir().unwrap();
    for (name, made) in reports() {
        let (is_good, words) = told("dsrdump", &["-Ec", "+Pl"], &write(folder.path(), "report", &made, EXPLICIT_LE));
        assert!(is_good, "{name}: {words}");
        // dcmtk's own limit: it checks no text in UTF-8.
        let is_known =
            |line: &&str| line.contains("The VR checker does not support this Specific Character Set: ISO_IR 192");
        let said = |line: &&str| line.starts_with("E:") || line.starts_with("W:") || line.starts_with("F:");
        let said: Vec<&str> = words.lines().filter(said).filter(|line| !is_known(line)).collect();
        assert!(said.is_empty(), "{name}: {said:#?}");
        assert!(words.contains("not a cleared medical device"), "{name}: {words}");
    }
}

#[test]
fn the_same_record_gives_the_same_bytes() {
    let twice = [all(), all()].map(|made| made.into_iter().map(|(_, made)| made.dataset(EXPLICIT_LE).unwrap()));
    let [first, second] = twice.map(Iterator::collect::<Vec<_>>);
    assert!(first == second);
}

/// What a script of `tests/dicom` says of a file.
fn script(name: &str, file: &Path) -> serde_json::Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (python, script) = (root.join("target/hilum/python/dicom/bin/python"), root.join("tests/dicom").join(name));
    let (is_good, words) = told(python.to_str().unwrap(), &[script.to_str().unwrap()], file);
    assert!(is_good, "{name}: {words}");
    serde_json::from_str(&words).unwrap_or_else(|_| panic!("{words}"))
}

#[test]
fn fhir_resources_and_hl7_read_what_other_systems_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let abstained = OutcomeV1::Abstained { reason: reason() };
    for (outcome, presence, probability) in
        [(OutcomeV1::Read(read()), "52101004", Some(0.873_615)), (abstained, "373068000", None)]
    {
        let record = record(outcome);
        let file = folder.path().join("bundle.json");
        std::fs::write(&file, fhir::bundle(&record, "https://fhir.example.org/r4").to_string()).unwrap();
        let read = script("read_bundle.py", &file);
        assert_eq!((&read["presence"], read["probability"].as_f64()), (&presence.into(), probability), "{read}");
        assert_eq!(read["methods"], serde_json::json!(["PUT", "PUT"]));
        assert_eq!((&read["type"], &read["result"]), (&"transaction".into(), &true.into()));
        let file = folder.path().join("message.hl7");
        let message = hl7::message(&record, &receiver());
        std::fs::write(&file, &message.text).unwrap();
        let read = script("read_message.py", &file);
        assert_eq!((&read["control_id"], &read["patient"]), (&message.control_id.into(), &"4711".into()), "{read}");
        let number = read["probability"].as_str().and_then(|text| text.parse::<f64>().ok());
        assert_eq!((&read["presence"], number), (&presence.into(), probability), "{read}");
        assert_eq!((&read["accession"], &read["status"]), (&"A-17".into(), &"P".into()), "{read}");
    }
}

/// `tests/dicom/read_report.py` on highdicom: what it reads must be what was written.
#[test]
fn highdicom_reads_the_measurement_back() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str, made: &Made| script("read_report.py", &write(folder.path(), name, made, EXPLICIT_LE));
    for (name, made) in reports().filter(|(name, _)| name.ends_with("whole")) {
        let report = read(&name, &made);
        assert_eq!((report["groups"].as_u64(), report["finding"].as_str()), (Some(1), Some("233604007")), "{report}");
        assert_eq!((report["source"].as_str(), report["language"].as_str()), (Some("2.25.102"), Some("en")));
        let name = name.split(' ').next().unwrap();
        let (probability, presence, algorithm) = match name {
            "positive" => (Some(0.873_615), "52101004", Some("pneumonia-cxr 1.2.0")),
            "negative" => (Some(0.03), "260415000", Some("pneumonia-cxr 1.2.0")),
            _ => (None, "373068000", None),
        };
        assert_eq!(report["probability"].as_f64(), probability, "{name}");
        assert_eq!(report["unit"].as_str(), probability.map(|_| "{0:1}"), "{name}");
        assert_eq!(report["presence"].as_str(), Some(presence), "{name}");
        assert_eq!(report["algorithm"].as_str(), algorithm, "{name}");
        if name == "positive" {
            assert_eq!(report["patient_name"].as_str(), Some("Yamada^Tarou=\u{5c71}\u{7530}^\u{592a}\u{90ce}"));
        }
    }
}
