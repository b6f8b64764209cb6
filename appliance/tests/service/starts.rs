//! What the configuration says is in force, or why not is said in a sentence: keys, models, folders that are taken.

use super::*;

#[test]
fn what_is_wrong_is_said_in_one_sentence_with_the_remedy() {
    let lab = Lab::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    type Change<'a> = Box<dyn Fn(String) -> String + 'a>;
    let cases: [(&str, i32, Change); 8] = [
        ("place: unknown key", 2, Box::new(|text| text.replace("site =", "place ="))),
        ("[[dicom.allow]]", 2, Box::new(|text| text.replace("[[dicom.allow]]\nae_title = \"XR-ROOM-1\"\n", ""))),
        ("openssl rand -hex 32", 1, Box::new(|text| text.replace("pseudonym.key", "nowhere.key"))),
        ("64 hexadecimal", 1, Box::new(|text| text.replace("pseudonym.key", "appliance.toml"))),
        ("no key for the encryption", 1, Box::new(|text| text.replace("at_rest_key", "#"))),
        ("64 hexadecimal", 1, Box::new(|text| text.replace("at-rest.key", "appliance.toml"))),
        ("[dicom] listen", 1, Box::new(|text| text.replace(&format!("127.0.0.1:{}", lab.dicom), &taken.to_string()))),
        ("state_dir", 1, Box::new(|text| text.replace("/state\"", "/pseudonym.key/state\""))),
    ];
    for (words, code, change) in cases {
        lab.configure(change);
        let (status, said) = lab.failing();
        let last = said.lines().filter(|line| line.starts_with("hilum-appliance: ")).count();
        assert!(said.contains(words) && last == 1, "{words}: {said}");
        assert_eq!(status, Some(code), "{words}");
    }
}

/// Without a model scanners are answered all the same, the health page says why nothing is read, and a model that comes
/// later reads what waited.
#[test]
fn a_model_that_cannot_be_loaded_yet_costs_no_image() {
    let lab = Lab::new();
    let bundle = lab.path("bundle");
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reader/tests/models/tiny");
    let quoted = |path: &Path| format!("\"{}\"", path.display());
    lab.configure(|text| text.replace(&quoted(&tiny), &quoted(&bundle)));
    let service = lab.launch();
    let ready = || lab.get("/health/ready").unwrap_or_default();
    eventually("the reason", || ready().1.contains("[model] bundle"));
    assert_eq!(ready().0, 503);
    assert!(ready().1.contains("\"dicom\":\"ok\""), "{}", ready().1);
    assert!(lab.send(&lab.synth(1)).status.success());
    assert_eq!(lab.outbox().journal_counts().unwrap().accepted, 1);
    assert!(Command::new("cp").arg("-r").args([&tiny, &bundle]).status().unwrap().success());
    lab.await_concluded(1);
    assert_eq!(ready().0, 200);
    stop(service);
}

#[test]
fn another_at_rest_key_is_refused_before_a_scanner_is_answered() {
    let lab = Lab::new();
    stop(lab.start());
    let written = std::fs::read(lab.path("state/at-rest.check")).unwrap();
    give_key(&lab.path("at-rest.key"), "0c");
    let (status, said) = lab.failing();
    assert!(said.contains("not the one that") && said.contains("the device's own key back"), "{said}");
    assert_eq!(status, Some(1));
    let checked = run(&["check-config", "--config", lab.path("appliance.toml").to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(2), "{checked:?}");
    give_key(&lab.path("at-rest.key"), "0b");
    stop(lab.start());
    assert_eq!(std::fs::read(lab.path("state/at-rest.check")).unwrap(), written);
}

#[test]
fn two_services_do_not_share_a_state_directory() {
    let lab = Lab::new();
    let service = lab.start();
    let (dicom, http) = (free_port(), free_port());
    lab.configure(|text| {
        text.replace(&lab.dicom.to_string(), &dicom.to_string()).replace(&lab.http.to_string(), &http.to_string())
    });
    let (status, said) = lab.failing();
    assert!(said.contains("another hilum-appliance uses state_dir"), "{said}");
    assert_eq!(status, Some(1));
    stop(service);
}

#[test]
fn check_config_finds_every_mistake_at_once_and_changes_nothing() {
    let lab = Lab::new();
    let config = lab.path("appliance.toml");
    let check = || run(&["check-config", "--config", config.to_str().unwrap()]);
    assert!(check().status.success(), "{:?}", check());
    let stow = "[stow]\nlisten = \"127.0.0.1:0\"\n[[stow.client]]\nname = \"PACS\"\ntoken_file = \"nowhere.token\"\n";
    lab.configure(|text| {
        text.replace("pseudonym.key", "nowhere.key").replace("models/tiny\"", "models/nowhere\"") + stow
    });
    let output = check();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.contains("[device] pseudonym_key") && said.contains("[model] bundle"), "{said}");
    assert!(said.contains("the token file nowhere.token cannot be read"), "{said}");
    assert!(!lab.path("state").exists());
}

#[test]
fn a_bundle_may_be_an_archive() {
    let lab = Lab::new();
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reader/tests/models/tiny");
    let archive = lab.path("tiny.tar.gz");
    let packed = Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(&tiny).arg(".").status().unwrap();
    assert!(packed.success());
    let quoted = |path: &Path| format!("\"{}\"", path.display());
    lab.configure(|text| text.replace(&quoted(&tiny), &quoted(&archive)));
    let config = lab.path("appliance.toml");
    let checked = run(&["check-config", "--config", config.to_str().unwrap()]);
    assert!(checked.status.success(), "{checked:?}");
    let out = lab.path("diag.tar.gz");
    assert!(run(&["diag", "--config", config.to_str().unwrap(), "--out", out.to_str().unwrap()]).status.success());
    let told = Command::new("tar").args(["-xzOf", out.to_str().unwrap(), "hilum-diag/versions.json"]).output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert!(told["model"]["id"].is_string(), "{told}");
    let service = lab.start();
    assert!(lab.send(&lab.synth(1)).status.success());
    lab.await_concluded(1);
    stop(service);

    // Somebody else's bytes in the archive are a mistake of the configuration.
    std::fs::write(&archive, b"no archive at all").unwrap();
    let checked = run(&["check-config", "--config", config.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&checked.stderr).contains("[model] bundle"), "{checked:?}");
}
