//! The one ONNX session: ONNX Runtime loaded from the configured library, the model opened from verified bytes, its shapes
//! checked against the manifest, its buffers bound once per batch size ([`bound`]). It knows nothing of queues.

mod bound;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::session::{Session, SessionOutputs};
use serde::{Deserialize, Serialize};

use super::LoadError;
use super::bundle::Bundle;
use super::engine_cache::{Engines, Machine, Stack};
use super::manifest::Manifest;
use super::provider::{Precision, Provider, ProviderChoice, RECORD_ASSIGNMENT, Shaping};
use crate::saliency::Saliency;
use bound::Bound;

/// Threads, provider and precision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionConfig {
    /// Threads within one operator; 0 lets ONNX Runtime take one per core.
    pub threads: usize,
    /// Which providers to ask for.
    pub provider: ProviderChoice,
    /// How finely a GPU computes.
    pub precision: Precision,
    /// Images in the largest batch, 1 or more.
    pub max_batch: usize,
    /// Folder of the engines that TensorRT has built; without one it builds them anew at each start.
    pub engines: Option<PathBuf>,
}

impl Default for SessionConfig {
    fn default() -> Self {
        let (provider, precision) = (ProviderChoice::default(), Precision::default());
        Self { threads: 0, provider, precision, max_batch: 8, engines: None }
    }
}

/// The model's raw answer for one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Before calibration.
    pub logit: f32,
    /// Relative evidence.
    pub saliency: Saliency,
    /// D numbers.
    pub embedding: Vec<f32>,
}

/// An open session with its reused buffers.
pub struct ModelSession {
    /// Before the session that they belong to.
    bound: BTreeMap<usize, Bound>,
    session: Session,
    names: [String; 4],
    engines: Option<Engines>,
    provider: Provider,
    runtime: String,
}

/// ONNX Runtime allows one environment per process and loads one library for good.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

impl ModelSession {
    /// Opens `bundle`'s model with the ONNX Runtime at `library`. The first library that a process loads stays; later calls
    /// with another path use the first.
    pub fn open(bundle: &Bundle, library: &Path, config: &SessionConfig) -> Result<Self, LoadError> {
        let environment = environment(library)?;
        let failed = |attempt| move |source| LoadError::Session { attempt, source };
        let engines = engines(bundle, library, config)?;
        let session = build(&environment, bundle, config, engines.as_ref()).map_err(failed("opening the model"))?;
        let names = names(&bundle.manifest, &session)?;
        let provider = Provider::in_use(&session).map_err(failed("telling which provider is in use"))?;
        if !config.provider.accepts(provider) {
            return Err(LoadError::Provider { asked: config.provider, found: provider });
        }
        tracing::info!(%provider, threads = config.threads, "model session opened");
        let engines = engines.filter(|_| provider == Provider::TensorRT);
        Ok(Self { bound: BTreeMap::new(), session, names, engines, provider, runtime: ort::info().to_owned() })
    }

    /// The provider really in use.
    #[must_use]
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// ONNX Runtime's own words about its build.
    #[must_use]
    pub fn runtime(&self) -> &str {
        &self.runtime
    }

    /// Says that the session has proved itself and has built all that it builds: its engines are kept from now on.
    pub fn proved(&mut self) -> Result<(), LoadError> {
        let Some(engines) = self.engines.take() else { return Ok(()) };
        let folder = engines.folder().to_owned();
        engines.keep().map_err(|source| LoadError::Engines { folder, source })
    }

    /// Runs one batch of grey images, each [`INPUT_SIDE`]² bytes; answers come in the same order.
    pub fn run(&mut self, images: &[impl AsRef<[u8]>]) -> Result<Vec<Output>, LoadError> {
        if images.is_empty() {
            return Ok(Vec::new());
        }
        let failed = |attempt| move |source| LoadError::Session { attempt, source };
        let size = bound::size(images.len());
        let bound = match self.bound.entry(size) {
            Entry::Occupied(bound) => bound.into_mut(),
            Entry::Vacant(place) => {
                let made = Bound::new(&mut self.session, &self.names, size);
                place.insert(made.map_err(failed("binding the model's buffers"))?)
            }
        };
        let answers = bound.run(&mut self.session, images).map_err(failed("running the model"))?;
        let mut outputs = split(&answers, &self.names[1..], size)?;
        outputs.truncate(images.len());
        sound(outputs)
    }
}

fn environment(library: &Path) -> Result<Environment, LoadError> {
    let mut environment = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = &*environment {
        return Ok(environment.clone());
    }
    let refused = |problem: String| LoadError::Runtime { path: library.to_owned(), problem };
    // Without this test the loader would search the system's paths for a bare name and load what nobody chose.
    if !library.is_file() {
        return Err(refused("there is no such file".into()));
    }
    let library = library.canonicalize().map_err(|e| refused(e.to_string()))?;
    let built = ort::init_from(&library).map_err(|e| refused(e.to_string()))?;
    let built = built.with_name("hilum").with_telemetry(false).build().map_err(|e| refused(e.to_string()))?;
    Ok(environment.insert(built).clone())
}

/// Where TensorRT keeps what it builds for this model on this machine; `None` where it is not asked for.
fn engines(bundle: &Bundle, library: &Path, config: &SessionConfig) -> Result<Option<Engines>, LoadError> {
    let Some(folder) = config.engines.as_ref().filter(|_| config.provider.wants_tensorrt()) else { return Ok(None) };
    let machine = Machine::look(Path::new("/"), library);
    let stack = Stack {
        model: &bundle.manifest.model.sha256,
        onnxruntime: ort::info(),
        machine: &machine,
        precision: config.precision,
        max_batch: config.max_batch,
    };
    let engines = Engines::at(folder, &stack);
    engines.map(Some).map_err(|source| LoadError::Engines { folder: folder.clone(), source })
}

fn build(
    environment: &Environment,
    bundle: &Bundle,
    config: &SessionConfig,
    engines: Option<&Engines>,
) -> Result<Session, ort::Error> {
    let (key, value) = RECORD_ASSIGNMENT;
    let shaping = Shaping {
        input: &bundle.manifest.input.name,
        max_batch: config.max_batch,
        precision: config.precision,
        engines: engines.map(Engines::folder),
    };
    let mut builder = Session::builder(environment)?
        .with_intra_threads(config.threads)?
        .with_config_entry(key, value)?
        // Idle threads sleep: the decoders and the receiver need the cores that spinning ones would hold.
        .with_config_entry("session.intra_op.allow_spinning", "0")?
        .with_execution_providers(config.provider.dispatches(&shaping))?;
    builder.commit_from_memory(&bundle.model)
}

/// Input, logit, saliency, embedding, each of which the model must have.
fn names(manifest: &Manifest, session: &Session) -> Result<[String; 4], LoadError> {
    let missing = |kind: &str, name: &str| LoadError::Shape(format!("it has no {kind} named {name}"));
    let input = &manifest.input.name;
    if session.inputs().len() != 1 || session.inputs()[0].name() != input {
        return Err(missing("single input", input));
    }
    let outputs = &manifest.outputs;
    for name in [&outputs.logit, &outputs.saliency, &outputs.embedding] {
        if !session.outputs().iter().any(|output| output.name() == name) {
            return Err(missing("output", name));
        }
    }
    Ok([input.clone(), outputs.logit.clone(), outputs.saliency.clone(), outputs.embedding.clone()])
}

/// One answer per image out of the batched tensors.
fn split(answers: &SessionOutputs<'_>, names: &[String], n: usize) -> Result<Vec<Output>, LoadError> {
    let tensor = |name: &str, rank: usize| -> Result<(Vec<usize>, &[f32]), LoadError> {
        let wrong =
            |found: String| LoadError::Shape(format!("output {name} is {found}, not f32 [{n}, …] of rank {rank}"));
        let value = answers.get(name).ok_or_else(|| wrong("missing".into()))?;
        let (shape, data) = value.try_extract_tensor::<f32>().map_err(|e| wrong(e.to_string()))?;
        let shape: Vec<usize> = shape.iter().map(|d| usize::try_from(*d).unwrap_or(0)).collect();
        let sound = shape.len() == rank && shape[0] == n && !data.is_empty() && data.len().is_multiple_of(n);
        if sound { Ok((shape, data)) } else { Err(wrong(format!("{shape:?}"))) }
    };
    let (_, logits) = tensor(&names[0], 2)?;
    let (map_shape, maps) = tensor(&names[1], 4)?;
    let (_, embeddings) = tensor(&names[2], 2)?;
    let side = |d: usize| u16::try_from(d).map_err(|_| LoadError::Shape(format!("the saliency map has a side of {d}")));
    let (rows, columns) = (side(map_shape[2])?, side(map_shape[3])?);
    if logits.len() != n || map_shape[1] != 1 {
        return Err(LoadError::Shape(format!("{} logits and {} maps per image", logits.len() / n, map_shape[1])));
    }
    let parts = logits.iter().zip(maps.chunks(maps.len() / n)).zip(embeddings.chunks(embeddings.len() / n));
    let output = |((logit, map), embedding): ((&f32, &[f32]), &[f32])| Output {
        logit: *logit,
        saliency: Saliency::from_map(map, rows, columns),
        embedding: embedding.to_vec(),
    };
    Ok(parts.map(output).collect())
}

fn sound(outputs: Vec<Output>) -> Result<Vec<Output>, LoadError> {
    let numbers = outputs.iter().all(|output| output.logit.is_finite());
    if numbers { Ok(outputs) } else { Err(LoadError::Shape("the logit is not a number".into())) }
}
