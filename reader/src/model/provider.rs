//! Execution providers: which are asked for, and which one is really in use. ONNX Runtime falls back to the CPU without an
//! error when a GPU provider cannot start, so the answer is read from the session itself, node by node.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};
use std::fmt;
use std::path::Path;
use std::ptr;

use ort::AsPointer;
use ort::ep::{CPU, CUDA, ExecutionProvider, ExecutionProviderDispatch, TensorRT};
use ort::session::Session;
use serde::{Deserialize, Serialize};

use crate::pixels::INPUT_SIDE;

/// What the configuration asks for. A named provider is meant: where another one computes, the model is not used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderChoice {
    /// TensorRT, else CUDA, else the CPU.
    #[default]
    Auto,
    /// TensorRT; what it cannot take of the model may go to CUDA.
    TensorRT,
    /// CUDA.
    Cuda,
    /// The CPU.
    Cpu,
}

/// How finely a GPU computes. The CPU always computes in single precision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision, 24 bits of mantissa: the CPU's answers to the last digits.
    #[default]
    Fp32,
    /// Products with 11 bits of mantissa and sums in single precision, on Ampere and newer.
    Tf32,
    /// Half precision, by TensorRT only.
    Fp16,
}

impl Precision {
    /// As the configuration and the engine cache name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Tf32 => "tf32",
            Self::Fp16 => "fp16",
        }
    }
}

/// There with every NVIDIA driver, on boards and on cards.
const NVIDIA: &str = "/dev/nvidiactl";

impl ProviderChoice {
    /// Whether a GPU may come to compute: one is allowed, and this machine has an NVIDIA driver. Which one really does is
    /// known only from a session.
    #[must_use]
    pub fn may_meet_a_gpu(self) -> bool {
        self != Self::Cpu && Path::new(NVIDIA).exists()
    }

    /// In ONNX Runtime's order of preference. Providers that the loaded library was built without are left out: asking for
    /// them would log an error at every start of a CPU-only machine.
    pub(super) fn dispatches(self, shaping: &Shaping<'_>) -> Vec<ExecutionProviderDispatch> {
        let cuda = self != Self::Cpu && CUDA::is_available().unwrap_or(false);
        let mut dispatches = Vec::with_capacity(3);
        dispatches.extend(self.wants_tensorrt().then(|| tensorrt(shaping).build()));
        // ONNX Runtime computes in TF32 unless told not to.
        dispatches.extend(cuda.then(|| CUDA::default().with_tf32(shaping.precision != Precision::Fp32).build()));
        // Without its arena each run maps its memory anew: a fifth of the processor time went into page faults.
        dispatches.push(CPU::default().with_arena_allocator(true).build());
        dispatches
    }

    /// TensorRT is asked for, and the loaded library knows it.
    pub(super) fn wants_tensorrt(self) -> bool {
        matches!(self, Self::Auto | Self::TensorRT) && TensorRT::is_available().unwrap_or(false)
    }

    /// Whether a model computed by `provider` is what was asked for.
    #[must_use]
    pub fn accepts(self, provider: Provider) -> bool {
        match self {
            Self::Auto => true,
            Self::TensorRT => provider == Provider::TensorRT,
            Self::Cuda => provider == Provider::Cuda,
            Self::Cpu => provider == Provider::Cpu,
        }
    }
}

/// What a provider has to know before it compiles the model.
pub(super) struct Shaping<'a> {
    /// Name of the input tensor.
    pub(super) input: &'a str,
    /// Images in the largest batch.
    pub(super) max_batch: usize,
    /// How finely to compute.
    pub(super) precision: Precision,
    /// Where built engines lie.
    pub(super) engines: Option<&'a Path>,
}

/// One engine for every batch size in use: built for the largest, good from one image on.
fn tensorrt(shaping: &Shaping<'_>) -> TensorRT {
    let shape = |images: usize| format!("{}:{images}x1x{INPUT_SIDE}x{INPUT_SIDE}", shaping.input);
    let largest = shaping.max_batch.max(1);
    let provider = TensorRT::default()
        .with_fp16(shaping.precision == Precision::Fp16)
        .with_profile_min_shapes(shape(1))
        .with_profile_opt_shapes(shape(largest))
        .with_profile_max_shapes(shape(largest));
    let Some(engines) = shaping.engines else { return provider };
    let folder = engines.display().to_string();
    provider
        .with_engine_cache(true)
        .with_engine_cache_path(&folder)
        .with_timing_cache(true)
        .with_timing_cache_path(folder)
}

/// The provider that computes the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Provider {
    /// The processor.
    #[serde(rename = "CPU")]
    Cpu,
    /// NVIDIA CUDA.
    #[serde(rename = "CUDA")]
    Cuda,
    /// NVIDIA TensorRT.
    TensorRT,
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "CPU",
            Self::Cuda => "CUDA",
            Self::TensorRT => "TensorRT",
        })
    }
}

impl Provider {
    fn from_name(name: &str) -> Self {
        match name {
            "TensorrtExecutionProvider" => Self::TensorRT,
            "CUDAExecutionProvider" => Self::Cuda,
            _ => Self::Cpu,
        }
    }

    /// The provider that took most of `session`'s nodes (TensorRT counts whole fused subgraphs by the nodes in them).
    /// The session must have been built with [`RECORD_ASSIGNMENT`].
    pub(super) fn in_use(session: &Session) -> Result<Self, ort::Error> {
        let mut nodes = BTreeMap::<Self, usize>::new();
        for (name, count) in assignment(session)? {
            *nodes.entry(Self::from_name(&name)).or_default() += count;
        }
        Ok(nodes.into_iter().max_by_key(|(_, count)| *count).map_or(Self::Cpu, |(provider, _)| provider))
    }
}

/// Session configuration entry that makes ONNX Runtime remember which provider took which node.
pub(super) const RECORD_ASSIGNMENT: (&str, &str) = ("session.record_ep_graph_assignment_info", "1");

/// Per assigned subgraph: the provider's name and how many nodes it took.
#[allow(unsafe_code)]
fn assignment(session: &Session) -> Result<Vec<(String, usize)>, ort::Error> {
    let api = ort::api();
    let inner = session.inner();
    let (mut subgraphs, mut count) = (ptr::null(), 0usize);
    // SAFETY: `inner` keeps the session alive for this whole function; both out-pointers point to locals. The array and all
    // that is reached from it belong to the session and live as long as it (onnxruntime_c_api.h, Session_GetEpGraphAssignmentInfo).
    unsafe {
        let status = (api.Session_GetEpGraphAssignmentInfo)(inner.ptr(), &raw mut subgraphs, &raw mut count);
        ort::Error::result_from_status(status)?;
    }
    let mut found = Vec::with_capacity(count);
    for index in 0..count {
        let mut name: *const c_char = ptr::null();
        let (mut nodes, mut node_count) = (ptr::null(), 0usize);
        // SAFETY: ONNX Runtime reported `count` elements at `subgraphs`, so `index` is inside; out-pointers point to locals;
        // the name is a NUL-terminated string owned by the session and is copied before this function returns.
        let name = unsafe {
            let subgraph = *subgraphs.add(index);
            ort::Error::result_from_status((api.EpAssignedSubgraph_GetEpName)(subgraph, &raw mut name))?;
            let status = (api.EpAssignedSubgraph_GetNodes)(subgraph, &raw mut nodes, &raw mut node_count);
            ort::Error::result_from_status(status)?;
            if name.is_null() { String::new() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
        };
        found.push((name, node_count));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_provider_accepts_itself_only() {
        let all = [Provider::Cpu, Provider::Cuda, Provider::TensorRT];
        for (choice, accepted) in [
            (ProviderChoice::Auto, [true, true, true]),
            (ProviderChoice::TensorRT, [false, false, true]),
            (ProviderChoice::Cuda, [false, true, false]),
            (ProviderChoice::Cpu, [true, false, false]),
        ] {
            assert_eq!(all.map(|provider| choice.accepts(provider)), accepted, "{choice:?}");
        }
    }
}
