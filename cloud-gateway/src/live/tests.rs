//! What a listener hears: everything once and in order, or that it was not everything.

use super::*;

fn event(number: usize) -> Event {
    Event::new(Kind::Result, format!("r{number}"), "st-mary")
}

async fn heard(watch: &mut Watch, count: usize) -> Vec<Heard> {
    let mut all = Vec::new();
    for _ in 0..count {
        all.push(watch.next().await);
    }
    all
}

fn subjects(heard: &[Heard]) -> Vec<String> {
    let subject = |heard: &Heard| match heard {
        Heard::Message(_, Message::Changed(event)) => event.subject.clone(),
        Heard::Lost(_) => "lost".to_owned(),
        other => format!("{other:?}"),
    };
    heard.iter().map(subject).collect()
}

#[tokio::test]
async fn who_comes_anew_is_told_to_look_at_everything_and_then_hears_each_change() {
    let live = Live::alone(1);
    live.announce(event(1));
    let mut watch = live.watch(None);
    live.announce(event(2));
    live.announce(event(3));
    assert_eq!(subjects(&heard(&mut watch, 4).await), ["Whole(true)", "lost", "r2", "r3"]);
}

#[tokio::test]
async fn who_comes_back_hears_what_he_missed_and_not_what_he_heard() {
    let live = Live::alone(1);
    (1..=5).for_each(|number| live.announce(event(number)));
    let mut watch = live.watch(Some(&Place::new(&live.epoch, 3)));
    live.announce(event(6));
    assert_eq!(subjects(&heard(&mut watch, 4).await), ["Whole(true)", "r4", "r5", "r6"]);
}

#[tokio::test]
async fn what_is_no_longer_remembered_or_never_was_here_is_lost() {
    let live = Live::alone(1);
    (0..REMEMBERED + 2).for_each(|number| live.announce(event(number)));
    for (place, lost) in [
        (Place::new(&live.epoch, 1), true),
        // The oldest that is remembered is the next one.
        (Place::new(&live.epoch, 2), false),
        (Place::new("another start", 2), true),
        (Place::new(&live.epoch, 1_000_000), true),
    ] {
        let second = live.watch(Some(&place)).waiting.get(1).cloned();
        assert_eq!(matches!(second, Some(Heard::Lost(Some(_)))), lost, "{place}");
    }
}

#[tokio::test]
async fn who_lags_behind_is_told_so_and_holds_nobody_up() {
    let live = Live::alone(1);
    let mut watch = live.watch(None);
    heard(&mut watch, 2).await;
    (0..REMEMBERED + 1).for_each(|number| live.announce(event(number)));
    assert_eq!(watch.next().await, Heard::Lost(None));
    assert_eq!(subjects(&heard(&mut watch, 1).await), ["r1"]);
}

#[tokio::test]
async fn replicas_hear_each_other_and_not_themselves() {
    let (here, mut letters) = Live::together(1);
    let (there, _letters) = Live::together(2);
    assert_eq!(there.watch(None).next().await, Heard::Whole(false));
    let greeting = there.joined();
    let mut watch = there.watch(None);
    assert_eq!(subjects(&heard(&mut watch, 2).await), ["Whole(true)", "lost"]);
    here.announce(event(1).by("ada"));
    let letter = letters.0.recv().await.unwrap();
    here.hear(letter.as_bytes());
    there.hear(letter.as_bytes());
    there.hear(b"not a letter");
    let Heard::Message(_, Message::Changed(told)) = watch.next().await else { panic!("no change") };
    assert_eq!(told, event(1).by("ada"));
    assert_eq!(here.memory().told, 1, "its own letter came back and was told again");
    here.hear(greeting.as_bytes());
    assert_eq!(here.memory().last.back().map(|(_, message)| message.clone()), Some(Message::Missed));
    there.parted();
    assert_eq!(watch.next().await, Heard::Whole(false));
}

#[tokio::test]
async fn what_finds_no_room_on_its_way_to_the_others_is_told_as_missed() {
    let (live, _letters) = Live::together(1);
    (0..WAITING).for_each(|number| live.announce(event(number)));
    assert_eq!(live.overflow(), None);
    live.announce(event(0));
    assert!(live.overflow().is_some_and(|letter| letter.contains("missed")));
    assert_eq!(live.overflow(), None);
}

#[tokio::test]
async fn after_the_end_nothing_is_heard() {
    let live = Live::alone(1);
    let mut watch = live.watch(None);
    live.close();
    assert_eq!(watch.next().await, Heard::Closed);
    assert_eq!(live.watch(None).next().await, Heard::Closed);
}
