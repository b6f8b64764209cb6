//! The network goes, the programs die, and not one result is lost or doubled: N images in, N results out, counted in
//! PostgreSQL itself.

#![cfg(test)]

use lab::api;
use lab::house::House;
use lab::modality::{self, Modality};
use lab::{journal, patience, postgres};

/// Half before, half during the outage.
const FILMS: usize = 20;

#[test]
fn what_was_acknowledged_arrives_once_through_two_kills_and_an_outage() {
    let mut house = House::for_test("offline-then-drain").unwrap();
    house.start().unwrap();
    let files = modality::draw(&house.folder.join("images"), FILMS, 11).unwrap();
    let scanner = Modality::known(house.hospital.plan.dicom_port);
    let database = house.cloud.database();
    let count = |what: &str| postgres::query(&database, what).unwrap().parse::<usize>().unwrap();

    let (before, during) = files.split_at(FILMS / 2);
    let sending = std::thread::spawn({
        let (scanner, before) = (scanner.clone(), before.to_vec());
        move || scanner.send_all(&before)
    });
    // In the middle: the first has arrived, others are being received, read, sent, stored.
    patience::until("the first result in the cloud", patience::BATCH, || {
        Ok((count("SELECT count(*) FROM results") > 0).then_some(()))
    })
    .unwrap();
    house.hospital.kill_agent().unwrap();
    house.cloud.kill().unwrap();
    assert!(sending.join().unwrap().unwrap().iter().all(modality::Answer::is_accepted));

    // The scanner does not notice.
    assert!(scanner.send_all(during).unwrap().iter().all(modality::Answer::is_accepted));
    let outbox = house.hospital.outbox();
    patience::until("every image to be read without a network", patience::BATCH, || {
        let entries = journal::entries(&outbox)?;
        Ok((entries.len() == FILMS && entries.iter().all(|entry| entry.state != "accepted")).then_some(()))
    })
    .unwrap();
    let waiting = journal::waiting(&outbox).unwrap().waiting;
    assert!(waiting >= (FILMS / 2) as u64, "{waiting} messages wait for the network");

    // The device comes back before its cloud does, and waits for it.
    house.hospital.launch_agent().unwrap();
    house.cloud.start().unwrap();
    let entries = house.wait_until_drained(FILMS).unwrap();

    assert_eq!(count("SELECT count(*) FROM results"), FILMS);
    assert_eq!(count("SELECT count(DISTINCT message) FROM results"), FILMS);
    assert_eq!(count("SELECT count(*) FROM images"), FILMS, "each film came with its picture, once");
    let mut wanted: Vec<String> =
        entries.iter().map(|entry| entry.result_id(&house.hospital.plan.device).unwrap().unwrap()).collect();
    wanted.sort();
    let stored = postgres::query(&database, "SELECT id FROM results ORDER BY id COLLATE \"C\"").unwrap();
    assert_eq!(stored.lines().collect::<Vec<_>>(), wanted, "exactly those results that the device's journal names");
    assert_eq!(journal::waiting(&outbox).unwrap(), journal::Waiting::default());
    assert!(api::is_ready(house.hospital.plan.agent_port));
}

#[test]
fn a_broker_that_restarts_costs_nothing() {
    let mut house = House::for_test("broker-restart").unwrap();
    house.start().unwrap();
    let films = 6;
    let files = modality::draw(&house.folder.join("images"), films, 13).unwrap();
    house.broker.kill().unwrap();
    let answers = Modality::known(house.hospital.plan.dicom_port).send_all(&files).unwrap();
    assert!(answers.iter().all(modality::Answer::is_accepted));
    // Both sides say what is wrong while it is.
    for port in [house.hospital.plan.agent_port, house.cloud.plan.port] {
        let report = patience::until("the lost broker to be reported", patience::START, || {
            Ok(api::health(port).ok().filter(|(status, _)| *status == 503).map(|(_, report)| report))
        });
        assert!(report.unwrap().contains("broker"));
    }
    house.broker.restart().unwrap();
    house.wait_until_drained(films).unwrap();
    let stored = postgres::query(&house.cloud.database(), "SELECT count(*) FROM results").unwrap();
    assert_eq!(stored, films.to_string());
}
