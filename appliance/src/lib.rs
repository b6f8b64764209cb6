//! The appliance: receives radiographs over DICOM, has each read, and journals every result. It never talks to the cloud;
//! the sync-agent does, from the outbox.
//!
//! ```text
//! scanner ─▶ dicom ─▶ intake ─▶ spool + journal ─▶ success status
//!                                     └─▶ pipeline ─▶ reader ─▶ privacy ─▶ result_record ─▶ journal (outbox)
//! ```
//! Invariants: a success status means that the file, its folder and its journal row are durable ([`intake`]); every
//! acknowledged image gets exactly one result ([`journal`]); nothing leaves but through [`privacy`].

pub mod app;
pub mod at_rest;
pub mod commands;
pub mod config;
pub mod control;
pub mod dicom;
pub mod folder;
pub mod handshake;
pub mod health;
pub mod http_client;
pub mod intake;
pub mod journal;
pub mod ledger;
pub mod lock;
pub mod model;
pub mod output;
pub mod pipeline;
pub mod privacy;
pub mod quarantine;
pub mod reading_order;
pub mod refusals;
pub mod reload;
pub mod rescue;
pub mod result_record;
pub mod retention;
pub mod rotation;
pub mod spans;
pub mod spool;
pub mod stow;
pub mod time_zone;
pub mod world;
