//! The lab: one throw-away hospital and one throw-away cloud on private ports, made of the real programs.
//!
//! A real mosquitto with mutual TLS 1.3, the three binaries as the separate processes they are, SQLite or PostgreSQL. The
//! end-to-end tests live in it, and `cargo xtask demo` is this lab with a table. Nothing in here stands in for a part of
//! the product, and nothing of the product is linked but the list of its fail points: what else the lab knows, it learned
//! from outside, through the same commands, files and ports that an operator has.

pub mod api;
pub mod authority;
pub mod broker;
pub mod cloud;
pub mod courier;
pub mod disk;
pub mod hospital;
pub mod house;
pub mod journal;
pub mod line;
pub mod loss;
pub mod modality;
pub mod orthanc;
pub mod patience;
pub mod place;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod pseudonym;
pub mod receiver;
pub mod redis;
pub mod surroundings;
pub mod tap;
pub mod torture;
