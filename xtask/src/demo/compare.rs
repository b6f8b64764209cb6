//! Holds what came out of the whole chain against what the training script says of the same images.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, bail};

use super::ledger::Account;
use crate::auc::auc;

/// What the training script says of one image.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Prediction {
    probability: f64,
    positive: bool,
}

/// Compares the images that both have read, by their file names, and prints both AUCs and the largest difference.
///
/// # Errors
/// Where the file is no table of predictions, or has none of the images.
pub(crate) fn print(file: &Path, accounts: &[Account]) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let predictions = parse(&text).with_context(|| format!("{} is no table of predictions", file.display()))?;
    let pairs: Vec<(f64, Prediction)> = accounts.iter().filter_map(|account| pair(account, &predictions)).collect();
    if pairs.is_empty() {
        bail!("{} names none of these images", file.display());
    }
    let ours: Vec<(f64, bool)> = pairs.iter().map(|(ours, theirs)| (*ours, theirs.positive)).collect();
    let theirs: Vec<(f64, bool)> = pairs.iter().map(|(_, theirs)| (theirs.probability, theirs.positive)).collect();
    let largest = pairs.iter().map(|(ours, theirs)| (ours - theirs.probability).abs()).fold(0.0, f64::max);
    println!("\nAgainst the training script's predictions, {} images:", pairs.len());
    if let Some((ours, theirs)) = auc(&ours).zip(auc(&theirs)) {
        println!("  AUC {ours:.4} through the chain, {theirs:.4} by the script, {:+.4}", ours - theirs);
    }
    println!("  largest difference of one probability {largest:.4}");
    Ok(())
}

fn pair(account: &Account, predictions: &HashMap<String, Prediction>) -> Option<(f64, Prediction)> {
    let probability = account.result.as_ref()?.probability?;
    predictions.get(base(&account.film.name)).map(|prediction| (probability, *prediction))
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
