//! `synth`: radiographs of nobody, as DICOM files.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use dicom_core::value::DicomDate;
use reader::synth::series::{Choice, objects};
use reader::synth::{Class, Synthesiser};
use time::OffsetDateTime;

use super::send::progress;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// How many.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    count: u32,
    /// The same seed gives the same films.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder to write them to.
    #[arg(long)]
    out: PathBuf,
    /// What they show.
    #[arg(long, value_enum, default_value_t = Shown::Both)]
    class: Shown,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Shown {
    /// No pneumonia.
    Normal,
    /// Pneumonia.
    Pneumonia,
    /// In turn.
    Both,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let choice = match arguments.class {
        Shown::Normal => Choice::Only(Class::Normal),
        Shown::Pneumonia => Choice::Only(Class::Pneumonia),
        Shown::Both => Choice::Both,
    };
    let folder = &arguments.out;
    let unwritable =
        || format!("cannot write to {}; make sure that it can be made and has room (10 MB a film)", folder.display());
    std::fs::create_dir_all(folder).with_context(unwritable)?;
    let today = OffsetDateTime::now_utc().date();
    let date = DicomDate::from_ymd(u16::try_from(today.year())?, today.month().into(), today.day())
        .context("the machine's date cannot be written in DICOM; set its clock")?;
    let model = Synthesiser::built_in()?;
    let bar = progress(u64::from(arguments.count), "drawn");
    for (number, drawn) in (1u32..).zip(objects(&model, arguments.count, arguments.seed, choice, date)) {
        let (class, object) = drawn?;
        let path = folder.join(format!("synthetic-{number:04}-{}.dcm", class.name()));
        object.write_to_file(&path).with_context(unwritable)?;
        println!("{}", path.display());
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(ExitCode::SUCCESS)
}
