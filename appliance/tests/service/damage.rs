//! Damage done on purpose to a running service: the power goes, the database cannot grow, the disk gives nothing back, somebody
//! changes a file. Whatever was acknowledged is answered once; nothing else is promised.

use super::*;

/// The power goes while images come in, at one moment or another: whoever was told success has one row, and a file that opens.
#[test]
fn whatever_was_acknowledged_before_a_kill_is_read_and_read_once() {
    let lab = Lab::new();
    let mut acknowledged = BTreeSet::new();
    for round in 0..6_u32 {
        let films = lab.draw(3, 100 + round);
        let mut service = lab.start();
        if round % 2 == 0 {
            // An image in whose reading three kills fall is given up, as if it had made them; two are no such thing.
            eventually("what the last two kills left", || lab.outbox().journal_counts().unwrap().accepted == 0);
        }
        let mut sender = lab.sender(&films).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut said = BufReader::new(sender.stdout.take().unwrap()).lines().map(Result::unwrap);
        // After none, one or two answers, however fast the machine is, and then at any moment of the next image.
        let mut lines: Vec<String> = said.by_ref().take(round as usize % 3).collect();
        std::thread::sleep(Duration::from_millis(rand::random_range(0..60)));
        service.0.kill().unwrap();
        service.0.wait().unwrap();
        lines.extend(said);
        sender.wait().unwrap();
        let answers = lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let stored = answers.filter(|answer| answer["status"] == "0x0000");
        acknowledged.extend(stored.map(|answer| answer["sop_instance"].as_str().unwrap().to_owned()));
    }
    assert!(acknowledged.len() >= 6, "two kills came after one answer and two after two: {acknowledged:?}");
    let service = lab.start();
    eventually("every image concluded", || lab.outbox().journal_counts().unwrap().accepted == 0);
    let (results, _) = lab.messages();
    let key = PseudonymKey::load(&lab.path("pseudonym.key")).unwrap();
    for instance in &acknowledged {
        let stand_in = key.pseudonym("instance", instance);
        let its: Vec<&ResultV1> = results.iter().filter(|result| result.instance == stand_in).collect();
        let [result] = its.as_slice() else { panic!("{} results for one image", its.len()) };
        assert!(matches!(result.outcome, OutcomeV1::Read(_)), "{:?}", result.outcome);
    }
    // What was stored and not acknowledged may be there, too; what was neither is not.
    let files = std::fs::read_dir(lab.path("state/spool")).unwrap().count();
    assert_eq!(files, results.len());
    stop(service);
}

/// A database that cannot grow, as on a disk that fails to write: the scanner is refused, and all goes on once it can.
#[test]
fn an_image_that_cannot_be_journalled_is_refused_and_its_file_waits_for_the_truth() {
    let lab = Lab::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reader/tests/models/tiny/golden");
    let images = lab.path("images");
    assert!(run(&["wrap", "--out", images.to_str().unwrap(), golden.to_str().unwrap()]).status.success());
    let mut images: Vec<PathBuf> = std::fs::read_dir(images).unwrap().map(|entry| entry.unwrap().path()).collect();
    let last = images.pop().unwrap();
    let service = lab.start();
    for image in &images {
        assert!(lab.send(image).status.success());
    }
    lab.await_concluded(images.len() as u64);

    // From here on its write-ahead log cannot grow by a byte.
    let log = std::fs::metadata(lab.path("state/outbox.sqlite-wal")).unwrap().len();
    assert!(log > std::fs::metadata(&last).unwrap().len() + 4096, "the image itself must still fit: {log}");
    limit_files(&service, &log.to_string());
    let refused = lab.send(&last);
    assert!(!refused.status.success(), "{refused:?}");
    assert_eq!(lab.outbox().journal_counts().unwrap().accepted, 0);
    limit_files(&service, "unlimited");
    assert!(lab.send(&last).status.success(), "it recovers by itself");
    lab.await_concluded(images.len() as u64 + 1);
    let files = || std::fs::read_dir(lab.path("state/spool")).unwrap().count();
    assert_eq!(files(), images.len() + 2, "nobody could tell whether the first attempt had its row");
    stop(service);
    stop(lab.start());
    assert_eq!(files(), images.len() + 1, "the next start can");
}

/// The disk does not give a file back, and then it does: nothing is said about the image meanwhile.
#[test]
fn an_image_whose_file_cannot_be_read_waits_until_it_can() {
    let lab = Lab::new();
    let film = std::fs::read(lab.synth(1).join("synthetic-0001-normal.dcm")).unwrap();
    let key = AtRest::load(None, Some(&lab.path("at-rest.key")), rand::random).unwrap();
    std::fs::create_dir(lab.path("state")).unwrap();
    key.claim(&lab.path("state")).unwrap();
    let (spool, aside) = (lab.path("state/spool"), lab.path("aside"));
    std::fs::create_dir(&spool).unwrap();
    let mut sealer = key.sealer("film.dcm", std::fs::File::create(&aside).unwrap()).unwrap();
    sealer.write(&film).unwrap();
    sealer.finish().unwrap();
    // A folder opens and does not read.
    std::fs::create_dir(spool.join("film.dcm")).unwrap();
    let image = NewInstance {
        sop_class: "1.2",
        sop_instance: "1.3",
        digest: [1; 32],
        file: "film.dcm",
        source: "XR-ROOM-1",
        received_ms: 1,
        receive_ms: 1.0,
        traceparent: None,
    };
    lab.outbox().accept(&image).unwrap();
    let service = lab.launch();
    eventually("words about the file", || lab.get("/").is_some_and(|(_, page)| page.contains("cannot read a file")));
    assert_eq!(lab.outbox().journal_counts().unwrap().accepted, 1);
    std::fs::remove_dir(spool.join("film.dcm")).unwrap();
    std::fs::rename(&aside, spool.join("film.dcm")).unwrap();
    lab.await_concluded(1);
    let (results, _) = lab.messages();
    assert!(matches!(results[0].outcome, OutcomeV1::Read(_)), "{:?}", results[0].outcome);
    stop(service);
}

/// The words say "send it again": whoever does gets a reading, which stands in the place of the words.
#[test]
fn what_was_lost_on_the_disk_and_is_sent_again_is_read_in_the_place_of_its_loss() {
    let lab = Lab::new();
    let films = lab.synth(2);
    lab.configure(|text| text.replace("models/tiny\"", "models/nowhere\""));
    let service = lab.launch();
    eventually("the DICOM port", || lab.send(&films).status.success());
    stop(service);
    let mut files = std::fs::read_dir(lab.path("state/spool")).unwrap().map(|entry| entry.unwrap().path());
    std::fs::remove_file(files.next().unwrap()).unwrap();
    let damaged = files.next().unwrap();
    let mut sealed = std::fs::read(&damaged).unwrap();
    let middle = sealed.len() / 2;
    sealed[middle] ^= 1;
    std::fs::write(&damaged, sealed).unwrap();
    lab.configure(|text| text);
    let service = lab.start();
    lab.await_concluded(2);
    let (told, _) = lab.messages();
    let code = |result: &ResultV1| match &result.outcome {
        OutcomeV1::Unreadable { reason } => reason.code.clone(),
        other => panic!("{other:?}"),
    };
    let codes: BTreeSet<String> = told.iter().map(code).collect();
    assert_eq!(codes, BTreeSet::from(["file_damaged".to_owned(), "file_not_found".to_owned()]));

    for _ in 0..2 {
        assert!(lab.send(&films).status.success());
        lab.await_concluded(2);
    }
    let (all, _) = lab.messages();
    let read: Vec<&ResultV1> = all.iter().filter(|result| matches!(result.outcome, OutcomeV1::Read(_))).collect();
    assert_eq!((all.len(), read.len()), (4, 2), "each was read once, however often it was sent again");
    let replaced: BTreeSet<_> = read.iter().map(|result| result.supersedes.unwrap()).collect();
    assert_eq!(replaced.len(), 2);
    assert!(told.iter().all(|result| result.supersedes.is_none()));
    let spool = std::fs::read_dir(lab.path("state/spool")).unwrap().count();
    assert_eq!(spool, 2, "the damaged file is gone with its result");
    stop(service);
}
