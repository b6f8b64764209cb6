//! The diagnostic bundle of a device whose state is full of patients holds nothing of them.

#![cfg(test)]

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use appliance::at_rest::AtRest;
use flate2::read::GzDecoder;
use outbox::{NewEntry, NewInstance, NewMessage, Outbox, Priority, Pseudonyms};
use wire::ids::MessageId;
use wire::topics::Up;

/// Whatever of it is found in the bundle is one thing too many.
const SECRETS: [&str; 11] = [
    "DOE^JANE",
    "zzqq7",
    "PAT-4711",
    "ACC-0815",
    "1.2.826.0.1.3680043.8.498",
    "19500101",
    "XR-ROOM-1",
    "10.1.2.3",
    "St Mary",
    "0a0a0a0a",
    "hidden-host",
];

fn fill(state: &Path) {
    let key = AtRest::new(&[9; 32], rand::random);
    key.claim(state).unwrap();
    let mut outbox = Outbox::open(&state.join("outbox.sqlite"), &key.database_key().unwrap()).unwrap();
    let new = NewInstance {
        sop_instance: "1.2.826.0.1.3680043.8.498.1",
        sop_class: "1.2.840.10008.5.1.4.1.1.7",
        digest: [1; 32],
        file: "PAT-4711.dcm",
        source: "XR-ROOM-1",
        received_ms: 0,
        receive_ms: 1.0,
        traceparent: None,
    };
    let outbox::Accepted::New(id) = outbox.accept(&new).unwrap() else { panic!("it is new") };
    let result = MessageId(uuid::Uuid::from_u128(1));
    let message = NewMessage {
        id: result,
        kind: Up::Result,
        priority: Priority::Live,
        created_ms: 0,
        traceparent: None,
        payload: b"DOE^JANE",
    };
    let entry = NewEntry {
        concluded_ms: 1,
        pseudonyms: Pseudonyms { study: "zzqq7".into(), object: "zzqq7".into(), patient: "zzqq7".into() },
        status: "unreadable",
        detail: "malformed",
        total_ms: 1.0,
        identity: Some(b"DOE^JANE ACC-0815"),
        lost: None,
    };
    outbox.conclude_with(id, result, &[message], None, Some(&entry)).unwrap();
    let quarantine = state.join("quarantine");
    std::fs::create_dir_all(&quarantine).unwrap();
    std::fs::create_dir_all(state.join("spool")).unwrap();
    std::fs::write(state.join("spool/PAT-4711.dcm"), "DOE^JANE").unwrap();
    std::fs::write(quarantine.join("a.json"), r#"{"code":"malformed","words":"DOE^JANE 1.2.826.0.1.3680043.8.498"}"#)
        .unwrap();
    std::fs::write(quarantine.join("b.json"), r#"{"code":"DOE^JANE"}"#).unwrap();
}

const LOG: &str = r#"{"timestamp":"2026-11-21T14:00:00.1Z","level":"INFO","message":"image concluded","source":"XR-ROOM-1","outcome":"unreadable","detail":"malformed","total_ms":12.5,"target":"appliance::pipeline::one","patient":"DOE^JANE"}
{"timestamp":"2026-11-21T14:00:00.2Z","level":"WARN","message":"file of DOE^JANE, PAT-4711","error":"ACC-0815","detail":"19500101DOE^JANE","target":"appliance::spool"}
{"timestamp":"2026-11-21T14:00:00.3Z","level":"DEBUG","message":"zzqq7","target":"dicom_ul"}
DOE^JANE in a line that is no JSON
"#;

#[test]
fn nothing_of_a_patient_is_in_the_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let state = at("state");
    std::fs::create_dir(&state).unwrap();
    fill(&state);
    std::fs::write(at("log.jsonl"), LOG).unwrap();
    std::fs::write(at("at-rest.key"), "09".repeat(32)).unwrap();
    std::fs::set_permissions(at("at-rest.key"), PermissionsExt::from_mode(0o600)).unwrap();
    let text = format!(
        "[device]\nid = \"hidden-host\"\nsite = \"St Mary\"\nstate_dir = \"{}\"\npseudonym_key = \"0a0a0a0a\"\n\
         at_rest_key = \"{}\"\n[dicom]\n\
         listen = \"127.0.0.1:9\"\nae_title = \"HILUM\"\nmax_associations = 7\n[[dicom.allow]]\nae_title = \"XR-ROOM-1\"\n\
         address = \"10.1.2.3\"\n[model]\nbundle = \"DOE^JANE\"\nonnxruntime = \"PAT-4711\"\n[http]\nlisten = \"127.0.0.1:1\"\n",
        state.display(),
        at("at-rest.key").display()
    );
    std::fs::write(at("appliance.toml"), text).unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_hilum-appliance"))
        .args(["diag", "--out"])
        .arg(at("diag.tar.gz"))
        .arg("--config")
        .arg(at("appliance.toml"))
        .arg("--log")
        .arg(at("log.jsonl"))
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    let mut bundle = String::new();
    GzDecoder::new(std::fs::File::open(at("diag.tar.gz")).unwrap()).read_to_string(&mut bundle).unwrap();
    for told in [
        "image concluded",
        "\"malformed\": 1",
        "max_associations = 7",
        "\"unreadable\": 1",
        "does not answer",
        "total_ms",
    ] {
        assert!(bundle.contains(told), "{told} is missing: {bundle}");
    }
    for secret in SECRETS {
        assert!(!bundle.to_lowercase().contains(&secret.to_lowercase()), "{secret} is in the bundle: {bundle}");
    }
}
