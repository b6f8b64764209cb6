//! The listener against dcmtk, an independent implementation, and against raw sockets that mean no good.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states its expectations")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use support::{FULL, Scp, film};

/// Runs one of dcmtk's programs; a machine without it is told what to install.
fn dcmtk(program: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("{program} cannot be run ({error}); install it with: apt-get install dcmtk"))
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn echoscu_is_answered() {
    let scp = Scp::start();
    let output = dcmtk("echoscu", &["-v", "-aet", "XR-ROOM-1", "-aec", "HILUM", "127.0.0.1", &scp.port()]);
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn a_called_title_that_is_not_ours_is_rejected_with_the_right_reason() {
    let scp = Scp::start();
    let output = dcmtk("echoscu", &["-v", "-aet", "XR-ROOM-1", "-aec", "PACS", "127.0.0.1", &scp.port()]);
    assert!(!output.status.success());
    assert!(text(&output).contains("Called AE Title Not Recognized"), "{}", text(&output));
    assert!(scp.refusals().contains("change [dicom] ae_title"), "{}", scp.refusals());
}

#[test]
fn a_scanner_that_is_not_listed_is_rejected_and_the_remedy_is_shown() {
    let scp = Scp::start();
    let output = dcmtk("echoscu", &["-v", "-aet", "STRANGER", "-aec", "HILUM", "127.0.0.1", &scp.port()]);
    assert!(text(&output).contains("Calling AE Title Not Recognized"), "{}", text(&output));
    assert!(scp.refusals().contains("[[dicom.allow]] ae_title = \"STRANGER\""), "{}", scp.refusals());
}

#[test]
fn storescu_stores_in_each_encoding_it_can_make() {
    let scp = Scp::start();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    film(&folder.path().join("explicit.dcm"), 1);
    // (file, made by, its arguments, the proposal that storescu makes for it)
    let made: [(&str, &str, &[&str], &str); 6] = [
        ("explicit.dcm", "", &[], "-xe"),
        ("implicit.dcm", "dcmconv", &["+ti"], "-xi"),
        ("big.dcm", "dcmconv", &["+tb"], "-xb"),
        ("rle.dcm", "dcmcrle", &[], "-xr"),
        ("lossless.dcm", "dcmcjpeg", &["+e1"], "-xs"),
        ("jpegls.dcm", "dcmcjpls", &[], "-xt"),
    ];
    for (number, (name, program, arguments, proposal)) in made.iter().enumerate() {
        if !program.is_empty() {
            // Its own object each: dcmconv keeps the identifiers, so the pixels differ instead.
            let source = path(&format!("{number}.dcm"));
            film(&folder.path().join(format!("{number}.dcm")), number as u8 + 1);
            let made = dcmtk(program, &[arguments, [source.as_str(), &path(name)].as_slice()].concat());
            assert!(made.status.success(), "{program}: {}", text(&made));
        }
        let sent = dcmtk(
            "storescu",
            &["-v", proposal, "-aet", "XR-ROOM-1", "-aec", "HILUM", "127.0.0.1", &scp.port(), &path(name)],
        );
        assert!(sent.status.success() && text(&sent).contains("(Success)"), "{name}: {}", text(&sent));
    }
    assert_eq!(scp.accepted(), made.len());
    for file in scp.plain_files(folder.path()) {
        let checked = dcmtk("dcmdump", &["-q", file.to_str().unwrap()]);
        assert!(checked.status.success(), "{}", text(&checked));
    }
}

#[test]
fn the_same_object_again_is_acknowledged_and_kept_once() {
    let scp = Scp::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("film.dcm");
    film(&file, 1);
    for _ in 0..2 {
        let sent = scp.send(&file);
        assert!(sent.is_stored(), "{sent:?}");
    }
    assert_eq!((scp.accepted(), scp.files().len()), (1, 1));
}

/// Sends a film again after `harm` was done to its file: it is to be read from another file, and one that is whole stays.
fn sent_again_after(harm: impl Fn(&Path)) {
    let scp = Scp::start();
    let folder = tempfile::tempdir().unwrap();
    let film_file = folder.path().join("film.dcm");
    film(&film_file, 1);
    assert!(scp.send(&film_file).is_stored());
    let harmed = scp.files().remove(0);
    harm(&harmed);
    assert!(scp.send(&film_file).is_stored());
    let files = scp.files();
    assert_eq!((scp.accepted(), files.len()), (1, 1));
    assert_ne!(files[0], harmed);
    assert_eq!(files[0].file_name().unwrap().to_str().unwrap(), scp.unread_files()[0]);
    assert!(scp.send(&film_file).is_stored());
    assert_eq!(scp.files(), files);
}

#[test]
fn an_unread_image_whose_file_was_lost_is_read_from_the_one_that_is_sent_again() {
    sent_again_after(|file| std::fs::remove_file(file).unwrap());
}

#[test]
fn an_unread_image_whose_file_was_damaged_is_read_from_the_one_that_is_sent_again() {
    sent_again_after(|file| {
        let mut sealed = std::fs::read(file).unwrap();
        *sealed.last_mut().unwrap() ^= 1;
        std::fs::write(file, sealed).unwrap();
    });
}

#[test]
fn a_dataset_that_is_another_object_than_its_command_says_is_refused_and_the_rest_goes_on() {
    let scp = Scp::start();
    let mut socket = scp.associate();
    let instance = |value: &[u8; 8]| [&[8, 0, 0x18, 0, 8, 0, 0, 0], value.as_slice()].concat();
    let mut store = |dataset: &[u8]| {
        socket.write_all(&support::store_command(3, "1.2.840.10008.5.1.4.1.1.7", "2.25.7")).unwrap();
        socket.write_all(&support::fragment(3, 2, dataset)).unwrap();
        support::response(&mut socket)
    };
    let refused = store(&instance(b"2.25.8\0\0"));
    assert_eq!(refused.status, 0xA900);
    assert!(refused.comment.contains("UIDs in the dataset differ"), "{}", refused.comment);
    assert_eq!((scp.accepted(), scp.files().len()), (0, 0));
    assert_eq!(store(&instance(b"2.25.7\0\0")).status, 0);
    assert_eq!((scp.accepted(), scp.files().len()), (1, 1));
    assert!(scp.refusals().contains("UIDs in the dataset differ"), "{}", scp.refusals());
}

#[test]
fn commands_that_cannot_be_served_are_answered_and_the_association_goes_on() {
    let scp = Scp::start();
    let mut socket = scp.associate();
    let mut ask = |pdu: &[u8]| {
        socket.write_all(pdu).unwrap();
        support::response(&mut socket).status
    };
    // C-FIND-RQ without a dataset.
    assert_eq!(
        ask(&support::fragment(1, 3, &support::set(&[(0x0100, 0x0020), (0x0110, 1), (0x0800, 0x0101)]))),
        0x0211
    );
    // C-STORE-RQ that announces no dataset.
    assert_eq!(
        ask(&support::fragment(3, 3, &support::set(&[(0x0100, 0x0001), (0x0110, 2), (0x0800, 0x0101)]))),
        0xC000
    );
    // C-STORE-RQ without identifiers.
    let nameless = support::fragment(3, 3, &support::set(&[(0x0100, 0x0001), (0x0110, 3), (0x0800, 1)]));
    assert_eq!(ask(&[nameless, support::fragment(3, 2, &[0; 100])].concat()), 0x0122);
    // Another class than the context's.
    let other = support::store_command(3, "1.2.840.10008.5.1.4.1.1.1", "2.25.7");
    assert_eq!(ask(&[other, support::fragment(3, 2, &[0; 100])].concat()), 0x0122);
    assert_eq!(ask(&support::fragment(1, 3, &support::echo_set())), 0);
    assert_eq!((scp.accepted(), scp.files().len(), scp.half_received()), (0, 0, 0));
}

#[test]
fn an_object_over_the_limit_is_refused_with_a_reason_and_leaves_nothing() {
    let scp = Scp::with(|_, room| room.longest_object = 10_000);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("film.dcm");
    film(&file, 1);
    let sent = scp.send(&file);
    assert_eq!(sent.status, "0xA700");
    assert!(sent.words.contains("larger than"), "{}", sent.words);
    assert_eq!((scp.accepted(), scp.files().len(), scp.half_received()), (0, 0, 0));
}

#[test]
fn one_association_too_many_is_told_to_come_again() {
    let scp = Scp::with(|listener, _| listener.max_associations = 1);
    let mut first = scp.associate();
    let second = dcmtk("echoscu", &["-v", "-aet", "XR-ROOM-1", "-aec", "HILUM", "127.0.0.1", &scp.port()]);
    assert!(text(&second).contains("Local Limit Exceeded"), "{}", text(&second));
    // A-RELEASE-RQ, answered by A-RELEASE-RP.
    first.write_all(&[5, 0, 0, 0, 0, 4, 0, 0, 0, 0]).unwrap();
    let mut answer = [0; 10];
    first.read_exact(&mut answer).unwrap();
    assert_eq!(answer[0], 6);
    drop(first);
    scp.echo_eventually();
}

#[test]
fn associations_that_are_dropped_give_their_places_back() {
    let scp = Scp::with(|listener, _| listener.max_associations = 2);
    for _ in 0..100 {
        let mut socket = scp.connect();
        socket.write_all(&support::association_request()).unwrap();
        assert!(matches!(first_byte(&mut socket), Some(2 | 3)));
    }
    scp.echo_eventually();
}

#[test]
fn a_crowd_that_says_nothing_keeps_nobody_out() {
    let scp = Scp::start();
    let mut crowd: Vec<TcpStream> = (0..200).map(|_| scp.connect()).collect();
    scp.stores();
    assert_eq!(first_byte(&mut crowd[0]), None, "the first of the crowd made room");
}

#[test]
fn a_full_disk_is_told_to_the_scanner_and_nothing_is_kept() {
    let scp = Scp::with(|_, room| room.spool = room.spool.clone().on(FULL));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("film.dcm");
    film(&file, 1);
    let sent = scp.send_all(&[file.clone(), file]);
    assert!(sent.iter().all(|sent| sent.status == "0xA700" && sent.words.contains("free space")), "{sent:?}");
    assert_eq!((scp.accepted(), scp.files().len(), scp.half_received()), (0, 0, 0));
}

#[test]
fn a_stop_lets_the_object_in_hand_be_stored_and_ends_the_association_after_it() {
    let scp = Scp::start();
    let (mut idle, mut busy) = (scp.associate(), scp.associate());
    busy.write_all(&support::store_command(3, "1.2.840.10008.5.1.4.1.1.7", "2.25.7")).unwrap();
    busy.write_all(&support::fragment(3, 0, &[8, 0, 0x18, 0])).unwrap();
    support::eventually(|| scp.half_received() == 1);
    scp.ask_to_stop();
    assert_eq!(first_byte(&mut idle), Some(7), "nothing was in hand there");
    busy.write_all(&support::fragment(3, 2, b"\x08\0\0\x002.25.7\0\0")).unwrap();
    assert_eq!(support::response(&mut busy).status, 0);
    assert_eq!(first_byte(&mut busy), Some(7));
    assert_eq!(scp.accepted(), 1);
}

#[test]
fn http_on_the_port_costs_its_own_connection() {
    let scp = Scp::start();
    let mut browser = scp.connect();
    browser.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(first_byte(&mut browser), Some(7), "an A-ABORT");
    assert!(scp.refusals().contains("does not speak the DICOM"), "{}", scp.refusals());
    scp.stores();
}

#[test]
fn announced_gigabytes_are_not_waited_for() {
    let scp = Scp::start();
    for kind in 1..=7 {
        let mut socket = scp.connect();
        socket.write_all(&[kind, 0, 0xff, 0xff, 0xff, 0xfe]).unwrap();
        // The socket's own patience of 10 s is the limit.
        assert_eq!(first_byte(&mut socket), Some(7), "type {kind}");
        scp.stores();
    }
    let mut within = scp.associate();
    within.write_all(&[4, 0, 0xff, 0xff, 0xff, 0xfe]).unwrap();
    assert_eq!(first_byte(&mut within), Some(7));
    scp.stores();
}

#[test]
fn a_second_association_request_aborts_the_first_and_nothing_else() {
    let scp = Scp::start();
    let mut socket = scp.associate();
    socket.write_all(&support::association_request()).unwrap();
    assert_eq!(first_byte(&mut socket), Some(7));
    assert!(scp.refusals().contains("a PDU that has no place here"), "{}", scp.refusals());
    scp.stores();
}

#[test]
fn silence_ends_a_connection_before_and_after_negotiation() {
    let scp = Scp::with(|listener, _| {
        listener.timeouts.artim = Duration::from_millis(200);
        listener.timeouts.idle = Duration::from_millis(300);
    });
    let mut mute = scp.connect();
    assert_eq!(first_byte(&mut mute), None, "closed without a word");
    scp.stores();
    let mut associated = scp.associate();
    assert_eq!(first_byte(&mut associated), Some(7), "an A-ABORT");
    scp.stores();
}

#[test]
fn a_connection_cut_within_an_object_leaves_nothing_and_what_was_acknowledged_stays() {
    let scp = Scp::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("film.dcm");
    film(&file, 1);
    assert!(scp.send(&file).is_stored());
    let mut socket = scp.associate();
    socket.write_all(&support::store_command(3, "1.2.840.10008.5.1.4.1.1.7", "2.25.7")).unwrap();
    socket.write_all(&support::fragment(3, 0, &[0; 1000])).unwrap();
    socket.write_all(&[4, 0, 0, 0, 100]).unwrap();
    support::eventually(|| scp.half_received() == 1);
    drop(socket);
    support::eventually(|| scp.half_received() == 0);
    assert_eq!((scp.accepted(), scp.files().len()), (1, 1));
    scp.stores();
}

#[test]
fn fragments_out_of_turn_are_an_abort() {
    let scp = Scp::start();
    let cases = [
        // A dataset nobody announced.
        support::fragment(3, 2, &[0; 10]),
        // A command in a context that was not accepted.
        support::fragment(9, 3, &support::echo_set()),
        // A command set that never ends.
        support::fragment(1, 1, &[0; 5000]),
        // A damaged command set.
        support::fragment(1, 3, &[0, 0, 0, 1, 255, 255, 255, 255]),
        // A fragment that is longer than its PDU.
        vec![4, 0, 0, 0, 0, 8, 0, 0, 255, 255, 1, 3, 0, 0],
        // An empty item.
        vec![4, 0, 0, 0, 0, 6, 0, 0, 0, 0, 1, 3],
    ];
    for (number, case) in cases.iter().enumerate() {
        let mut socket = scp.associate();
        socket.write_all(case).unwrap();
        assert_eq!(first_byte(&mut socket), Some(7), "case {number}");
        scp.stores();
    }
    assert!(scp.refusals().contains("XR-ROOM-1 at 127.0.0.1 did not keep to the DICOM protocol"), "{}", scp.refusals());
}

#[test]
fn names_that_are_paths_or_commands_are_no_names() {
    let scp = Scp::start();
    for instance in [b"../../etc/passwd".as_slice(), b"1.2;reboot", b"1.2$(id)"] {
        let mut socket = scp.associate();
        let text = |element: u16, value: &[u8]| {
            [&[0, 0], &element.to_le_bytes()[..], &(value.len() as u32).to_le_bytes(), value].concat()
        };
        let command = [
            text(0x0002, b"1.2.840.10008.5.1.4.1.1.7\0"),
            support::set(&[(0x0100, 0x0001), (0x0110, 9), (0x0800, 1)]),
            text(0x1000, instance),
        ];
        socket.write_all(&support::fragment(3, 3, &command.concat())).unwrap();
        socket.write_all(&support::fragment(3, 2, &[0; 100])).unwrap();
        assert_eq!(support::response(&mut socket).status, 0x0117);
    }
    assert!(scp.refusals().contains("SOP Instance UID is missing or not a UID"), "{}", scp.refusals());
    let mut socket = scp.connect();
    let request = support::association_request();
    let at = request.windows(9).position(|window| window == b"XR-ROOM-1").unwrap();
    socket.write_all(&[&request[..at], b"..\\..\\etc\\passwd", &request[at + 16..]].concat()).unwrap();
    assert_eq!(first_byte(&mut socket), Some(3), "an A-ASSOCIATE-RJ");
    assert!(scp.refusals().contains("gave no valid AE title"), "{}", scp.refusals());
    assert_eq!((scp.accepted(), scp.files().len()), (0, 0));
    scp.stores();
}

#[test]
fn random_bytes_end_no_other_association() {
    let scp = Scp::start();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..200 {
        let mut bytes = support::association_request();
        for _ in 0..4 {
            // xorshift64: any sequence will do, and this one is the same in every run.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = 6 + (state as usize) % (bytes.len() - 6);
            bytes[at] = (state >> 32) as u8;
        }
        let mut socket = scp.connect();
        socket.write_all(&bytes).unwrap();
        let answer = first_byte(&mut socket);
        assert!(matches!(answer, None | Some(2 | 3 | 7)), "round {round}: {answer:?}");
    }
    scp.stores();
}

/// The type of the PDU that comes back; `None` where the connection is closed instead.
fn first_byte(socket: &mut TcpStream) -> Option<u8> {
    let mut byte = [0];
    match socket.read(&mut byte) {
        Ok(1) => Some(byte[0]),
        // A reset is a close, too.
        _ => None,
    }
}
