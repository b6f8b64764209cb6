//! Evaluates a bundle on labelled films through the path that patients' films take: JPEG → DICOM object → file → decode →
//! grey-scale → resize → ONNX session → calibration. Its numbers must agree with the training script's.
//!
//! ```text
//! cargo run -p hilum-reader --example evaluate -- BUNDLE KEY.pub LIBONNXRUNTIME IMAGES/labels.csv [test_predictions.csv]
//! ```
//! `labels.csv` needs the columns file, split and label (NORMAL or PNEUMONIA in it); the predictions file, logit.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement that cannot be made should stop")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use reader::finding::Finding;
use reader::model::{Likeness, Loaded, ProviderChoice, SessionConfig, Trust};
use reader::pixels::wrap::{WrapFacts, to_dicom};
use reader::pixels::{Limits, plain, prepare};

struct Film {
    file: String,
    pneumonia: bool,
    finding: Finding,
    likeness: Likeness,
}

fn main() {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [bundle, key, library, labels, rest @ ..] = &arguments[..] else {
        eprintln!("usage: evaluate BUNDLE KEY.pub LIBONNXRUNTIME LABELS.CSV [PREDICTIONS.CSV]");
        return;
    };
    let config = SessionConfig { provider: ProviderChoice::Cpu, ..SessionConfig::default() };
    let trust = Trust::load(std::slice::from_ref(key)).expect("the publisher's key is readable");
    let mut loaded = Loaded::open(bundle, &trust, "", library, &config).expect("the bundle loads");
    let info = loaded.info.clone();
    let root = labels.parent().expect("labels.csv is in a folder");
    let scratch = std::env::temp_dir().join(format!("hilum-evaluate-{}.dcm", std::process::id()));
    let (mut films, mut decode_ms, mut infer_ms) = (Vec::new(), Vec::new(), Vec::new());
    for (file, pneumonia) in test_split(labels) {
        let image = plain::load(&root.join(&file), &Limits::default()).expect("the film is a JPEG or PNG");
        to_dicom(&image, &WrapFacts::default()).unwrap().write_to_file(&scratch).expect("the scratch file is written");
        let prepared = prepare(&std::fs::read(&scratch).expect("the scratch file is read"), &Limits::default(), |_| ());
        decode_ms.push(prepared.decode_ms);
        let started = Instant::now();
        let input = prepared.pixels.expect("a wrapped film is readable").input;
        let output = loaded.run(&[input]).expect("the model runs").remove(0);
        infer_ms.push(started.elapsed().as_secs_f64() * 1e3);
        let finding = Finding::new(output.logit, &info.rule);
        let likeness = info.distribution.as_ref().map_or(Likeness::Alike, |d| d.judge(&output.embedding));
        films.push(Film { file, pneumonia, finding, likeness });
    }
    std::fs::remove_file(&scratch).ok();
    report(&films, &mut decode_ms, &mut infer_ms);
    if let [predictions, ..] = rest {
        compare(&films, predictions);
    }
}

/// Rows of a CSV file as maps from column to value; none of these files quotes a comma in the columns used here.
fn rows(file: &Path) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(file).expect("the CSV file is readable");
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().expect("the CSV file has a header");
    lines.map(|row| header.iter().cloned().zip(row).collect()).collect()
}

fn test_split(labels: &Path) -> Vec<(String, bool)> {
    let test = rows(labels).into_iter().filter(|row| row["split"] == "test");
    test.map(|row| (row["file"].clone(), row["label"].to_ascii_uppercase().contains("PNEUMONIA"))).collect()
}

fn report(films: &[Film], decode_ms: &mut [f64], infer_ms: &mut [f64]) {
    let share = |of: bool| {
        let (mut right, mut all) = (0, 0);
        for film in films.iter().filter(|film| film.pneumonia == of) {
            all += 1;
            right += usize::from(film.finding.positive == of);
        }
        f64::from(right as u32) / f64::from(all.max(1))
    };
    let median = |times: &mut [f64]| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    println!("films        {}", films.len());
    let beyond = |of| films.iter().filter(|film| film.likeness == of).count();
    println!("doubtful     {} (read with a caveat)", beyond(Likeness::Doubtful));
    println!("unlike       {} (the product does not read them; counted below all the same)", beyond(Likeness::Unlike));
    println!("AUC          {:.4}", auc(films));
    println!("sensitivity  {:.4}", share(true));
    println!("specificity  {:.4}", share(false));
    println!("decode       {:.2} ms (median)", median(decode_ms));
    println!("inference    {:.2} ms (median, one film at a time)", median(infer_ms));
}

/// Share of pairs of a pneumonia and a normal film that are in the right order; ties count half.
fn auc(films: &[Film]) -> f64 {
    let (positive, negative): (Vec<_>, Vec<_>) = films.iter().partition(|film| film.pneumonia);
    let mut score = 0.0;
    for p in &positive {
        for n in &negative {
            let difference = p.finding.logit - n.finding.logit;
            score += if difference > 0.0 { 1.0 } else { f64::from(u8::from(difference == 0.0)) / 2.0 };
        }
    }
    score / (positive.len() * negative.len()) as f64
}

fn compare(films: &[Film], predictions: &Path) {
    let theirs: BTreeMap<_, f64> =
        rows(predictions).into_iter().map(|row| (row["file"].clone(), row["logit"].parse().unwrap())).collect();
    let mut differences: Vec<_> = films.iter().map(|f| (f.finding.logit - theirs[&f.file]).abs()).collect();
    differences.sort_by(f64::total_cmp);
    let median = differences[differences.len() / 2];
    println!(
        "logits       differ from {} by {median:.5} (median), {:.5} (most)",
        predictions.display(),
        differences.last().unwrap()
    );
}
