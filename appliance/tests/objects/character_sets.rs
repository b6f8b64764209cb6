//! Names in the character sets of many countries, in headers that pydicom wrote: what stands in them stands in the report, in
//! the capture, in the HL7 message and in the FHIR bundle, as others read those.

use std::collections::BTreeMap;
use std::path::Path;

use appliance::output::{Record, capture, fhir, hl7, sr};
use reader::pixels::{Identity, Limits, decode};
use serde::Deserialize;
use wire::v1::result::OutcomeV1;

use super::{EXPLICIT_LE, faults, read, receiver, record, script, write};

/// What stands in a header.
#[derive(Deserialize)]
struct Written {
    patient_name: String,
    issuer: String,
}

fn written(folder: &Path) -> BTreeMap<String, Written> {
    script("write_names.py", folder);
    serde_json::from_slice(&std::fs::read(folder.join("names.json")).unwrap()).unwrap()
}

fn identity(file: &Path) -> Identity {
    decode::open(&std::fs::read(file).unwrap(), &Limits::default()).unwrap().about().identity
}

#[test]
fn names_survive_from_the_header_into_every_object() {
    let folder = tempfile::tempdir().unwrap();
    for (name, written) in written(folder.path()) {
        let identity = identity(&folder.path().join(format!("{name}.dcm")));
        assert_eq!(identity.patient_name.as_ref(), Some(&written.patient_name), "{name}");
        assert_eq!(identity.patient_id_issuer.as_ref(), Some(&written.issuer), "{name}");
        let record = Record { identity, ..record(OutcomeV1::Read(read())) };
        let capture = capture::capture(&record).unwrap().unwrap();
        for (kind, made) in [("report", sr::report(&record)), ("capture", capture)] {
            let file = write(folder.path(), &format!("{name}-{kind}"), &made, EXPLICIT_LE);
            // Study and Series come without what a directory of a disc wants.
            let mut faults = faults(&["-new"], &file);
            // dciodvfy counts bytes, and all groups together, where PS3.5 6.2 counts each group's characters.
            let counts = |fault: &str| name.contains("bytes") && fault.contains("Length invalid for this VR");
            faults.retain(|fault| !fault.contains("needed to build DICOMDIR") && !counts(fault));
            assert!(faults.is_empty(), "{name} {kind}: {faults:#?}");
            let told = script("read_header.py", &file);
            assert_eq!(told["patient_name"], written.patient_name, "{name} {kind}");
            assert_eq!(told["issuer"], written.issuer, "{name} {kind}");
        }
        let message = folder.path().join("message.hl7");
        std::fs::write(&message, hl7::message(&record, &receiver()).text).unwrap();
        let told = script("read_message.py", &message);
        let [names, issuer] = [&told["names"], &told["issuer"]];
        assert_eq!(names.as_array().unwrap(), &ways(&written.patient_name), "{name}");
        assert_eq!(*issuer, written.issuer, "{name}");
        let bundle = folder.path().join("bundle.json");
        std::fs::write(&bundle, fhir::bundle(&record, "https://fhir.example.org/r4").to_string()).unwrap();
        assert_eq!(script("read_bundle.py", &bundle)["issuer"], written.issuer, "{name}");
    }
}

/// The groups of a Person Name, each as family and given name: HL7 has a repetition for each.
fn ways(name: &str) -> Vec<String> {
    name.split('=').map(str::to_owned).collect()
}
