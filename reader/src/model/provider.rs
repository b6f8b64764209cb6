//! Execution providers: which are asked for, and which one is really in use. ONNX Runtime falls back to the CPU without an
//! error when a GPU provider cannot start, so the answer is read from the session itself, node by node.

use std::collections::BTreeMap;
use std::ffi::{CStr, c_char};
use std::fmt;
use std::ptr;

use ort::AsPointer;
use ort::ep::{CPU, CUDA, ExecutionProvider, ExecutionProviderDispatch, TensorRT};
use ort::session::Session;
use serde::{Deserialize, Serialize};

/// What the configuration asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderChoice {
    /// TensorRT, else CUDA, else the CPU.
    #[default]
    Auto,
    /// CUDA, else the CPU, without TensorRT: for the parity checks on a GPU board.
    Cuda,
    /// The CPU and nothing else.
    Cpu,
}

impl ProviderChoice {
    /// In ONNX Runtime's order of preference. Providers that the loaded library was built without are left out: asking for
    /// them would log an error at every start of a CPU-only machine.
    pub(super) fn dispatches(self) -> Vec<ExecutionProviderDispatch> {
        let tensorrt = self == Self::Auto && TensorRT::is_available().unwrap_or(false);
        let cuda = self != Self::Cpu && CUDA::is_available().unwrap_or(false);
        let mut dispatches = Vec::with_capacity(3);
        dispatches.extend(tensorrt.then(|| TensorRT::default().build()));
        dispatches.extend(cuda.then(|| CUDA::default().build()));
        dispatches.push(CPU::default().build());
        dispatches
    }
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
