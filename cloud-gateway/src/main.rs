//! Takes sealed results from devices, stores each once, and serves the review dashboard.

fn main() {}
