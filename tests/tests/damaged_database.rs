//! The disk loses pages of the device's database while both programs run and the network is gone: whoever meets them says so, the
//! appliance's next start puts the file aside and goes on with a new one, the sync-agent goes over to it, and every acknowledged
//! image has its result in the cloud.

#![cfg(test)]

use std::os::unix::fs::FileExt;
use std::path::Path;

use lab::house::House;
use lab::{api, journal, patience, postgres};

const FILMS: usize = 4;
const PAGE: u64 = 4096;

/// Overwrites two thirds of the pages in the middle of the file.
fn damage(file: &Path) {
    let pages = std::fs::metadata(file).unwrap().len() / PAGE;
    let opened = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    for page in (pages / 6)..(pages * 5 / 6) {
        opened.write_all_at(&[0xa5; PAGE as usize], page * PAGE).unwrap();
    }
}

#[test]
fn a_damaged_database_is_put_aside_and_no_image_is_lost() {
    let mut house = House::for_test("damaged-database").unwrap();
    house.start().unwrap();
    house.broker.kill().unwrap();
    house.hospital.receive(FILMS, 41).unwrap();
    let outbox = house.hospital.outbox();
    patience::until("every film to be read", patience::BATCH, || {
        let entries = journal::entries(&outbox)?;
        Ok((entries.len() == FILMS && entries.iter().all(|entry| entry.state == "concluded")).then_some(()))
    })
    .unwrap();
    // A stop in good order, so that all of it is in the file that is damaged; and both have it open again.
    house.hospital.stop_agent().unwrap();
    house.hospital.stop_appliance().unwrap();
    house.hospital.start_appliance().unwrap();
    house.hospital.launch_agent().unwrap();
    let health = house.hospital.plan.agent_port;
    patience::until("the sync-agent to look for the broker", patience::START, || Ok(api::health(health).ok())).unwrap();
    damage(&outbox);
    house.broker.restart().unwrap();
    // The sync-agent is the one that reads what waits.
    patience::until("the appliance to stop", patience::START, || {
        Ok(house.casualty().filter(|(name, _)| name == "hilum-appliance"))
    })
    .unwrap();
    house.hospital.start_appliance().unwrap();
    let page = house.hospital.page().unwrap();
    for words in ["The device database was damaged and replaced", "rows were lost", "note.txt"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    house.wait_until_drained(FILMS).unwrap();
    let database = house.cloud.database();
    let count = |what: &str| postgres::query(&database, what).unwrap();
    assert_eq!(count("SELECT count(DISTINCT payload::json->>'instance') FROM results"), FILMS.to_string());
    let aside: Vec<_> = std::fs::read_dir(outbox.with_file_name("damaged")).unwrap().map(Result::unwrap).collect();
    assert_eq!(aside.len(), 1);
    for name in ["outbox.sqlite", "account.json", "note.txt"] {
        assert!(aside[0].path().join(name).is_file(), "{name}");
    }
    let metrics = api::text(&format!("http://127.0.0.1:{}/metrics", house.hospital.plan.appliance_port)).unwrap().1;
    assert!(metrics.lines().any(|line| line == "databases_put_aside 1"), "{metrics}");
}
