//! The gateway's key changes under a device that drains, and under one that is away until nothing is left of the key that it
//! knows: every result arrives once, and no message is given up.

#![cfg(test)]

use lab::house::House;
use lab::modality::{self, Modality};
use lab::{journal, patience, postgres};

const FILMS: usize = 10;

/// The ids of the keys that open, oldest first, and how many devices seal to each.
fn keys(house: &House) -> Vec<(String, usize)> {
    let told = house.cloud.order(&["identity", "list"]).unwrap();
    let key = |line: &str| {
        let (id, rest) = line.split_once('\t')?;
        let (_, devices) = rest.split_once('\t')?;
        Some((id.to_owned(), devices.split(' ').next()?.parse().ok()?))
    };
    told.lines().filter_map(key).collect()
}

fn rotate_and_retire(house: &House) {
    let old = keys(house).last().unwrap().0.clone();
    house.cloud.order(&["identity", "rotate"]).unwrap();
    let told = house.cloud.order(&["identity", "retire", &old]).unwrap();
    assert!(told.contains(&old) && keys(house).iter().all(|(id, _)| *id != old), "{told}");
}

fn arrived_once(house: &House, films: usize) {
    let count = |sql: &str| postgres::query(&house.cloud.database(), sql).unwrap();
    assert_eq!(count("SELECT count(*) FROM results"), films.to_string());
    assert_eq!(count("SELECT count(DISTINCT payload::json->>'instance') FROM results"), films.to_string());
    assert_eq!(count("SELECT count(*) FROM images"), films.to_string());
    assert_eq!(journal::waiting(&house.hospital.outbox()).unwrap(), journal::Waiting::default());
}

#[test]
fn a_device_that_drains_takes_the_new_key_up_and_the_old_one_can_go() {
    let mut house = House::for_test("sealing-key-drains").unwrap();
    house.start().unwrap();
    let files = modality::draw(&house.folder.join("images"), FILMS, 41).unwrap();
    let scanner = Modality::known(house.hospital.plan.dicom_port);
    let sending = std::thread::spawn(move || scanner.send_all(&files));
    patience::until("the first result in the cloud", patience::BATCH, || {
        let results = postgres::query(&house.cloud.database(), "SELECT count(*) FROM results")?;
        Ok((results != "0").then_some(()))
    })
    .unwrap();
    let old = keys(&house)[0].0.clone();
    house.cloud.order(&["identity", "rotate"]).unwrap();
    let newest = house.cloud.order(&["identity", "retire", &keys(&house)[1].0]);
    assert!(format!("{:#}", newest.unwrap_err()).contains("is the newest"));
    assert!(sending.join().unwrap().unwrap().iter().all(modality::Answer::is_accepted));
    house.wait_until_drained(FILMS).unwrap();
    arrived_once(&house, FILMS);
    // What the device sends of its own state is enough to learn of the key, and to show that it did.
    patience::until("the device to seal to the new key", patience::BATCH, || {
        Ok(matches!(&keys(&house)[..], [(first, 0), (_, 1)] if *first == old).then_some(()))
    })
    .unwrap();
    house.cloud.order(&["identity", "retire", &old]).unwrap();
    house.hospital.receive(2, 42).unwrap();
    house.wait_until_drained(FILMS + 2).unwrap();
    arrived_once(&house, FILMS + 2);
    let refused = "SELECT count(*) FROM audit WHERE action = 'message.rejected'";
    assert_eq!(postgres::query(&house.cloud.database(), refused).unwrap(), "0", "nobody used the old key any more");
}

#[test]
fn a_device_that_was_away_until_two_keys_were_gone_finds_its_way_to_the_third() {
    let mut house = House::for_test("sealing-key-away").unwrap();
    house.start().unwrap();
    house.hospital.receive(2, 51).unwrap();
    house.wait_until_drained(2).unwrap();
    house.hospital.stop_agent().unwrap();
    house.hospital.receive(FILMS, 52).unwrap();
    rotate_and_retire(&house);
    rotate_and_retire(&house);

    house.hospital.launch_agent().unwrap();
    house.wait_until_drained(FILMS + 2).unwrap();
    arrived_once(&house, FILMS + 2);
    let told = "SELECT count(*) FROM audit WHERE action = 'message.rejected' AND actor = 'device:lab-1' \
                AND detail LIKE 'old_key: %'";
    assert_ne!(postgres::query(&house.cloud.database(), told).unwrap(), "0", "each refusal is in the audit trail");
    let changes = "SELECT string_agg(action, ' ' ORDER BY sequence) FROM audit WHERE action LIKE 'key.%'";
    let changes = postgres::query(&house.cloud.database(), changes).unwrap();
    assert_eq!(changes, "key.rotated key.retired key.rotated key.retired");
    // It went the way once; the next start begins at its end.
    let refused = postgres::query(&house.cloud.database(), told).unwrap();
    house.hospital.stop_agent().unwrap();
    house.hospital.receive(1, 53).unwrap();
    house.hospital.start_agent().unwrap();
    house.wait_until_drained(FILMS + 3).unwrap();
    assert_eq!(postgres::query(&house.cloud.database(), told).unwrap(), refused);
}
