//! `check-config`: everything that `serve` would stumble over and that can be known without starting it.

use std::path::Path;
use std::process::ExitCode;

use reader::model::Trust;
use vitals::config::{Mistakes, Reading};

use crate::config::Config;
use crate::health::words::counted;
use crate::model;
use crate::output::peer;
use crate::privacy::PseudonymKey;
use crate::stow::Clients;

pub(super) fn run(file: &Path) -> anyhow::Result<ExitCode> {
    let (config, warnings) = Reading::<Config>::of_file(file)?.also(named).finish()?;
    for warning in warnings.as_slice() {
        eprintln!("hilum-appliance: warning: {warning}");
    }
    println!(
        "{}: {} at {} answers as {} on {} for {}",
        file.display(),
        config.device.id,
        config.device.site,
        config.dicom.ae_title,
        config.dicom.listen,
        counted(config.dicom.allow.len() as u64, "scanner", "scanners")
    );
    Ok(ExitCode::SUCCESS)
}

/// What is wrong with what the configuration names.
fn named(config: &Config, mistakes: &mut Mistakes<'_>) {
    let mut device = mistakes.table("device");
    if let Err(error) = PseudonymKey::load(&config.device.pseudonym_key) {
        device.mistake("pseudonym_key", vitals::exit::chain(&error));
    }
    let state_dir = &config.device.state_dir;
    if let Err(error) = config.device.at_rest().and_then(|key| key.is_key_of(state_dir)) {
        device.mistake("at_rest_key", vitals::exit::chain(&error));
    }
    if state_dir.exists() && !state_dir.is_dir() {
        device.mistake("state_dir", format!("{} is not a folder", state_dir.display()));
    }
    if let Some(Err(error)) = config.stow.as_ref().map(|stow| Clients::load(&stow.client)) {
        mistakes.table("stow").mistake("client", vitals::exit::chain(&error));
    }
    for (index, destination) in config.destination.iter().enumerate() {
        if let Err(error) = peer::check(destination) {
            mistakes.item("destination", index).mistake(error.key(), error.to_string());
        }
    }
    let mut model = mistakes.table("model");
    match Trust::load(&config.model.trusted_keys) {
        Err(error) => model.mistake("trusted_keys", vitals::exit::chain(&error)),
        Ok(trust) => {
            if let Err(error) = model::verified(&config.model.bundle, &trust) {
                model.mistake("bundle", vitals::exit::chain(&error));
            }
        }
    }
    if !config.model.onnxruntime.is_file() {
        let library = config.model.onnxruntime.display();
        model.mistake("onnxruntime", format!("there is no {library}; name ONNX Runtime's libonnxruntime.so"));
    }
}
