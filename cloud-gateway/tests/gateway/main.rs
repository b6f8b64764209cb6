//! The gateway as its users meet it: real HTTP, both real databases, a real broker.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test states its expectations")]
#![allow(unreachable_pub, reason = "nothing is reachable from outside a test")]

mod accounts;
mod api;
mod api_keys;
mod authorisation;
mod broker;
mod carry;
mod dead_letters;
mod drain;
mod enrolment;
mod est;
mod events;
mod idempotency;
mod ingest;
mod papers;
mod quality;
mod quality_reference;
mod replicas;
mod samples;
mod second_factor;
mod sites;
mod store;
mod work_list;
mod world;
