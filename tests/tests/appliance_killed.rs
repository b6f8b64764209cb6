//! The power goes at the device: whatever the scanner was told is safe, is read after the restart, once.

#![cfg(test)]

use lab::house::House;
use lab::modality::{self, Modality};
use lab::{journal, patience, postgres, process};

const FILMS: usize = 16;

#[test]
fn a_killed_appliance_goes_on_with_what_it_had_acknowledged() {
    let mut house = House::for_test("appliance-killed").unwrap();
    house.cloud.start().unwrap();
    house.hospital.start_appliance().unwrap();
    let files = modality::draw(&house.folder.join("images"), FILMS, 17).unwrap();
    // However fast the machine is, nothing is read before the kill.
    let readers = house.hospital.workers("inference-worker").unwrap();
    process::signal(process::Signal::STOP, &readers).unwrap();
    let answers = Modality::known(house.hospital.plan.dicom_port).send_all(&files).unwrap();
    assert!(answers.iter().all(modality::Answer::is_accepted), "{answers:#?}");
    house.hospital.kill_appliance().unwrap();
    // What stands still does not notice that its parent has gone.
    process::signal(process::Signal::KILL, &readers).unwrap();

    let outbox = house.hospital.outbox();
    let entries = journal::entries(&outbox).unwrap();
    assert_eq!(entries.len(), FILMS, "each acknowledged image is in the journal");
    let unread = entries.iter().filter(|entry| entry.state == "accepted").count();
    assert!(unread > 0, "all were read although no inference process ran");

    house.hospital.start_appliance().unwrap();
    patience::until("what was acknowledged to be read", patience::BATCH, || {
        Ok(journal::entries(&outbox)?.iter().all(|entry| entry.state != "accepted").then_some(()))
    })
    .unwrap();
    house.hospital.start_agent().unwrap();
    let entries = house.wait_until_drained(FILMS).unwrap();
    let count = |sql: &str| postgres::query(&house.cloud.database(), sql).unwrap();
    assert_eq!(count("SELECT count(*) FROM results"), FILMS.to_string());
    assert_eq!(count("SELECT count(DISTINCT payload::json->>'instance') FROM results"), FILMS.to_string());
    let results = house.cloud.log_in().unwrap().results().unwrap();
    assert!(results.iter().all(|result| result.outcome == "read"), "{results:#?}");
    assert_eq!(results.len(), entries.len());
}

#[test]
fn a_stopped_appliance_leaves_in_good_order() {
    let mut house = House::for_test("appliance-stopped").unwrap();
    house.cloud.start().unwrap();
    house.hospital.start_appliance().unwrap();
    house.hospital.start_agent().unwrap();
    for status in [house.hospital.stop_appliance(), house.hospital.stop_agent(), house.cloud.stop()] {
        assert!(status.unwrap().success());
    }
}
