//! One function for each kind of outside bytes, calling the very parsers that the programs call: what libFuzzer drives
//! (`cargo xtask fuzz`), and what the tests here replay the corpus through. It holds no parser of its own.
//!
//! Each function panics where a promise is broken, and only there: a refusal is an answer like any other. Where a target
//! has several views of the same bytes, the first byte picks one ([`view`]).

#![allow(clippy::expect_used, clippy::panic, reason = "it is how a fuzzer is told")]

mod bundle;
mod children;
mod config;
mod dataset;
mod est;
mod header;
mod hospital;
mod outbox;
mod pdu;
mod wire;

/// A target: its name, which is its folder of the corpus, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 10] = [
    ("bundle", bundle::bundle),
    ("children", children::children),
    ("config", config::config),
    ("dataset", dataset::dataset),
    ("est", est::est),
    ("header", header::header),
    ("hospital", hospital::hospital),
    ("outbox", outbox::outbox),
    ("pdu", pdu::pdu),
    ("wire", wire::wire),
];

/// Address space that the process may have, bytes: a quarter of what the decoding process gets (`Limits::memory_bytes`), and many
/// times what any input here should need.
const MEMORY: u64 = 512 << 20;

/// From here on whoever takes more memory without asking whether there is any ends this process, and so is found.
///
/// # Panics
/// Where the system does not allow a limit.
pub fn limit_memory() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::As).maximum;
    setrlimit(Resource::As, Rlimit { current: Some(MEMORY), maximum }).expect("a lower limit is always allowed");
}

/// Throws `data` at the target of this name.
///
/// # Panics
/// Where there is no such target, and where `data` breaks a promise.
pub fn run(target: &str, data: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    found.expect("a target of that name").1(data);
}

/// Which of `views` ways to look at the rest of `data`; `None` for no bytes at all.
fn view(data: &[u8], views: u8) -> Option<(u8, &[u8])> {
    data.split_first().map(|(first, rest)| (first % views, rest))
}

/// A part of `data` up to the first zero byte, and the rest: names and other short texts in front of a body.
fn cut(data: &[u8]) -> (&[u8], &[u8]) {
    let at = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    (&data[..at], data.get(at + 1..).unwrap_or_default())
}
