//! Holds what came out of the whole chain against what the training script says of the same images.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, bail};

use super::ledger::Account;
use crate::quality::{Answer, Quality};

/// Most that a figure of the whole chain may differ from the training script's: one call in five hundred films. The two
/// share no code: theirs is numpy and Python's ONNX Runtime, ours DICOM, our grey scale, our resampling.
const AGREEMENT: f64 = 0.002;

/// What the training script says of one image.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Prediction {
    probability: f64,
    positive: bool,
}

/// Compares the images that both have read, by their file names: AUC, sensitivity, specificity, calibration error, and the
/// largest difference of one probability. `threshold` is the operating point's, for the script's side.
///
/// # Errors
/// Where the file is no table of predictions or has none of the images, or where a figure differs by more than
/// [`AGREEMENT`] and, for a share, by more than one film.
pub(crate) fn print(file: &Path, accounts: &[Account], threshold: f64) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let predictions = parse(&text).with_context(|| format!("{} is no table of predictions", file.display()))?;
    let pairs: Vec<(Answer, Answer)> =
        accounts.iter().filter_map(|account| pair(account, &predictions, threshold)).collect();
    if pairs.is_empty() {
        bail!("{} names none of these images", file.display());
    }
    let (ours, theirs): (Vec<Answer>, Vec<Answer>) = pairs.iter().copied().unzip();
    let largest = pairs.iter().map(|(ours, theirs)| (ours.probability - theirs.probability).abs()).fold(0.0, f64::max);
    println!("\nAgainst the training script's predictions, {} images:", pairs.len());
    println!("  largest difference of one probability {largest:.4}");
    // A share moves by whole films: where one lies at the threshold itself, a rounded pixel decides.
    let positives = ours.iter().filter(|answer| answer.truth).count();
    let one_film = 1.0 / positives.min(ours.len() - positives).max(1) as f64;
    let allowed = |name: &str| if name.ends_with("ity") { AGREEMENT.max(one_film) } else { AGREEMENT };
    let Some((ours, theirs)) = Quality::of(&ours).zip(Quality::of(&theirs)) else { return Ok(()) };
    let mut apart = Vec::new();
    for ((name, ours), (_, theirs)) in ours.named().into_iter().zip(theirs.named()) {
        println!("  {name:<12}{ours:.4} through the chain, {theirs:.4} by the script, {:+.4}", ours - theirs);
        if (ours - theirs).abs() > allowed(name) {
            apart.push(name);
        }
    }
    if !apart.is_empty() {
        bail!(
            "through the chain and by the script these differ by more than {AGREEMENT} and one film: {}",
            apart.join(", ")
        );
    }
    Ok(())
}

/// The threshold in force: the bundle's first operating point.
///
/// # Errors
/// Where the bundle has no readable manifest.
pub(crate) fn threshold(bundle: &Path) -> anyhow::Result<f64> {
    let file = bundle.join("manifest.json");
    let text = std::fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    let manifest: serde_json::Value = serde_json::from_str(&text)?;
    let threshold = manifest.pointer("/operating_points/0/threshold").and_then(serde_json::Value::as_f64);
    threshold.with_context(|| format!("{} has no operating point", file.display()))
}

/// Our answer and theirs for one image.
fn pair(account: &Account, predictions: &HashMap<String, Prediction>, threshold: f64) -> Option<(Answer, Answer)> {
    let result = account.result.as_ref()?;
    let (probability, called) = (result.probability?, result.finding.as_deref()? == "positive");
    let Prediction { probability: said, positive: truth } = *predictions.get(base(&account.film.name))?;
    let theirs = Answer { probability: said, called: said >= threshold, truth };
    Some((Answer { probability, called, truth }, theirs))
}

/// The table that `models/pneumonia-cxr/training/evaluate.py` writes: `file,label,logit,probability`.
fn parse(text: &str) -> anyhow::Result<HashMap<String, Prediction>> {
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let column = |name: &str| head.iter().position(|cell| *cell == name).with_context(|| format!("no column {name}"));
    let (file, label, probability) = (column("file")?, column("label")?, column("probability")?);
    lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let cell = |index: usize| cells.get(index).copied().with_context(|| format!("{line:?} is too short"));
            let probability = cell(probability)?.parse().with_context(|| format!("{line:?} has no probability"))?;
            Ok((base(cell(file)?).to_owned(), Prediction { probability, positive: cell(label)? == "PNEUMONIA" }))
        })
        .collect()
}

/// A path's last part, which the data set gives to one image only.
fn base(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_table_is_read_by_the_names_of_its_columns() {
        let table = "file,label,logit,probability\nimages/test/NORMAL/a.jpg,NORMAL,-1.5,0.05\nb.jpg,PNEUMONIA,2,0.97\n";
        let predictions = parse(table).unwrap();
        assert_eq!(predictions["a.jpg"], Prediction { probability: 0.05, positive: false });
        assert_eq!(predictions["b.jpg"], Prediction { probability: 0.97, positive: true });
    }

    #[test]
    fn another_table_is_refused_with_what_it_lacks() {
        assert!(parse("image,score\n1,2\n").unwrap_err().to_string().contains("file"));
        let words = parse("file,label,probability\na.jpg,NORMAL,high\n").unwrap_err().to_string();
        assert!(words.contains("high"), "{words}");
    }
}
