//! The whole program as it is installed: configured by a file, sent to by C-STORE, killed, started again, asked to stop.
//! With the reader's tiny model, which gives a real logit in no time.
//!
//! Needs ONNX Runtime's library: `HILUM_ONNXRUNTIME`, else target/hilum/onnxruntime/, where `cargo xtask setup` puts it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states its expectations")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use appliance::at_rest::AtRest;
use appliance::privacy::PseudonymKey;
use outbox::{DatabaseKey, NewInstance, Outbox, Rank};
use tempfile::TempDir;
use wire::codec;
use wire::topics::Up;
use wire::v1::result::OutcomeV1;
use wire::v1::{ImageV1, ResultV1};

#[path = "service/damage.rs"]
mod damage;
#[path = "service/deliveries.rs"]
mod deliveries;
#[path = "service/erase.rs"]
mod erase;
#[path = "service/heat.rs"]
mod heat;
#[path = "service/lab.rs"]
mod lab;
#[path = "../../reader/tests/support/onnxruntime.rs"]
mod onnxruntime;
#[allow(dead_code, reason = "of the papers these tests need the collector's alone")]
#[path = "support/papers.rs"]
mod papers;
#[path = "service/readings.rs"]
mod readings;
#[path = "service/reload.rs"]
mod reload;
#[path = "service/rotate.rs"]
mod rotate;
#[path = "service/spans.rs"]
mod spans;
#[path = "service/starts.rs"]
mod starts;

use lab::*;
