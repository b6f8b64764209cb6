//! An engine as these tests start it: the tiny bundle on one thread of the CPU, in the inference process of this crate.

use reader::inference::{BatchPolicy, EngineConfig, WorkerConfig};
use reader::model::{ProviderChoice, SessionConfig};

use crate::onnxruntime::library;
use crate::publisher::{tiny, trust};

/// The side of the tiny model's images.
pub(crate) const SIDE: usize = 224;

pub(crate) fn session() -> SessionConfig {
    SessionConfig { threads: 1, provider: ProviderChoice::Cpu, ..SessionConfig::default() }
}

pub(crate) fn config(batch: BatchPolicy, queue: usize) -> EngineConfig {
    let worker = WorkerConfig::new(env!("CARGO_BIN_EXE_inference-worker").into(), vec![]);
    EngineConfig { session: session(), batch, queue, ..EngineConfig::new(tiny(), trust(), library(), worker) }
}
