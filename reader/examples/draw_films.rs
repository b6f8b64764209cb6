//! Draws synthetic films into a folder, to look at or for `models/synthetic-cxr/evaluate.py --films`:
//!
//! ```text
//! cargo run -p hilum-reader --example draw_films -- png   FOLDER COUNT SEED   normal-0001.png … 224 x 224
//! cargo run -p hilum-reader --example draw_films -- read  FOLDER COUNT SEED   the same, but full-size DICOM first, then read back as the model's input
//! cargo run -p hilum-reader --example draw_films -- dicom FOLDER COUNT SEED   synthetic-0001-normal.dcm …, full size
//! ```

use std::path::Path;
use std::time::Instant;

use dicom_core::value::DicomDate;
use reader::pixels::{Limits, prepare};
use reader::synth::series::{Choice, seed_of, write_series};
use reader::synth::{Class, Geometry, Synthesiser, dicom};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [kind, folder, count, seed] = words.as_slice() else {
        return Err("usage: draw_films png|read|dicom FOLDER COUNT SEED".into());
    };
    let (folder, count, seed) = (Path::new(folder), count.parse()?, seed.parse()?);
    let model = Synthesiser::built_in()?;
    let start = Instant::now();
    match kind.as_str() {
        "png" => stamps(&model, folder, count, seed)?,
        "read" => inputs(&model, folder, count, seed)?,
        "dicom" => {
            write_series(&model, count, seed, Choice::Both, folder, DicomDate::from_ymd(2026, 1, 1)?)?;
        }
        other => return Err(format!("{other} is neither png, read nor dicom").into()),
    }
    println!("{:.3} s", start.elapsed().as_secs_f32());
    Ok(())
}

/// `count` films of each class at the size of a classifier's input.
fn stamps(model: &Synthesiser, folder: &Path, count: u32, seed: u64) -> Result<(), Failure> {
    for class in [Class::Normal, Class::Pneumonia] {
        for number in 1..=count {
            let film = model.draw(class, seed_of(seed, number), Geometry { rows: 224, columns: 224 })?;
            save(folder, class, number, film.to_u8())?;
        }
    }
    Ok(())
}

/// The same number of films as a scanner would send them, in the form in which the model sees them.
fn inputs(model: &Synthesiser, folder: &Path, count: u32, seed: u64) -> Result<(), Failure> {
    let file = tempfile::NamedTempFile::new()?;
    for class in [Class::Normal, Class::Pneumonia] {
        for number in 1..=count {
            let film = model.expose(class, seed_of(seed, number))?;
            dicom::object(&film, number, DicomDate::from_ymd(2026, 1, 1)?)?.write_to_file(file.path())?;
            let pixels = prepare(&std::fs::read(file.path())?, &Limits::default(), |_| {}).pixels?;
            save(folder, class, number, pixels.input)?;
        }
    }
    Ok(())
}

fn save(folder: &Path, class: Class, number: u32, grey: Vec<u8>) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    let image = image::GrayImage::from_raw(224, 224, grey).ok_or("a film of another size")?;
    Ok(image.save(folder.join(format!("{}-{number:04}.png", class.name())))?)
}
