//! Every image that was acknowledged gets its one result: through kills, stops and files that cannot be read.

use super::*;

#[test]
fn every_image_that_was_acknowledged_has_its_one_result() {
    let lab = Lab::new();
    let films = lab.synth(3);
    std::fs::write(films.join("LICENCE.txt"), "not a film").unwrap();
    let service = lab.start();
    let sent = lab.send(&films);
    let lines = String::from_utf8(sent.stdout).unwrap();
    assert!(sent.status.success(), "a licence in the folder is no failure: {lines}");
    assert_eq!((lines.matches("\"0x0000\"").count(), lines.matches("\"not_dicom\"").count()), (3, 1), "{lines}");
    // A second time: acknowledged, read nothing again.
    assert!(lab.send(&films).status.success());
    lab.await_concluded(3);

    let (results, images) = lab.messages();
    assert_eq!((results.len(), images.len()), (3, 3));
    let instances: BTreeSet<&str> = results.iter().map(|result| result.instance.0.as_str()).collect();
    assert_eq!(instances.len(), 3);
    for result in &results {
        let OutcomeV1::Read(read) = &result.outcome else { panic!("{:?}", result.outcome) };
        assert!((0.0..=1.0).contains(&read.probability) && read.provider == "CPU" && read.model.digest.len() == 64);
        assert_eq!((result.site.as_str(), result.study.0.len()), ("Lab", 26));
        assert!(result.stages.total_ms > 0.0 && result.stages.decode_ms > 0.0);
    }
    assert!(images.iter().all(|image| image.saliency.is_some() && !image.preview.samples.is_empty()));

    let (status, page) = lab.get("/").unwrap();
    assert_eq!(status, 200);
    assert!(page.contains("lab-1, Lab") && page.contains("Everything works"), "{page}");
    let (_, metrics) = lab.get("/metrics").unwrap();
    for name in [
        "build_info{version=",
        "pneumonia_predictions_total{",
        "model_inference_duration_seconds_count",
        "dicom_stores_total{",
    ] {
        assert!(metrics.contains(name), "{name}: {metrics}");
    }
    stop(service);
}

#[test]
fn a_killed_service_goes_on_with_what_it_had_acknowledged() {
    let lab = Lab::new();
    let films = lab.synth(6);
    let mut service = lab.start();
    assert!(lab.send(&films).status.success());
    service.0.kill().unwrap();
    service.0.wait().unwrap();
    let service = lab.start();
    lab.await_concluded(6);
    let (results, _) = lab.messages();
    let instances: BTreeSet<&str> = results.iter().map(|result| result.instance.0.as_str()).collect();
    assert_eq!((results.len(), instances.len()), (6, 6));
    stop(service);
}

#[test]
fn what_cannot_be_read_is_answered_and_kept_aside() {
    let lab = Lab::new();
    let films = lab.synth(2);
    let mut broken = std::fs::read(films.join("synthetic-0001-normal.dcm")).unwrap();
    broken.truncate(broken.len() / 2);
    std::fs::write(films.join("synthetic-0001-normal.dcm"), broken).unwrap();
    let service = lab.start();
    assert!(lab.send(&films).status.success());
    lab.await_concluded(2);
    let (results, _) = lab.messages();
    let unreadable = results.iter().filter(|result| matches!(result.outcome, OutcomeV1::Unreadable { .. })).count();
    assert_eq!((results.len(), unreadable), (2, 1));
    let kept = std::fs::read_dir(lab.path("state/quarantine")).unwrap().count();
    assert_eq!(kept, 2, "the file and its note");
    stop(service);
}

#[test]
fn an_acknowledged_image_that_can_never_be_read_is_answered_all_the_same() {
    let lab = Lab::new();
    let film = lab.synth(1).join("synthetic-0001-normal.dcm");
    // A folder that holds images has a key already.
    stop(lab.start());
    std::fs::copy(film, lab.path("state/spool/deadly.dcm")).unwrap();
    let mut outbox = lab.outbox();
    for (number, file) in ["gone.dcm", "deadly.dcm"].into_iter().enumerate() {
        let image = NewInstance {
            sop_class: "1.2",
            sop_instance: file,
            digest: [number as u8; 32],
            file,
            source: "XR-ROOM-1",
            received_ms: 1,
            receive_ms: 1.0,
            traceparent: None,
        };
        outbox.accept(&image).unwrap();
    }
    // The second ended the service three times.
    let deadly = outbox.unread(None, 10).unwrap()[1].id;
    for _ in 0..3 {
        outbox.begin_reading(deadly).unwrap();
    }
    drop(outbox);
    let service = lab.start();
    lab.await_concluded(2);
    let (results, _) = lab.messages();
    let codes: BTreeSet<String> = results
        .into_iter()
        .map(|result| match result.outcome {
            OutcomeV1::Unreadable { reason } => reason.code,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(codes, BTreeSet::from(["file_not_found".to_owned(), "reader_crashed".to_owned()]));
    assert!(lab.path("state/quarantine/deadly.dcm").is_file());
    stop(service);
}

/// A decoding process that is frozen, as by a disk that does not answer: the stop comes first.
#[test]
fn a_reading_that_a_stop_cuts_short_is_not_counted_as_a_crash() {
    let lab = Lab::new();
    let films = lab.synth(2);
    let service = lab.start();
    assert!(lab.send(&films.join("synthetic-0001-normal.dcm")).status.success());
    lab.await_concluded(1);
    let pid = service.0.id();
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |thread: std::fs::DirEntry| std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
    let all: String = threads.map(|thread| of(thread.unwrap()) + " ").collect();
    let decoders: BTreeSet<&str> = all.split_whitespace().collect();
    assert!(!decoders.is_empty());
    for decoder in &decoders {
        assert!(Command::new("kill").args(["-STOP", decoder]).status().unwrap().success());
    }
    assert!(lab.send(&films).status.success());
    let attempts = || lab.outbox().unread(None, 10).unwrap().iter().map(|image| image.attempts).collect::<Vec<_>>();
    eventually("a reading begun", || attempts() == [1]);
    stop(service);
    assert_eq!(attempts(), [0]);
}

/// Without a model nothing is read, so that everything waits: the film that came last is the first in the line.
#[test]
fn a_route_has_its_sources_images_read_first() {
    let lab = Lab::new();
    lab.configure(|text| {
        let allowed = text.replace("[[dicom.allow]]", "[[dicom.allow]]\nae_title = \"XR-ER\"\n[[dicom.allow]]");
        let route = "[[route]]\nfrom = [\"XR-ER\"]\nreading = \"urgent\"\n";
        allowed.replace("models/tiny\"", "models/nowhere\"") + route
    });
    let (others, urgent) = (lab.draw(2, 1), lab.draw(1, 2));
    let service = lab.launch();
    eventually("dicom", || lab.get("/health/ready").is_some_and(|(_, words)| words.contains("\"dicom\":\"ok\"")));
    assert!(lab.send(&others).status.success());
    assert!(lab.sender_from("XR-ER", &urgent).output().unwrap().status.success());
    let line = lab.outbox().unread_since(0, 0, 9).unwrap();
    let line: Vec<(&str, Rank)> = line.iter().map(|image| (image.source.as_str(), image.rank)).collect();
    let expected = [("XR-ER", Rank::Urgent), ("XR-ROOM-1", Rank::Medium), ("XR-ROOM-1", Rank::Medium)];
    assert_eq!(line, expected);
    stop(service);
}

#[test]
fn plain_images_become_objects_that_are_read() {
    let lab = Lab::new();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reader/tests/models/tiny/golden");
    let out = lab.path("wrapped");
    let wrapped = run(&["wrap", "--out", out.to_str().unwrap(), golden.to_str().unwrap()]);
    assert!(wrapped.status.success(), "{wrapped:?}");
    let count = String::from_utf8(wrapped.stdout).unwrap().lines().count() as u64;
    let service = lab.start();
    assert!(count > 0 && lab.send(&out).status.success());
    lab.await_concluded(count);
    stop(service);
}
