//! `check-config`: everything that `serve` would stumble over and that can be known without starting it.

use std::path::Path;
use std::process::ExitCode;

use reader::model::Bundle;

use crate::config::Config;
use crate::privacy::PseudonymKey;

/// Exit status for mistakes in a configuration.
const MISTAKES: u8 = 2;

pub(super) fn run(file: &Path) -> anyhow::Result<ExitCode> {
    let config: Config = vitals::config::load(file)?;
    let mistakes = mistakes(&config);
    for mistake in &mistakes {
        eprintln!("hilum-appliance: {}: {mistake}", file.display());
    }
    if !mistakes.is_empty() {
        return Ok(ExitCode::from(MISTAKES));
    }
    println!(
        "{}: {} at {} answers as {} on {} for {} scanner(s)",
        file.display(),
        config.device.id,
        config.device.site,
        config.dicom.ae_title,
        config.dicom.listen,
        config.dicom.allow.len()
    );
    Ok(ExitCode::SUCCESS)
}

/// What is wrong with what the configuration names.
fn mistakes(config: &Config) -> Vec<String> {
    let mut mistakes = Vec::new();
    if let Err(error) = PseudonymKey::load(&config.device.pseudonym_key) {
        mistakes.push(format!("[device] pseudonym_key: {}", vitals::exit::chain(&error)));
    }
    let state_dir = &config.device.state_dir;
    let at_rest = config.device.at_rest().and_then(|key| key.is_key_of(state_dir));
    if let Err(error) = at_rest {
        mistakes.push(format!("[device] at_rest_key: {}", vitals::exit::chain(&error)));
    }
    if let Err(error) = Bundle::open(&config.model.bundle) {
        mistakes.push(format!("[model] bundle: {}", vitals::exit::chain(&error)));
    }
    if !config.model.onnxruntime.is_file() {
        let library = config.model.onnxruntime.display();
        mistakes.push(format!("[model] onnxruntime: there is no {library}; name ONNX Runtime's libonnxruntime.so"));
    }
    if state_dir.exists() && !state_dir.is_dir() {
        mistakes.push(format!("[device] state_dir: {} is not a folder", state_dir.display()));
    }
    mistakes
}
