//! No network for days, a stick instead: what is carried by hand is in PostgreSQL once, whether the receipts come back on the
//! stick or over the network later.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lab::house::House;
use lab::modality::{self, Modality};
use lab::{journal, patience, place, postgres};

/// Films before the outage, in the first one and in the second one.
const FILMS: [usize; 3] = [2, 5, 4];

/// Runs a command of the device, and gives what it said.
fn agent(house: &House, arguments: &[&str], path: &Path) -> (bool, String) {
    let mut command = Command::new(place::program("hilum-sync-agent").unwrap());
    command.args(arguments).arg(path).arg("--config").arg(house.hospital.agent_config());
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.success(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

/// Exports to the stick and gives the new folder.
fn export(house: &House, stick: &Path) -> PathBuf {
    let before = folders(stick);
    let (done, words) = agent(house, &["export", "--to"], stick);
    assert!(done, "{words}");
    let new: Vec<PathBuf> = folders(stick).into_iter().filter(|folder| !before.contains(folder)).collect();
    assert_eq!(new.len(), 1, "{words}");
    new[0].clone()
}

fn folders(stick: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(stick).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Sends films while nothing can leave, and waits until all are read.
fn receive(house: &House, name: &str, films: usize, seed: u64, in_all: usize) {
    let files = modality::draw(&house.folder.join(name), films, seed).unwrap();
    let answers = Modality::known(house.hospital.plan.dicom_port).send_all(&files).unwrap();
    assert!(answers.iter().all(modality::Answer::is_accepted));
    patience::until("every film to be read", patience::BATCH, || {
        let entries = journal::entries(&house.hospital.outbox())?;
        let read = entries.iter().filter(|entry| entry.state != "accepted").count();
        Ok((read == in_all).then_some(()))
    })
    .unwrap();
}

/// The folder as somebody else has bent it.
fn altered(folder: &Path) -> PathBuf {
    let copy = folder.with_file_name("altered");
    std::fs::create_dir(&copy).unwrap();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    let part = copy.join("part-00001.cbor");
    let mut bytes = std::fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(part, bytes).unwrap();
    copy
}

#[test]
fn what_a_stick_carries_arrives_once_with_and_without_the_network_coming_back() {
    let mut house = House::for_test("hand-carry").unwrap();
    house.start().unwrap();
    let database = house.cloud.database();
    let count = |what: &str| postgres::query(&database, what).unwrap().parse::<usize>().unwrap();
    let results = || (count("SELECT count(*) FROM results"), count("SELECT count(DISTINCT message) FROM results"));
    let stick = house.folder.join("stick");
    place::make(&stick).unwrap();
    house.hospital.receive(FILMS[0], 31).unwrap();
    house.wait_until_drained(FILMS[0]).unwrap();
    let (done, words) = agent(&house, &["export", "--to"], &stick);
    assert!(done && words.contains("nothing to carry") && folders(&stick).is_empty(), "{words}");

    // The network goes; the sync-agent goes on trying while somebody exports.
    house.broker.kill().unwrap();
    let so_far = FILMS[0] + FILMS[1];
    receive(&house, "first", FILMS[1], 32, so_far);
    let folder = export(&house, &stick);
    let import = |folder: &Path| house.cloud.order(&["import", folder.to_str().unwrap()]);
    let refused = import(&altered(&folder)).unwrap_err().to_string();
    assert!(refused.contains("altered or damaged"), "{refused}");
    assert_eq!(results(), (FILMS[0], FILMS[0]), "nothing of an altered folder is stored");
    let said = import(&folder).unwrap();
    let messages = journal::waiting(&house.hospital.outbox()).unwrap().waiting;
    assert!(said.contains(&format!("{messages} messages stored, 0 were here before")), "{said}");
    assert_eq!(results(), (so_far, so_far));
    let again = import(&folder).unwrap();
    assert!(again.contains(&format!("0 messages stored, {messages} were here before")), "{again}");

    // The network comes back before the stick does: the same messages go again, and get the same receipts.
    house.broker.restart().unwrap();
    house.wait_until_drained(so_far).unwrap();
    assert_eq!(results(), (so_far, so_far));
    let (done, words) = agent(&house, &["import-receipts"], &folder);
    assert!(done && words.contains(&format!("{messages} had their receipt before")), "{words}");

    // And the other way round: the stick brings the receipts, and there is no network at all.
    house.broker.kill().unwrap();
    let in_all = so_far + FILMS[2];
    receive(&house, "second", FILMS[2], 33, in_all);
    let folder = export(&house, &stick);
    house.cloud.order(&["import", folder.to_str().unwrap()]).unwrap();
    let (done, words) = agent(&house, &["import-receipts"], &folder);
    assert!(done && words.contains("0 had their receipt before"), "{words}");
    assert_eq!(journal::waiting(&house.hospital.outbox()).unwrap(), journal::Waiting::default());
    let entries = journal::entries(&house.hospital.outbox()).unwrap();
    assert!(entries.len() == in_all && entries.iter().all(|entry| entry.state == "receipted"), "{entries:?}");
    house.broker.restart().unwrap();
    house.wait_until_drained(in_all).unwrap();
    assert_eq!(results(), (in_all, in_all));
    assert_eq!(count("SELECT count(*) FROM images"), in_all, "each film came with its picture, once");
    let audited = |action: &str| count(&format!("SELECT count(*) FROM audit WHERE action = '{action}'"));
    assert_eq!((audited("carry.imported"), audited("carry.refused")), (3, 1));
}
