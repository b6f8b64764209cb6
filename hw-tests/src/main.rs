//! Checks that need a real NVIDIA device; refuses any other machine with a sentence and exit code 2.

mod board;
mod parity;
mod throughput;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Proves a model bundle on this machine's GPU: same answers as the CPU, and how fast.
#[derive(Parser)]
struct Arguments {
    /// Model bundle directory.
    #[arg(long, default_value = "models/pneumonia-cxr/bundle")]
    bundle: PathBuf,
    /// ONNX Runtime's shared library, built for CUDA (PyPI wheel `onnxruntime-gpu`).
    #[arg(long, env = "HILUM_ONNXRUNTIME", default_value = "target/hilum/onnxruntime/libonnxruntime.so")]
    onnxruntime: PathBuf,
    /// Seconds to measure each batch size.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
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
    let checks = parity::check(&arguments.bundle, &arguments.onnxruntime)
        .and_then(|mut cuda| throughput::table(&mut cuda, arguments.seconds));
    match checks {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hw-tests: {error:#}");
            ExitCode::FAILURE
        }
    }
}
