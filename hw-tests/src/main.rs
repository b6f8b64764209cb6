//! Checks that need a real NVIDIA device; refuses any other machine.

fn main() {}
