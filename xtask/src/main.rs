//! The developer's commands: demo, test, set-up, bench.

fn main() {}
