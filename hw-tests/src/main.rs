//! Checks that need a real NVIDIA device; refuses any other machine with a sentence and exit code 2.

mod board;
mod check;
mod endurance;
mod engine_cache;
mod parity;
mod report;
mod slots;
mod table;
mod thermal;
mod throughput;
mod watchdog;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use reader::model::{Bundle, ModelSession, Precision, ProviderChoice, SessionConfig, Trust};

use self::check::{Check, Outcome};
use self::report::Report;

/// Proves a model bundle and its service on this machine: same answers as the CPU, how fast, for how long, without growing;
/// and that the machine recovers. Exit code 0: all that was looked at holds; 1: something does not; 2: this machine cannot
/// answer.
#[derive(Parser)]
struct Arguments {
    /// Only these checks, divided by commas; all that the board offers otherwise.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Check>,
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
    /// Minutes of full load; the first is held against the last.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=600))]
    minutes: u64,
    /// Service whose watchdog is tried; it is stopped for about a minute.
    #[arg(long, default_value = "hilum-appliance.service")]
    unit: String,
    /// Where its status page listens.
    #[arg(long, default_value = "127.0.0.1:9464")]
    health: SocketAddr,
    /// Also put the results between the marks of this document.
    #[arg(long, value_name = "DOCUMENT", num_args = 0..=1, default_missing_value = "docs/BENCHMARKS.md")]
    write: Option<PathBuf>,
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

/// What the checks share: the model on the GPU is opened once, by the first that needs it.
struct Ground<'a> {
    arguments: &'a Arguments,
    session: Option<ModelSession>,
}

impl Ground<'_> {
    fn config(&self) -> SessionConfig {
        let Arguments { provider, precision, .. } = *self.arguments;
        SessionConfig { provider, precision, max_batch: throughput::LARGEST, ..SessionConfig::default() }
    }

    fn bundle(&self) -> Result<Bundle> {
        Ok(Bundle::open(&self.arguments.bundle, &Trust::load(std::slice::from_ref(&self.arguments.key))?)?)
    }

    fn gpu(&mut self) -> Result<&mut ModelSession> {
        let session = match self.session.take() {
            Some(session) => session,
            None => {
                let provider = self.arguments.provider;
                let opened = ModelSession::open(&self.bundle()?, &self.arguments.onnxruntime, &self.config());
                opened.with_context(|| {
                    format!(
                        "cannot open the model on {provider:?}: use the library of the PyPI wheel `onnxruntime-gpu` and \
                         install the CUDA, cuDNN and TensorRT versions that it names"
                    )
                })?
            }
        };
        Ok(self.session.insert(session))
    }

    fn run(&mut self, check: Check) -> Outcome {
        let arguments = self.arguments;
        let ended = match check {
            Check::Cache => self.cache(),
            Check::Parity => self.parity(),
            Check::Throughput => {
                self.gpu().and_then(|gpu| throughput::check(gpu, arguments.seconds)).map(Outcome::Passed)
            }
            Check::Thermal => self.gpu().and_then(|gpu| thermal::check(gpu, arguments.minutes)),
            Check::Memory => self.gpu().and_then(|gpu| endurance::check(gpu, arguments.images)),
            Check::Watchdog => Ok(watchdog::check(&arguments.unit, arguments.health)),
            Check::Slots => Ok(slots::check()),
        };
        ended.unwrap_or_else(|error| Outcome::failed(format!("{error:#}")))
    }

    fn cache(&self) -> Result<Outcome> {
        let Arguments { bundle, key, onnxruntime, provider, .. } = self.arguments;
        if *provider != ProviderChoice::TensorRT {
            return Ok(Outcome::Refused("only TensorRT builds engines: ask with --provider tensorrt".into()));
        }
        engine_cache::check(bundle, key, onnxruntime, &self.config()).map(|words| Outcome::Passed(words.into()))
    }

    fn parity(&mut self) -> Result<Outcome> {
        let (bundle, config) = (self.bundle()?, self.config());
        let library = &self.arguments.onnxruntime;
        parity::check(&bundle, library, &config, self.gpu()?).map(Outcome::Passed)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let board = match board::detect() {
        Ok(board) => board,
        Err(refusal) => {
            eprintln!("hw-tests: {refusal}");
            return ExitCode::from(check::REFUSED);
        }
    };
    println!("device: {} (driver {})", board.name, board.driver);
    let by_name = !arguments.only.is_empty();
    let asked = if by_name { &*arguments.only } else { Check::value_variants() };
    let mut ground = Ground { arguments: &arguments, session: None };
    let mut outcomes = Vec::new();
    for check in asked {
        let outcome = ground.run(*check);
        println!("\n{}: {}: {}", check.name(), outcome.word(), outcome.words());
        outcome.table().iter().for_each(|table| println!("\n{}", table.markdown()));
        outcomes.push((*check, outcome));
    }
    let report = Report { board: &board, arguments: &arguments, outcomes: &outcomes };
    if let Some(document) = &arguments.write
        && let Err(error) = table::write(document, &report.markdown())
    {
        eprintln!("hw-tests: {error:#}");
        return ExitCode::FAILURE;
    }
    ExitCode::from(check::exit_code(outcomes.iter().map(|(_, outcome)| outcome), by_name))
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

    #[test]
    fn checks_are_asked_for_by_name_and_a_document_is_written_where_it_is_asked_for() {
        let parse = |words: &[&str]| Arguments::try_parse_from([&["hw-tests"], words].concat());
        let asked = parse(&["--only", "thermal,watchdog", "--write"]).unwrap();
        assert_eq!(asked.only, [Check::Thermal, Check::Watchdog]);
        assert_eq!(asked.write.unwrap().to_str(), Some("docs/BENCHMARKS.md"));
        assert!(parse(&[]).is_ok_and(|asked| asked.only.is_empty() && asked.write.is_none()));
        // One minute is the first and the last at once.
        for words in [&["--only", "thermals"], &["--minutes", "1"]] {
            assert!(parse(words).is_err());
        }
    }
}
