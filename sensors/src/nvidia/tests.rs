//! A library is loaded, asked and given up. It is one of ours: the real one comes with a driver and a card.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::*;
use crate::gpu::Reason;
use crate::watch::Watch;

/// More than the machine could need under any load.
const LONG: Duration = Duration::from_secs(60);

/// Compiles the library into `folder`; the C compiler is there wherever this workspace can be built.
pub(crate) fn library(folder: &Path, define: &str) -> std::path::PathBuf {
    let file = folder.join(LIBRARY);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/nvidia/library.c");
    let done = Command::new("cc").args(["-shared", "-fPIC", define, "-o"]).args([&file, &source]).status().unwrap();
    assert!(done.success());
    file
}

#[test]
fn a_card_is_asked_through_the_library() {
    let folder = tempfile::tempdir().unwrap();
    let nvidia = Nvidia::open(library(folder.path(), "-DSOUND").as_os_str()).unwrap();
    let expected = Gpu {
        name: "NVIDIA L4".into(),
        celsius: Some(71.0),
        slowdown_celsius: Some(87.0),
        shutdown_celsius: Some(92.0),
        watts: Some(54.32),
        limit_watts: Some(72.0),
        busy: Some(0.93),
        memory_used_bytes: Some(2 << 30),
        memory_bytes: Some(24 << 30),
        clock_mhz: None,
        reasons: BTreeSet::from([Reason::PowerCap, Reason::Heat]),
    };
    assert_eq!(nvidia.read().unwrap(), [expected]);
}

#[test]
fn no_library_a_missing_driver_and_a_lost_card_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = Nvidia::open(folder.path().join(LIBRARY).as_os_str()).map(drop).unwrap_err();
    assert!(matches!(nothing, NvidiaError::NotInstalled), "{nothing}");
    let driver = Nvidia::open(library(folder.path(), "-DINIT=DRIVER_NOT_LOADED").as_os_str()).map(drop).unwrap_err();
    assert!(matches!(&driver, NvidiaError::Refused(NvmlError::DriverNotLoaded)), "{driver}");
    assert!(driver.to_string().contains("nvidia-smi"), "{driver}");
    let other = tempfile::tempdir().unwrap();
    let lost = Nvidia::open(library(other.path(), "-DHANDLE=GPU_IS_LOST").as_os_str()).unwrap().read().unwrap_err();
    assert!(matches!(lost, NvidiaError::Refused(NvmlError::GpuLost)), "{lost}");
}

#[test]
fn the_watch_tells_of_the_card_and_of_nothing_where_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let bare = Watch::with(folder.path(), folder.path().join(LIBRARY).as_os_str()).unwrap().first(LONG);
    assert_eq!(bare, crate::Readings::default());
    let file = library(folder.path(), "-DSOUND");
    let watch = Watch::with(folder.path(), file.as_os_str()).unwrap();
    assert_eq!(watch.first(LONG).gpus.len(), 1);
    let now = std::time::Instant::now();
    assert_eq!(watch.latest(now).gpus.len(), 1);
    // Nobody answered since: what is known is too old.
    let later = watch.latest(now + LONG);
    assert!(later.is_silent && later.gpus.is_empty(), "{later:?}");
}
