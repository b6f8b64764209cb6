//! A device at the end of its life: its keys go, then its files, and what somebody copied before is of no use to them.

use super::*;

fn erase(lab: &Lab, meant: bool) -> Output {
    let (config, agent) = (lab.path("appliance.toml"), lab.path("sync-agent.toml"));
    let mut arguments = vec!["erase", "--config", config.to_str().unwrap(), "--agent-config", agent.to_str().unwrap()];
    arguments.extend(meant.then_some("--yes-destroy-all-patient-data"));
    run(&arguments)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn an_erased_device_opens_nothing_and_neither_do_copies_of_its_files() {
    let lab = Lab::new();
    let service = lab.start();
    assert!(lab.send(&lab.synth(2)).status.success());
    lab.await_concluded(2);
    let key = lab.database_key();
    std::fs::write(lab.path("sync-agent.toml"), format!("[device]\ndatabase_key = {:?}\n", lab.path("database.key")))
        .unwrap();
    let running = erase(&lab, true);
    assert!(!running.status.success(), "{running:?}");
    assert!(String::from_utf8_lossy(&running.stderr).contains("another hilum-appliance uses"), "{running:?}");
    stop(service);

    let agent = Outbox::open(&lab.path("state/outbox.sqlite"), &key).unwrap();
    let beside = erase(&lab, true);
    assert!(!beside.status.success() && String::from_utf8_lossy(&beside.stderr).contains("sync-agent"), "{beside:?}");
    drop(agent);
    let unmeant = erase(&lab, false);
    assert!(!unmeant.status.success(), "{unmeant:?}");
    assert_eq!(lab.outbox().journal_counts().unwrap().concluded, 2, "a refused order destroyed something");

    let stolen = lab.path("stolen");
    let copied = Command::new("cp").arg("-r").arg(lab.path("state")).arg(&stolen).status();
    assert!(copied.unwrap().success());
    let erased = erase(&lab, true);
    assert!(erased.status.success(), "{erased:?}");
    let told = String::from_utf8_lossy(&erased.stdout).into_owned();
    assert!(told.contains("destroyed the key") && told.contains("/etc/hilum/at-rest.cred"), "{told}");
    for gone in ["at-rest.key", "pseudonym.key", "database.key"] {
        assert!(!lab.path(gone).exists() && told.contains(gone), "{gone}: {told}");
    }
    assert!(names(&lab.path("state")).iter().all(|name| name == "appliance.lock" || name == "models"), "{told}");

    // The thief has everything that the disk held, and makes keys of his own.
    give_key(&lab.path("at-rest.key"), "0c");
    std::fs::write(lab.path("pseudonym.key"), "0c".repeat(32)).unwrap();
    lab.configure(|text| text.replace(lab.path("state").to_str().unwrap(), stolen.to_str().unwrap()));
    let (status, said) = lab.failing();
    assert!(status == Some(1) && said.contains("not the one that"), "{said}");
    std::fs::remove_file(stolen.join("at-rest.check")).unwrap();
    std::fs::remove_dir_all(stolen.join("spool")).unwrap();
    let (status, said) = lab.failing();
    assert!(status == Some(1) && said.contains("does not open with this key"), "{said}");
}

#[test]
fn an_erasure_that_was_interrupted_is_finished_by_the_next() {
    let lab = Lab::new();
    stop(lab.start());
    // The keys went, then the power.
    std::fs::remove_file(lab.path("at-rest.key")).unwrap();
    let erased = erase(&lab, true);
    assert!(erased.status.success(), "{erased:?}");
    assert!(!lab.path("state/outbox.sqlite").exists() && !lab.path("pseudonym.key").exists());
    assert!(erase(&lab, true).status.success());
}
