//! `wrap`: PNG and JPEG files as DICOM Secondary Capture objects, so that they can be sent.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use reader::pixels::Limits;
use reader::pixels::plain;
use reader::pixels::wrap::{WrapFacts, to_dicom};

use super::send::{files, progress};

/// Exit status where a file could not be wrapped.
const NOT_ALL: u8 = 1;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Folder to write to.
    #[arg(long)]
    out: PathBuf,
    /// Body Part Examined, if it is known, such as CHEST.
    #[arg(long)]
    body_part: Option<String>,
    /// View Position, if it is known, such as PA.
    #[arg(long)]
    view: Option<String>,
    /// Patient's Age, if it is known, such as 004Y.
    #[arg(long)]
    age: Option<String>,
    /// Patient's Sex, if it is known: M, F or O.
    #[arg(long)]
    sex: Option<String>,
    /// PNG or JPEG files, or folders of them.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let files = files(&arguments.paths)?;
    std::fs::create_dir_all(&arguments.out).with_context(|| format!("cannot make {}", arguments.out.display()))?;
    let facts = WrapFacts {
        patient_id: None,
        body_part: arguments.body_part.clone(),
        view: arguments.view.clone(),
        age: arguments.age.clone(),
        sex: arguments.sex.clone(),
    };
    let bar = progress(files.len() as u64, "wrapped");
    let mut failed = false;
    for (number, file) in files.iter().enumerate() {
        let target = arguments.out.join(name(file, number));
        match wrap(file, &facts, &target) {
            Ok(()) => bar.suspend(|| println!("{}", target.display())),
            Err(error) => {
                failed = true;
                bar.suspend(|| eprintln!("hilum-appliance: {}: {error:#}", file.display()));
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(if failed { ExitCode::from(NOT_ALL) } else { ExitCode::SUCCESS })
}

fn wrap(file: &Path, facts: &WrapFacts, target: &Path) -> anyhow::Result<()> {
    let image = plain::load(file, &Limits::default())?;
    to_dicom(&image, facts)?.write_to_file(target).with_context(|| format!("cannot write {}", target.display()))
}

/// The file's own name after a number, since two folders may hold the same name.
fn name(file: &Path, number: usize) -> String {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    format!("{:05}-{stem}.dcm", number + 1)
}
