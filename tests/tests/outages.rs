//! What surrounds the device fails, and comes back: it says so, loses nothing, and goes on by itself.

#![cfg(test)]

use lab::authority::NAME;
use lab::disk::Disk;
use lab::hospital::Hospital;
use lab::house::House;
use lab::line::{Condition, Line};
use lab::loss::Loss;
use lab::modality::{self, Modality};
use lab::surroundings::{Clock, Names};
use lab::{api, journal, patience, postgres};

/// The spool's reserve of 512 MiB, and room for some films.
const DISK_MIB: u32 = 640;

/// A device with a disk of its own; none where this user may mount nothing, which is told.
fn on_a_small_disk(kind: &str) -> Option<(Hospital, Disk)> {
    let hospital = Hospital::alone(kind, |_| ()).unwrap();
    let disk = Disk::mount(hospital.outbox().parent().unwrap(), DISK_MIB).unwrap();
    if disk.is_none() {
        println!("{kind}: mounting a disk takes root; nothing was tried");
    }
    Some((hospital, disk?))
}

fn page_says(hospital: &Hospital, words: &str) {
    patience::until(words, patience::START, || Ok(hospital.page().ok().filter(|page| page.contains(words)))).unwrap();
}

#[test]
fn a_full_disk_refuses_says_so_and_takes_again_once_there_is_room() {
    let Some((mut hospital, disk)) = on_a_small_disk("disk-full") else { return };
    hospital.start_appliance().unwrap();
    let films = modality::draw(&hospital.plan.folder.join("films"), 3, 7).unwrap();
    let scanner = Modality::known(hospital.plan.dicom_port);
    let send = |film: usize| scanner.send_all(&films[film..=film]).unwrap().remove(0);
    assert!(send(0).is_accepted());
    disk.fill(300 << 20).unwrap();
    let refused = send(1);
    assert!(!refused.is_accepted() && format!("{refused:?}").to_lowercase().contains("a700"), "{refused:?}");
    page_says(&hospital, "almost full");
    disk.free().unwrap();
    assert!(send(1).is_accepted() && send(2).is_accepted(), "without a restart");
    let port = hospital.plan.appliance_port;
    patience::until("the disk to be well again", patience::START, || Ok(api::is_ready(port).then_some(()))).unwrap();
    let outbox = hospital.outbox();
    patience::until("all to be read", patience::BATCH, || {
        let entries = journal::entries(&outbox)?;
        Ok((entries.len() == 3 && entries.iter().all(|entry| entry.state == "concluded")).then_some(()))
    })
    .unwrap();
    hospital.kill_appliance().unwrap();
}

#[test]
fn a_start_on_a_disk_that_is_read_only_says_so_in_one_sentence_and_works_once_it_is_not() {
    let Some((mut hospital, disk)) = on_a_small_disk("disk-read-only") else { return };
    hospital.start_appliance().unwrap();
    hospital.stop_appliance().unwrap();
    disk.set_read_only(true).unwrap();
    let process = hospital.launch_appliance().unwrap();
    patience::until("the appliance to give up", patience::START, || process.ended()).unwrap();
    let words = process.last_words();
    assert!(words.contains("read-only") && words.contains("mount it writable"), "{words}");
    disk.set_read_only(false).unwrap();
    hospital.start_appliance().unwrap();
    hospital.receive(1, 3).unwrap();
    hospital.kill_appliance().unwrap();
}

/// So many images, each with exactly the one result in the cloud that the device's journal names.
fn arrive_once(house: &mut House, images: usize) {
    let entries = house.wait_until_drained(images).unwrap();
    let device = &house.hospital.plan.device;
    let mut wanted: Vec<String> = entries.iter().map(|entry| entry.result_id(device).unwrap().unwrap()).collect();
    wanted.sort();
    let stored = postgres::query(&house.cloud.database(), "SELECT id FROM results ORDER BY id COLLATE \"C\"").unwrap();
    assert_eq!(stored.lines().collect::<Vec<_>>(), wanted);
}

/// Waits until the sync-agent says of itself that it is not well, in these words.
fn agent_says(house: &House, words: &str) {
    let port = house.hospital.plan.agent_port;
    let said = patience::until(words, patience::START, || {
        Ok(api::health(port).ok().filter(|(status, report)| *status == 503 && report.contains(words)))
    });
    said.unwrap_or_else(|error| panic!("{error:#}: {:?}", api::health(port)));
}

#[test]
fn a_broker_whose_name_nobody_knows_is_told_and_found_once_it_is_known() {
    let mut names = None;
    let mut house = House::for_test_with("no-names", |plan| {
        names = Names::none(&plan.folder.join("names")).unwrap();
        plan.agent_within = names.as_ref().map(Names::within).unwrap_or_default();
        NAME.clone_into(&mut plan.broker_host);
    })
    .unwrap();
    let Some(names) = names else { return println!("giving a program other names takes root; nothing was tried") };
    house.cloud.start().unwrap();
    house.hospital.start_appliance().unwrap();
    house.hospital.launch_agent().unwrap();
    house.hospital.receive(3, 21).unwrap();
    agent_says(&house, "not known to the name service");
    names.tell(NAME).unwrap();
    arrive_once(&mut house, 3);
}

#[test]
fn a_line_that_is_dead_and_does_not_say_so_is_noticed_and_nothing_on_it_is_lost_or_doubled() {
    let mut line = None;
    let mut house = House::for_test_with("half-open", |plan| {
        let laid = line.insert(Line::to(plan.broker_port).unwrap());
        (plan.broker_port, plan.keep_alive_s) = (laid.port, 5);
    })
    .unwrap();
    let line = line.unwrap();
    house.start().unwrap();
    house.hospital.receive(1, 22).unwrap();
    arrive_once(&mut house, 1);
    line.set(Condition::Silent);
    let films = modality::draw(&house.folder.join("more"), 3, 23).unwrap();
    let answers = Modality::known(house.hospital.plan.dicom_port).send_all(&films).unwrap();
    assert!(answers.iter().all(modality::Answer::is_accepted));
    // Its silence is all that the agent has to go by: the broker runs, and both ends hold the connection for whole.
    agent_says(&house, "is not connected");
    line.set(Condition::Whole);
    arrive_once(&mut house, 4);
}

#[test]
fn what_goes_over_a_line_that_loses_every_fifth_packet_arrives_once() {
    let mut house = House::for_test("packet-loss").unwrap();
    house.start().unwrap();
    let Some(loss) = Loss::on(house.broker.port, 20).unwrap() else {
        return println!("losing packets takes root and nftables in the kernel; nothing was tried");
    };
    house.hospital.receive(8, 24).unwrap();
    // Connecting, too, is tried over it.
    house.hospital.kill_agent().unwrap();
    house.hospital.launch_agent().unwrap();
    arrive_once(&mut house, 8);
    assert!(loss.packets().unwrap() > 10, "the line was better than it should be");
}

#[test]
fn four_days_without_a_broker_drain_once_it_is_back() {
    let (mut house, clock) = with_a_clock("four-days");
    house.start().unwrap();
    house.broker.kill().unwrap();
    for (day, beyond) in ["+0", "+1d", "+2d", "+3d", "+4d"].into_iter().enumerate() {
        clock.set(beyond).unwrap();
        let films = modality::draw(&house.folder.join(format!("day-{day}")), 4, 30 + day as u64).unwrap();
        let answers = Modality::known(house.hospital.plan.dicom_port).send_all(&films).unwrap();
        assert!(answers.iter().all(modality::Answer::is_accepted));
    }
    agent_says(&house, "is not connected");
    house.broker.restart().unwrap();
    arrive_once(&mut house, 20);
}

#[test]
fn a_gateway_that_is_away_is_waited_for_also_by_a_broker_that_forgets() {
    let mut house = House::for_test("gateway-away").unwrap();
    house.start().unwrap();
    house.cloud.stop().unwrap();
    house.hospital.receive(4, 25).unwrap();
    let metrics = format!("http://127.0.0.1:{}/metrics", house.hospital.plan.agent_port);
    patience::until("the broker to have taken them", patience::BATCH, || {
        let (_, text) = api::text(&metrics)?;
        let sent = text.lines().filter(|line| line.starts_with("sync_messages_sent_total{kind=\"result\"}"));
        Ok(sent.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).any(|sent: f64| sent >= 4.0).then_some(()))
    })
    .unwrap();
    // It stores nothing: whatever it had for the gateway is gone.
    house.broker.kill().unwrap();
    house.broker.restart().unwrap();
    house.cloud.start().unwrap();
    arrive_once(&mut house, 4);
}

#[test]
fn a_clock_that_is_years_ahead_is_told_in_words_and_nothing_is_forgotten_until_it_is_set() {
    let (mut house, clock) = with_a_clock("clock-ahead");
    clock.set("+5y").unwrap();
    house.cloud.start().unwrap();
    house.hospital.start_appliance().unwrap();
    house.hospital.launch_agent().unwrap();
    house.hospital.receive(3, 26).unwrap();
    agent_says(&house, "and a certificate there is not valid then, for it ended");
    let outbox = house.hospital.outbox();
    patience::until("all to be read", patience::BATCH, || Ok((journal::waiting(&outbox)?.waiting >= 3).then_some(())))
        .unwrap();
    assert_eq!(postgres::query(&house.cloud.database(), "SELECT count(*) FROM results").unwrap(), "0");
    clock.set("+0").unwrap();
    arrive_once(&mut house, 3);
}

/// A house whose sync-agent looks at a clock of its own.
fn with_a_clock(kind: &str) -> (House, Clock) {
    let mut clock = None;
    let house = House::for_test_with(kind, |plan| {
        let made = clock.insert(Clock::new(&plan.folder.join("clock")).unwrap());
        plan.agent_within = made.within();
    })
    .unwrap();
    (house, clock.unwrap())
}
