//! The GPU must give the CPU's answers: each golden radiograph on both, compared to each other and to the manifest.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use reader::model::{Bundle, ModelSession, ProviderChoice, SessionConfig, Trust};

/// Opens the model on both providers, compares, and gives the GPU's session back for the next check.
pub(crate) fn check(bundle: &Path, key: &Path, library: &Path, config: &SessionConfig) -> Result<ModelSession> {
    let bundle = Bundle::open(bundle, &Trust::load(&[key.to_owned()])?)?;
    let golden = bundle.golden_images()?;
    let cpu = SessionConfig { provider: ProviderChoice::Cpu, ..config.clone() };
    let mut cpu = ModelSession::open(&bundle, library, &cpu).context("cannot open the model on the CPU")?;
    let mut gpu = ModelSession::open(&bundle, library, config).with_context(|| {
        format!(
            "cannot open the model on {:?}: use the library of the PyPI wheel `onnxruntime-gpu` and install the CUDA, cuDNN \
             and TensorRT versions that it names",
            config.provider
        )
    })?;
    println!("{:32} {:>10} {:>10} {:>10} {:>10}", "golden radiograph", "manifest", "CPU", gpu.provider(), "difference");
    let mut greatest = 0.0f64;
    for image in &golden {
        let logit = |session: &mut ModelSession| Ok::<_, anyhow::Error>(session.run(&[&image.grey])?.remove(0).logit);
        let (on_cpu, on_gpu) = (logit(&mut cpu)?, logit(&mut gpu)?);
        let difference = f64::from((on_cpu - on_gpu).abs());
        let (name, case) = (&image.case.file, &image.case);
        println!("{name:32} {:10.4} {on_cpu:10.4} {on_gpu:10.4} {difference:10.5}", case.logit);
        greatest = greatest.max(difference);
        ensure!(difference <= case.tolerance, "{name}: CPU and GPU differ by more than {}", case.tolerance);
        let from_manifest = (f64::from(on_gpu) - case.logit).abs();
        ensure!(from_manifest <= case.tolerance, "{name}: the GPU differs from the manifest by {from_manifest}");
    }
    println!("greatest difference between CPU and GPU: {greatest:.6} ({})", config.precision.name());
    Ok(gpu)
}
