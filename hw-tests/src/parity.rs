//! The GPU must give the CPU's answers: each golden radiograph on both, compared to each other and to the manifest.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use reader::model::{Bundle, ModelSession, Provider, ProviderChoice, SessionConfig};

/// Opens the model on both providers, compares, and gives the GPU's session back for the next check.
pub(crate) fn check(bundle: &Path, library: &Path) -> Result<ModelSession> {
    let bundle = Bundle::open(bundle)?;
    let golden = bundle.golden_images()?;
    let open = |provider| {
        ModelSession::open(&bundle, library, SessionConfig { threads: 0, provider })
            .with_context(|| format!("cannot open the model with provider {provider:?}"))
    };
    let (mut cpu, mut cuda) = (open(ProviderChoice::Cpu)?, open(ProviderChoice::Cuda)?);
    ensure!(
        cuda.provider() == Provider::Cuda,
        "ONNX Runtime fell back to {} although this machine has a GPU: use the library of the PyPI wheel \
         `onnxruntime-gpu` and install the CUDA and cuDNN versions that it names",
        cuda.provider()
    );
    println!("{:32} {:>10} {:>10} {:>10} {:>10}", "golden radiograph", "manifest", "CPU", "CUDA", "difference");
    for image in &golden {
        let logit = |session: &mut ModelSession| Ok::<_, anyhow::Error>(session.run(&[&image.grey])?.remove(0).logit);
        let (on_cpu, on_cuda) = (logit(&mut cpu)?, logit(&mut cuda)?);
        let difference = f64::from((on_cpu - on_cuda).abs());
        let (name, case) = (&image.case.file, &image.case);
        println!("{name:32} {:10.4} {on_cpu:10.4} {on_cuda:10.4} {difference:10.5}", case.logit);
        ensure!(difference <= case.tolerance, "{name}: CPU and CUDA differ by more than {}", case.tolerance);
        let from_manifest = (f64::from(on_cuda) - case.logit).abs();
        ensure!(from_manifest <= case.tolerance, "{name}: CUDA differs from the manifest by {from_manifest}");
    }
    Ok(cuda)
}
