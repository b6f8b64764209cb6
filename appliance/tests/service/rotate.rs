//! Another at-rest key by command: the device goes on with the new one, the old one opens nothing, and an order that cannot be
//! followed changes nothing. The power cuts are in `tests/tests/key_rotated.rs`.

use super::*;

fn rotate(lab: &Lab, more: &[&str]) -> Output {
    let (config, agent) = (lab.path("appliance.toml"), lab.path("sync-agent.toml"));
    let common = ["key", "rotate", "--config", config.to_str().unwrap(), "--agent-config", agent.to_str().unwrap()];
    // Whatever this machine has of its own is none of the test's business.
    let nothing = ["--credential", "/nonexistent", "--agent-credential", "/nonexistent"];
    run(&[&common[..], &nothing, more].concat())
}

fn refused(lab: &Lab, more: &[&str], why: &str) {
    let key = std::fs::read(lab.path("at-rest.key")).unwrap();
    let output = rotate(lab, more);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains(why), "{output:?}");
    assert_eq!(std::fs::read(lab.path("at-rest.key")).unwrap(), key, "{why}");
    assert!(!lab.path("state/at-rest.replaced").exists(), "{why}");
}

#[test]
fn a_device_goes_on_under_another_key_and_the_old_one_opens_nothing() {
    let lab = Lab::new();
    let new = lab.path("new.key");
    let named = ["--new-key", new.to_str().unwrap()];
    give_key(&new, "0d");
    refused(&lab, &named, "there is no");
    let service = lab.start();
    assert!(lab.send(&lab.synth(2)).status.success());
    lab.await_concluded(2);
    let old = lab.database_key();
    std::fs::write(lab.path("sync-agent.toml"), format!("[device]\ndatabase_key = {:?}\n", lab.path("database.key")))
        .unwrap();
    refused(&lab, &named, "another hilum-appliance uses");
    stop(service);

    let agent = Outbox::open(&lab.path("state/outbox.sqlite"), &old).unwrap();
    refused(&lab, &named, "hilum-sync-agent uses");
    drop(agent);
    give_key(&lab.path("other.key"), "0e");
    refused(&lab, &[&named[..], &["--old-key", lab.path("other.key").to_str().unwrap()]].concat(), "not the one that");
    std::fs::write(&new, "short").unwrap();
    refused(&lab, &named, "64 hexadecimal");
    give_key(&new, "0d");
    let spooled = std::fs::read_dir(lab.path("state/spool")).unwrap().count();
    assert!(spooled > 0, "nothing is there to be put under the new key");

    let changed = rotate(&lab, &named);
    assert!(changed.status.success(), "{changed:?}");
    let told = String::from_utf8_lossy(&changed.stdout).into_owned();
    assert!(
        told.contains(&format!("{spooled} files are under the new key")) && told.contains("database.key"),
        "{told}"
    );
    let again = rotate(&lab, &named);
    assert!(again.status.success() && String::from_utf8_lossy(&again.stdout).contains("before"), "{again:?}");
    assert!(Outbox::open(&lab.path("state/outbox.sqlite"), &old).is_err());
    let follows = DatabaseKey::load(None, Some(&lab.path("database.key"))).unwrap();
    assert_eq!(
        Outbox::open(&lab.path("state/outbox.sqlite"), &follows).unwrap().journal_counts().unwrap().concluded,
        2
    );
    let looked = run(&["lookup", "--config", lab.path("appliance.toml").to_str().unwrap(), "nobody"]);
    assert!(!String::from_utf8_lossy(&looked.stderr).contains("key"), "{looked:?}");
    let service = lab.start();
    assert!(lab.send(&lab.synth(1)).status.success());
    lab.await_concluded(2);
    stop(service);

    give_key(&lab.path("at-rest.key"), "0b");
    let (status, said) = lab.failing();
    assert!(status == Some(1) && said.contains("not the one that"), "{said}");
}
