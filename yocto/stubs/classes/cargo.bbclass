# Stands for oe-core's cargo.bbclass: the two variables that the recipes add to or read.
CARGO_BUILD_FLAGS = "--frozen --release"
CARGO_TARGET_SUBDIR = "aarch64-oe-linux-gnu/release"
