//! Every file of the corpus through the function that libFuzzer drives, and some thousand mutants of it: what a fuzzer found
//! once, a test finds for ever. It runs with the ordinary tests, on the stable tool chain.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states its expectations by panicking")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use fuzz::TARGETS;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Mutants of each target. In all they cost some seconds; `cargo xtask fuzz` is for more.
const MUTANTS: u32 = 2_000;

/// Longest mutant, bytes.
const LONGEST: usize = 16 * 1024;

/// The same mutants in every run: a test that fails now and then helps nobody.
const SEED: u64 = 1;

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

fn below(rng: &mut ChaCha20Rng, most: usize) -> usize {
    rng.next_u32() as usize % most.max(1)
}

/// One of the corpus after a few of libFuzzer's own changes: bits, bytes, lengths, pieces taken out, doubled or of another file.
fn mutant(files: &[(PathBuf, Vec<u8>)], rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut bytes = files[below(rng, files.len())].1.clone();
    for _ in 0..=below(rng, 4) {
        let at = below(rng, bytes.len());
        match (below(rng, 7), bytes.len()) {
            (_, 0) | (0, _) => bytes.insert(at, rng.next_u32() as u8),
            (1, _) => bytes[at] ^= 1 << below(rng, 8),
            (2, _) => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][below(rng, 5)],
            (3, _) => bytes.truncate(at),
            (4, length) => drop(bytes.drain(at..(at + 1 + below(rng, 16)).min(length))),
            (5, _) => {
                let word = [0u32, 1, 0xffff, i32::MAX as u32, u32::MAX, 0xffff_0000][below(rng, 6)].to_le_bytes();
                bytes.splice(at..(at + 4).min(bytes.len()), word);
            }
            _ => {
                let other = &files[below(rng, files.len())].1;
                let from = below(rng, other.len());
                let piece = other[from..(from + below(rng, 64)).min(other.len())].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes.truncate(LONGEST);
    bytes
}

/// Runs it, and on a failure says with which bytes.
fn throw(target: &str, function: fn(&[u8]), what: &str, bytes: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| function(bytes))).is_err() {
        panic!("{target}: {what} broke it; its bytes: {}", bytes.escape_ascii());
    }
}

fn all(name: &str) {
    fuzz::limit_memory();
    let (_, function) = TARGETS.into_iter().find(|(target, _)| *target == name).unwrap();
    let files = corpus(name);
    assert!(!files.is_empty(), "the corpus of {name} is empty");
    for (file, bytes) in &files {
        throw(name, function, &file.display().to_string(), bytes);
    }
    let mut rng = ChaCha20Rng::seed_from_u64(SEED);
    for number in 0..MUTANTS {
        throw(name, function, &format!("mutant {number}"), &mutant(&files, &mut rng));
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            all(stringify!($name));
        })*

        #[test]
        fn every_target_is_replayed() {
            let names = TARGETS.map(|(name, _)| name);
            assert_eq!(names.as_slice(), [$(stringify!($name)),*]);
        }
    };
}

targets! { bundle children config dataset est header hospital outbox pdu wire }
