//! The power goes at each step of a change of the device's key: the device starts with the key that it is given, goes on
//! receiving, the change is finished, and every image that was acknowledged before, between and after arrives once.

#![cfg(test)]

use std::os::unix::process::ExitStatusExt;

use fail_points::{Point, Program};
use lab::hospital::secret;
use lab::house::{self, House};
use lab::{place, postgres};

/// Films at the beginning and after each power cut.
const FILMS: usize = 2;

#[test]
fn a_change_of_key_that_is_cut_off_anywhere_is_finished_and_costs_no_image() {
    let mut house = House::for_test("key-rotated").unwrap();
    house.hospital.start_appliance().unwrap();
    house.hospital.receive(FILMS, 31).unwrap();
    house.hospital.stop_appliance().unwrap();
    let (armed, released) =
        (place::armed_programs().join("hilum-appliance"), place::program("hilum-appliance").unwrap());
    let new = house.folder.join("new.key");
    let mut films = FILMS;
    for (number, point) in Point::of(Program::Rotation).enumerate() {
        let before = std::fs::read_to_string(house.hospital.at_rest_key()).unwrap();
        let key = house::random().unwrap();
        secret(&new, key).unwrap();
        let cut = house.hospital.rotate(&armed, &new, Some(point.name())).unwrap();
        assert_eq!(cut.status.signal(), Some(9), "{}: {cut:?}", point.name());

        house.hospital.start_appliance().unwrap();
        house.hospital.receive(FILMS, 100 + number as u64).unwrap();
        films += FILMS;
        house.hospital.stop_appliance().unwrap();
        let finished = house.hospital.rotate(&released, &new, None).unwrap();
        assert!(finished.status.success(), "{}: {finished:?}", point.name());
        assert_eq!(std::fs::read_to_string(house.hospital.at_rest_key()).unwrap(), hex::encode(key));

        // Whoever has the key of before is refused.
        std::fs::write(house.hospital.at_rest_key(), before).unwrap();
        let refused = house.hospital.start_appliance().unwrap_err();
        assert!(format!("{refused:#}").contains("not the one that"), "{}: {refused:#}", point.name());
        secret(&house.hospital.at_rest_key(), key).unwrap();
    }
    house.start().unwrap();
    house.wait_until_drained(films).unwrap();
    let count = |sql: &str| postgres::query(&house.cloud.database(), sql).unwrap();
    assert_eq!(count("SELECT count(*) FROM results"), films.to_string());
    assert_eq!(count("SELECT count(DISTINCT payload::json->>'instance') FROM results"), films.to_string());
    let results = house.cloud.log_in().unwrap().results().unwrap();
    assert!(results.iter().all(|result| result.outcome == "read"), "{results:#?}");
}
