//! `synth`: radiographs of nobody, as DICOM files.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::Context;
use clap::{Args, ValueEnum};
use dicom_core::value::DicomDate;
use reader::synth::exposure::{Detector, Photometric, Receptor};
use reader::synth::series::{Choice, objects_of};
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
    /// All of one size, such as 2048x2500, for load tests; else as different detectors would store them.
    #[arg(long, value_name = "COLUMNSxROWS")]
    size: Option<Size>,
    /// Bits stored in films of one size.
    #[arg(long, default_value_t = 12, requires = "size", value_parser = clap::value_parser!(u16).range(8..=16))]
    bits: u16,
}

/// Columns and rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size(u32, u32);

impl FromStr for Size {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let sides = text.split_once('x').and_then(|(columns, rows)| Some((columns.parse().ok()?, rows.parse().ok()?)));
        sides.map(|(columns, rows)| Self(columns, rows)).ok_or("write it as columns and rows, such as 2048x2500")
    }
}

impl Size {
    /// An invented flat panel of so many columns; its pitch makes it 30 cm wide.
    fn detector(self, bits: u16) -> Detector {
        let pitch_um = u16::try_from(300_000 / self.0.max(5)).unwrap_or(u16::MAX);
        let photometric = Photometric::Monochrome2;
        Detector { receptor: Receptor::Panel, columns: self.0, pitch_um, bits, photometric }
    }
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
    let expose = |class, seed| match arguments.size {
        None => model.expose(class, seed),
        Some(size) => model.expose_on(class, seed, size.detector(arguments.bits), size.1),
    };
    for (number, drawn) in (1u32..).zip(objects_of(arguments.count, arguments.seed, choice, date, expose)) {
        let (class, object) = drawn?;
        let path = folder.join(format!("synthetic-{number:04}-{}.dcm", class.name()));
        object.write_to_file(&path).with_context(unwritable)?;
        println!("{}", path.display());
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_columns_and_rows() {
        assert_eq!("2048x2500".parse(), Ok(Size(2048, 2500)));
        for wrong in ["2048", "2048x", "x2500", "-1x5", "2048 x 2500", "2048x2500x3"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
