//! Checks that need a real NVIDIA device; refuses any other machine with a sentence and exit code 2.

mod board;
mod endurance;
mod engine_cache;
mod parity;
mod throughput;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use reader::model::{Precision, ProviderChoice, SessionConfig};

/// Proves a model bundle on this machine's GPU: same answers as the CPU, how fast, and without growing.
#[derive(Parser)]
struct Arguments {
    /// Model bundle directory.
    #[arg(long, default_value = "models/pneumonia-cxr/bundle")]
    bundle: PathBuf,
    /// Public key of its publisher, PEM.
    #[arg(long, default_value = "models/keys/hilum-development.pub")]
    key: PathBuf,
    /// ONNX Runtime's shared library, built for CUDA (PyPI wheel `onnxruntime-gpu`).
    #[arg(long, env = "HILUM_ONNXRUNTIME", default_value = "target/hilum/onnxruntime/libonnxruntime.so")]
    onnxruntime: PathBuf,
    /// Seconds to measure each batch size.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// `cuda` or `tensorrt`.
    #[arg(long, default_value = "cuda", value_parser = provider)]
    provider: ProviderChoice,
    /// `fp32`, `tf32`, or `fp16` with TensorRT.
    #[arg(long, default_value = "fp32", value_parser = precision)]
    precision: Precision,
    /// Images over which the memory must stay flat.
    #[arg(long, default_value_t = 10_000)]
    images: usize,
}

fn provider(word: &str) -> Result<ProviderChoice, String> {
    match word {
        "cuda" => Ok(ProviderChoice::Cuda),
        "tensorrt" => Ok(ProviderChoice::TensorRT),
        _ => Err("use cuda or tensorrt".to_owned()),
    }
}

fn precision(word: &str) -> Result<Precision, String> {
    let all = [Precision::Fp32, Precision::Tf32, Precision::Fp16];
    all.into_iter().find(|precision| precision.name() == word).ok_or_else(|| "use fp32, tf32 or fp16".to_owned())
}

fn checks(arguments: &Arguments) -> Result<()> {
    let (provider, precision) = (arguments.provider, arguments.precision);
    let config = SessionConfig { provider, precision, max_batch: throughput::LARGEST, ..SessionConfig::default() };
    if provider == ProviderChoice::TensorRT {
        engine_cache::check(&arguments.bundle, &arguments.key, &arguments.onnxruntime, &config)?;
    }
    let mut gpu = parity::check(&arguments.bundle, &arguments.key, &arguments.onnxruntime, &config)?;
    throughput::table(&mut gpu, arguments.seconds)?;
    endurance::check(&mut gpu, arguments.images)
}

/// This machine cannot answer the question.
const REFUSED: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let board = match board::detect() {
        Ok(board) => board,
        Err(refusal) => {
            eprintln!("hw-tests: {refusal}");
            return ExitCode::from(REFUSED);
        }
    };
    println!("device: {} (driver {})", board.name, board.driver);
    match checks(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hw-tests: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_asked_for() {
        for (word, expected) in [("fp32", Some(Precision::Fp32)), ("fp16", Some(Precision::Fp16)), ("int8", None)] {
            assert_eq!(precision(word).ok(), expected);
        }
        assert_eq!(provider("tensorrt"), Ok(ProviderChoice::TensorRT));
        // These checks are for a GPU; `auto` and `cpu` would prove nothing of it.
        assert!(provider("cpu").is_err() && provider("auto").is_err());
    }
}
