//! Where the real ONNX Runtime is: `HILUM_ONNXRUNTIME`, else target/hilum/onnxruntime/, where `cargo xtask setup` puts it. It
//! never does without: a test that needs it fails with what to do.

use std::path::{Path, PathBuf};

/// The library; it is there.
pub(crate) fn library() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/hilum/onnxruntime/libonnxruntime.so");
    let library = std::env::var_os("HILUM_ONNXRUNTIME").map_or(own, PathBuf::from);
    assert!(
        library.is_file(),
        "{} is not there: run `cargo xtask setup`, or set HILUM_ONNXRUNTIME to libonnxruntime.so (1.24 or newer)",
        library.display()
    );
    library
}
