//! The GPU must give the CPU's answers: each golden radiograph on both, compared to each other and to the manifest.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use reader::model::{Bundle, ModelSession, ProviderChoice, SessionConfig};

use crate::check::Found;
use crate::table::Table;

/// Opens the model on the CPU, too, and compares.
pub(crate) fn check(bundle: &Bundle, library: &Path, config: &SessionConfig, gpu: &mut ModelSession) -> Result<Found> {
    let golden = bundle.golden_images()?;
    let cpu = SessionConfig { provider: ProviderChoice::Cpu, ..config.clone() };
    let mut cpu = ModelSession::open(bundle, library, &cpu).context("cannot open the model on the CPU")?;
    let head = vec!["Golden radiograph", "Manifest", "CPU", "GPU", "Difference"];
    let (mut rows, mut greatest) = (Vec::new(), 0.0f64);
    for image in &golden {
        let logit = |session: &mut ModelSession| Ok::<_, anyhow::Error>(session.run(&[&image.grey])?.remove(0).logit);
        let (on_cpu, on_gpu) = (logit(&mut cpu)?, logit(gpu)?);
        let difference = f64::from((on_cpu - on_gpu).abs());
        let (name, case) = (&image.case.file, &image.case);
        let figures = [case.logit, f64::from(on_cpu), f64::from(on_gpu)].map(|logit| format!("{logit:.4}"));
        rows.push([vec![name.clone()], figures.to_vec(), vec![format!("{difference:.5}")]].concat());
        greatest = greatest.max(difference);
        ensure!(
            difference <= case.tolerance,
            "{name}: CPU and GPU differ by {difference}, more than {}",
            case.tolerance
        );
        let from_manifest = (f64::from(on_gpu) - case.logit).abs();
        ensure!(from_manifest <= case.tolerance, "{name}: the GPU differs from the manifest by {from_manifest}");
    }
    let words = format!("CPU and {} differ by at most {greatest:.6} in {} logits", gpu.provider(), rows.len());
    Ok(Found { words, table: Some(Table { head, rows }) })
}
