//! The one ONNX session: ONNX Runtime loaded from the configured library, the model opened from verified bytes, its shapes
//! checked against the manifest, one reused input buffer. It knows nothing of queues.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use ort::environment::Environment;
use ort::session::{Session, SessionOutputs};
use ort::value::TensorRef;
use serde::{Deserialize, Serialize};

use super::LoadError;
use super::bundle::Bundle;
use super::manifest::Manifest;
use super::provider::{Provider, ProviderChoice, RECORD_ASSIGNMENT};
use crate::pixels::{INPUT_SIDE, tensor};
use crate::saliency::Saliency;

/// Threads and provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionConfig {
    /// Threads within one operator; 0 lets ONNX Runtime take one per core.
    pub threads: usize,
    /// Which providers to ask for.
    pub provider: ProviderChoice,
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

/// An open session with its reused input buffer.
pub struct ModelSession {
    session: Session,
    names: [String; 4],
    input: Vec<f32>,
    provider: Provider,
    runtime: String,
}

/// ONNX Runtime allows one environment per process and loads one library for good.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

impl ModelSession {
    /// Opens `bundle`'s model with the ONNX Runtime at `library`. The first library that a process loads stays; later calls
    /// with another path use the first.
    pub fn open(bundle: &Bundle, library: &Path, config: SessionConfig) -> Result<Self, LoadError> {
        let environment = environment(library)?;
        let failed = |attempt| move |source| LoadError::Session { attempt, source };
        let session = build(&environment, &bundle.model, config).map_err(failed("opening the model"))?;
        let names = names(&bundle.manifest, &session)?;
        let provider = Provider::in_use(&session).map_err(failed("telling which provider is in use"))?;
        tracing::info!(%provider, threads = config.threads, "model session opened");
        Ok(Self { session, names, input: Vec::new(), provider, runtime: ort::info().to_owned() })
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

    /// Runs one batch of grey images, each [`INPUT_SIDE`]² bytes; answers come in the same order.
    pub fn run(&mut self, images: &[impl AsRef<[u8]>]) -> Result<Vec<Output>, LoadError> {
        self.input.clear();
        for image in images {
            tensor::to_unit_f32(image.as_ref(), &mut self.input);
        }
        let failed = |source| LoadError::Session { attempt: "running the model", source };
        let shape = [images.len(), 1, INPUT_SIDE, INPUT_SIDE];
        let [image, outputs @ ..] = &self.names;
        let view = TensorRef::from_array_view((shape, &*self.input)).map_err(failed)?;
        let answers = self.session.run(ort::inputs![image.as_str() => view]).map_err(failed)?;
        split(&answers, outputs, images.len())
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

fn build(environment: &Environment, model: &[u8], config: SessionConfig) -> Result<Session, ort::Error> {
    let (key, value) = RECORD_ASSIGNMENT;
    let mut builder = Session::builder(environment)?
        .with_intra_threads(config.threads)?
        .with_config_entry(key, value)?
        .with_execution_providers(config.provider.dispatches())?;
    builder.commit_from_memory(model)
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
    let output = |((logit, map), embedding): ((&f32, &[f32]), &[f32])| {
        if !logit.is_finite() {
            return Err(LoadError::Shape("the logit is not a number".into()));
        }
        Ok(Output { logit: *logit, saliency: Saliency::from_map(map, rows, columns), embedding: embedding.to_vec() })
    };
    parts.map(output).collect()
}
