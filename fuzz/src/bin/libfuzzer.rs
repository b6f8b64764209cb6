//! libFuzzer around the target that `HILUM_FUZZ_TARGET` names. `cargo xtask fuzz` builds and runs it.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<String> = LazyLock::new(|| {
    fuzz::limit_memory();
    std::env::var("HILUM_FUZZ_TARGET").unwrap_or_default()
});

fuzz_target!(|data: &[u8]| fuzz::run(&TARGET, data));
