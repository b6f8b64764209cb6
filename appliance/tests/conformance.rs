//! docs/CONFORMANCE.md says what the code does: each of its tables is compared with the code's own, in both directions.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states its expectations")]

use std::collections::BTreeSet;

use appliance::dicom::acceptance::Rejection;
use appliance::dicom::commitment::{FAILURE_REASONS, PUSH_MODEL};
use appliance::dicom::tls::SUITES;
use appliance::dicom::{AeTitle, LONGEST_DATA, Status, Timeouts, syntax};
use appliance::reading_order::PRIORITIES;
use appliance::spool::part10::IMPLEMENTATION_CLASS_UID;
use appliance::stow::Limits;
use appliance::stow::answer::Failure;
use dicom_encoding::TransferSyntaxIndex;
use dicom_transfer_syntax_registry::TransferSyntaxRegistry;

const DOCUMENT: &str = include_str!("../../docs/CONFORMANCE.md");

/// The rows of the table under the heading that ends with `heading`, without their backticks.
fn table(heading: &str) -> BTreeSet<Vec<String>> {
    let is_heading = |line: &&str| line.starts_with('#') && line.trim_end().ends_with(heading);
    let mut lines = DOCUMENT.lines().skip_while(|line| !is_heading(line)).skip(1);
    let rows = lines.by_ref().take_while(|line| !line.starts_with('#')).filter(|line| line.starts_with('|'));
    let cells = |row: &str| -> Vec<String> {
        row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
    };
    // The names of the columns, and the line beneath them.
    let rows: BTreeSet<_> = rows.skip(2).map(cells).collect();
    assert!(!rows.is_empty(), "there is no table under {heading:?}");
    rows
}

fn compare(heading: &str, code: impl IntoIterator<Item = Vec<String>>) {
    let (document, code) = (table(heading), code.into_iter().collect::<BTreeSet<_>>());
    let only_there: Vec<_> = document.difference(&code).collect();
    let only_here: Vec<_> = code.difference(&document).collect();
    assert!(
        only_there.is_empty() && only_here.is_empty(),
        "{heading}\nonly in the document: {only_there:?}\nonly in the code: {only_here:?}"
    );
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

#[test]
fn the_kinds_of_objects_are_those_of_the_code() {
    compare("Storage SOP classes", syntax::STORAGE.map(|class| row([class.name, class.uid])));
    let services = [syntax::VERIFICATION, PUSH_MODEL];
    compare("Services", services.map(|uid| row([syntax::name(uid).unwrap(), uid])));
}

#[test]
fn the_transfer_syntaxes_are_those_of_the_code() {
    let named = |uid: &str| {
        let known = TransferSyntaxRegistry.get(uid).unwrap();
        row([known.name(), uid])
    };
    compare("Transfer syntaxes of objects", syntax::TRANSFER_SYNTAXES.map(named));
    compare("Transfer syntaxes of services", syntax::accepted_for(PUSH_MODEL).iter().map(|uid| named(uid)));
}

#[test]
fn the_status_codes_are_those_of_the_code() {
    let told = |status: Status| row([&format!("0x{:04X}", status.code), status.label, status.comment]);
    compare("Status codes", Status::ALL.map(told));
    compare("Failure reasons", FAILURE_REASONS.map(|(code, name)| row([&format!("0x{code:04X}"), name])));
}

#[test]
fn the_order_of_reading_is_that_of_the_code() {
    let told = |(value, name, order): (u16, &str, &str)| row([&format!("0x{value:04X}"), name, order]);
    compare("Order of reading", PRIORITIES.map(told));
}

#[test]
fn the_store_requests_over_http_are_those_of_the_code() {
    let told = |failure: Failure| {
        let (code, words) = failure.told();
        row([&format!("0x{code:04X}"), words])
    };
    compare("Failure reasons of objects", Failure::ALL.map(told));
    compare(
        "Limits of a request",
        [
            row(["Head, bytes", &Limits::HEAD.to_string()]),
            row(["Objects", &Limits::PARTS.to_string()]),
            row(["Silence within the body, seconds", &Limits::IDLE.as_secs().to_string()]),
        ],
    );
}

#[test]
fn the_rejections_are_those_of_the_code() {
    let title = || -> AeTitle { "XR".parse().unwrap() };
    let all = [
        Rejection::Protocol,
        Rejection::ApplicationContext,
        Rejection::Called(None),
        Rejection::Calling(None),
        Rejection::Address(title(), "::1".parse().unwrap()),
        Rejection::Certificate(title(), None),
        Rejection::Full(title(), 1),
    ];
    let told = |rejection: &Rejection| {
        let answer = rejection.answer();
        row([rejection.label(), &format!("{:?}", answer.result), &answer.source.to_string()])
    };
    compare("Rejected associations", all.iter().map(told));
}

#[test]
fn the_limits_and_the_suites_are_those_of_the_code() {
    let timeouts = Timeouts::default();
    compare(
        "Limits",
        [
            row(["Longest PDU received, bytes", &LONGEST_DATA.to_string()]),
            row(["ARTIM timer, seconds", &timeouts.artim.as_secs().to_string()]),
            row(["Idle time between two PDUs, seconds", &timeouts.idle.as_secs().to_string()]),
            row(["Operations invoked and performed at a time", "1"]),
        ],
    );
    compare("Implementation", [row(["Implementation class UID", IMPLEMENTATION_CLASS_UID])]);
    compare("Cipher suites", SUITES.map(|suite| row([suite.suite().as_str().unwrap()])));
}
