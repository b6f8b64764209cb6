//! `diag`: one archive for whoever helps from afar, without anything of a patient: every part of it is made from an allow-list,
//! and what is on none is left out. It changes nothing and sends nothing.

mod configuration;
mod hardware;
mod logs;
mod service;
mod state;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use tar::{Builder, Header};

use crate::config::Config;
use crate::health::words;
use crate::world::World;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Archive to write.
    #[arg(long, value_name = "FILE.tar.gz")]
    out: PathBuf,
    /// Configuration file.
    #[arg(long, default_value = "/etc/hilum/appliance.toml")]
    config: PathBuf,
    /// Log of JSON lines, where the service does not write to systemd's journal.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Lines of the log at most.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    lines: u32,
}

const ABOUT: &str =
    "Made by `hilum-appliance diag`. It holds no image, no name, no identifier of a patient, a study or an \
image, no key, no address and no AE title: each file is made from a list of what may be told.

versions.json       programs, schemas, model, clock
hardware.json       processor, memory, graphics, disk, ONNX Runtime's library
configuration.toml  numbers and switches as they are, texts withheld
health.json         parts of the running service and what is wrong with them, as a yes or no
metrics.txt         its figures
state.json          how much waits, what ended how, why files are in quarantine
log.jsonl           the last lines of its log: times, levels, our own words and figures
units.txt           what systemd says about the services
";

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let text = std::fs::read_to_string(&arguments.config)
        .with_context(|| format!("cannot read {}; name the configuration with --config", arguments.config.display()))?;
    // A device whose configuration is broken needs help most: what can be told without it is told.
    let config = vitals::config::parse::<Config>(&arguments.config, &text).ok();
    let mut parts = vec![("README.txt", ABOUT.to_owned()), ("configuration.toml", configuration::redacted(&text))];
    parts.push(("versions.json", pretty(&versions(config.as_ref()))));
    parts.push(("hardware.json", pretty(&hardware::found(Path::new("/"), config.as_ref()))));
    if let Some(config) = &config {
        parts.push(("health.json", pretty(&service::health(config.http.listen))));
        parts.push(("metrics.txt", service::metrics(config.http.listen)));
        parts.push(("state.json", pretty(&state::counts(&config.device))));
    }
    parts.push(("log.jsonl", logs::lines(arguments.log.as_deref(), arguments.lines)));
    parts.push(("units.txt", service::units()));
    write(&arguments.out, &parts)
        .with_context(|| format!("cannot write {}; name a file in a folder of yours", arguments.out.display()))?;
    println!(
        "{}: {} files, nothing of a patient; look through it before you send it",
        arguments.out.display(),
        parts.len()
    );
    Ok(ExitCode::SUCCESS)
}

fn versions(config: Option<&Config>) -> serde_json::Value {
    let model = config.and_then(|config| {
        let trust = reader::model::Trust::load(&config.model.trusted_keys).ok()?;
        crate::model::verified(&config.model.bundle, &trust).ok()
    });
    json!({
        "appliance": env!("CARGO_PKG_VERSION"),
        "clock": words::moment((World::real().now_ms)()),
        "model": model.map(|bundle| json!({
            "id": bundle.manifest.id, "version": bundle.manifest.version, "sha256": bundle.manifest.model.sha256,
        })),
    })
}

fn pretty(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}

fn write(out: &Path, parts: &[(&str, String)]) -> std::io::Result<()> {
    let mut archive = Builder::new(GzEncoder::new(File::create(out)?, Compression::default()));
    for (name, text) in parts {
        let mut header = Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("hilum-diag/{name}"), text.as_bytes())?;
    }
    archive.into_inner()?.finish()?.sync_all()
}
