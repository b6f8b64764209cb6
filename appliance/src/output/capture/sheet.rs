//! The sheet of a capture: the warning, the radiograph with the evidence over it, the caption and the key to the colours. It
//! knows no attribute of DICOM, writes nothing over the radiograph, and writes nothing about the patient.

use reader::pixels::Preview;
use reader::pixels::grayscale::{Lut, Voi};
use reader::pixels::preview::PreviewVoi;
use wire::v1::result::ReadV1;

use super::super::record::{Picture, Record};
use super::super::words::{self, DISCLAIMER, NOT_EXCLUDED};
use super::canvas::{Canvas, advance, line_height, wrapped};
use super::{colours, font};

/// Least width, pixels: 40 letters of the caption.
const NARROWEST: usize = 480;
/// Size of the caption's letters: 14 pixels high on a picture of about 1,000.
const CAPTION: usize = 2;
/// Size of the finding's letters, which is read first.
const FINDING: usize = 3;
/// Size of the warning's letters.
const WARNING: usize = 4;
/// Space around what is written, pixels.
const MARGIN: usize = 12;
/// Width of the key's bar, pixels: wide enough to tell its colours apart, and half of the narrowest sheet.
const BAR: usize = 200;
/// What stands first.
const NOT_FOR_DIAGNOSIS: &str = "NOT FOR DIAGNOSIS";
/// Amber: neither a grey of the film nor a colour of the evidence.
const AMBER: [u8; 3] = [255, 150, 40];
/// Nearly white.
const PALE: [u8; 3] = [225, 225, 225];
/// The two ends of the key.
const WEAK: &str = "Evidence: weak ";
const STRONG: &str = " strongest of this film";
/// What the colours are.
const COLOURS: &str =
    "The colours show where in this film the model found its evidence. They are no outline of disease.";
/// Why a film that is called negative has none: its strongest cell means little, and would be looked at all the same.
const NO_COLOURS: &str = "No evidence is drawn on a film below the operating point.";

/// A line of the caption.
struct Line {
    words: String,
    size: usize,
    colour: [u8; 3],
}

/// The whole sheet.
pub(super) fn drawn(record: &Record, read: &ReadV1, picture: &Picture) -> Canvas {
    let (rows, columns) = (usize::from(picture.preview.rows), usize::from(picture.preview.columns));
    let width = columns.max(NARROWEST);
    let lines = lines(record, read, width);
    let head = line_height(WARNING) + MARGIN;
    let key = if read.positive { line_height(CAPTION) } else { 0 };
    let foot = lines.iter().map(|line| line_height(line.size)).sum::<usize>() + key + 2 * MARGIN;
    let mut canvas = Canvas::new(head + rows + foot, width);
    canvas.write(NOT_FOR_DIAGNOSIS, (MARGIN, MARGIN), WARNING, AMBER);
    canvas.put(&film(read, picture), columns, (head, (width - columns) / 2));
    let mut top = head + rows + MARGIN;
    for line in &lines {
        canvas.write(&line.words, (top, MARGIN), line.size, line.colour);
        top += line_height(line.size);
    }
    if read.positive {
        draw_key(&mut canvas, top);
    }
    canvas
}

/// RGB pixels of the radiograph, with the evidence where it says something.
fn film(read: &ReadV1, picture: &Picture) -> Vec<u8> {
    let (preview, grey) = (&picture.preview, display(&picture.preview));
    if !read.positive {
        return grey.into_iter().flat_map(|grey| [grey; 3]).collect();
    }
    colours::overlay(&grey, (usize::from(preview.rows), usize::from(preview.columns)), &picture.saliency)
}

/// The colours from the weakest that is drawn to the strongest.
fn draw_key(canvas: &mut Canvas, top: usize) {
    let bar = colours::scale(BAR);
    let left = MARGIN + WEAK.chars().count() * advance(CAPTION);
    canvas.write(WEAK, (top, MARGIN), CAPTION, PALE);
    canvas.put(&bar.repeat(font::HEIGHT * CAPTION), BAR, (top, left));
    canvas.write(STRONG, (top, left + BAR), CAPTION, PALE);
}

fn lines(record: &Record, read: &ReadV1, width: usize) -> Vec<Line> {
    let broken = |words: &str, size, colour| {
        let lines = wrapped(words, (width - 2 * MARGIN) / advance(size)).into_iter();
        lines.map(move |words| Line { words, size, colour }).collect::<Vec<_>>()
    };
    // A number stays with its unit.
    let whole = |words: &str| words.replace(" %", "\u{a0}%");
    let mut lines = broken(&whole(&words::finding(read)), FINDING, AMBER);
    lines.extend(caption(record, read).iter().flat_map(|words| broken(&whole(words), CAPTION, PALE)));
    lines
}

/// What is written below the finding.
fn caption(record: &Record, read: &ReadV1) -> Vec<String> {
    let model = &read.model;
    let (date, time) = record.moment.date_and_time();
    let part = |text: &str, range: std::ops::Range<usize>| text.get(range).unwrap_or_default().to_owned();
    // Straight after the finding, because they qualify it: a viewer may show the capture and nothing else of ours.
    let mut caption: Vec<String> = (!read.positive).then(|| NOT_EXCLUDED.to_owned()).into_iter().collect();
    caption.extend(record.caveats.iter().map(|caveat| format!("Caution: {}", caveat.words)));
    caption.extend([
        words::operating_point(read),
        format!("Model {} {} (SHA-256 {})", model.id, model.version, model.digest.get(..12).unwrap_or_default()),
        format!(
            "Hilum {} on {}, {}-{}-{} {}:{} {}",
            record.origin.version,
            record.origin.device,
            part(&date, 0..4),
            part(&date, 4..6),
            part(&date, 6..8),
            part(&time, 0..2),
            part(&time, 2..4),
            record.moment.offset()
        ),
        DISCLAIMER.to_owned(),
        if read.positive { COLOURS } else { NO_COLOURS }.to_owned(),
    ]);
    caption
}

/// The preview under its own window, 8-bit grey: what the model and the reviewer see (PS3.3 C.11.2).
fn display(preview: &Preview) -> Vec<u8> {
    let voi = voi(&preview.voi);
    // A preview always names its window, so the range is not asked for.
    let shade = voi.shade((0, 0), preview.invert);
    let samples = preview.samples.chunks_exact(2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
    let grey: Vec<u8> = samples.map(|sample| shade(i32::from(sample).saturating_add(preview.offset))).collect();
    grey
}

fn voi(voi: &PreviewVoi) -> Voi {
    match voi {
        PreviewVoi::Linear { center, width } => Voi::Linear { center: *center, width: *width },
        PreviewVoi::LinearExact { center, width } => Voi::LinearExact { center: *center, width: *width },
        PreviewVoi::Sigmoid { center, width } => Voi::Sigmoid { center: *center, width: *width },
        PreviewVoi::Lut { first, bits, data } => {
            let entries = data.chunks_exact(2).map(|bytes| u16::from_le_bytes([bytes[0], bytes[1]])).collect();
            Lut::new(*first, *bits, entries).map_or(Voi::FullRange, Voi::Lut)
        }
    }
}

#[cfg(test)]
mod tests {
    use wire::v1::result::OutcomeV1;

    use super::super::super::record::tests::record;
    use super::*;

    fn reading() -> (Record, ReadV1, Picture) {
        let record = record();
        let (OutcomeV1::Read(read), Some(picture)) = (record.outcome.clone(), record.picture.clone()) else {
            panic!("a reading with a picture")
        };
        (record, read, picture)
    }

    #[test]
    fn the_caption_names_the_finding_and_the_model_and_never_the_patient() {
        let (record, read, _) = reading();
        let lines: Vec<String> =
            lines(&record, &read, 2000).into_iter().map(|line| line.words.replace('\u{a0}', " ")).collect();
        let words = lines.join("\n");
        for part in [
            "Pneumonia suspected by an algorithm, probability 87.4 %",
            "default: positive from 41.2 %. Measured there: sensitivity 95.0 %, specificity 90.0 % (test films)",
            "pneumonia-cxr 1.2.0",
            "cdcdcdcdcdcd",
            "on demo-1, 2024-03-01 09:30 +0100",
            "no outline of disease",
        ] {
            assert!(words.contains(part), "{part} in {words}");
        }
        for secret in ["4711", "ller", "A-17", "Meyer", "2.25.10", "20200229"] {
            assert!(!words.contains(secret), "{secret} in {words}");
        }
    }

    #[test]
    fn the_film_lies_untouched_between_the_warning_and_the_caption() {
        let (record, read, picture) = reading();
        let canvas = drawn(&record, &read, &picture);
        assert_eq!(canvas.columns, NARROWEST);
        let top = line_height(WARNING) + MARGIN;
        let left = (NARROWEST - 6) / 2;
        let at = |row: usize, column: usize| canvas.pixels[((top + row) * NARROWEST + left + column) * 3];
        let grey = display(&picture.preview);
        assert_eq!((at(0, 0), at(0, 1)), (grey[0], grey[1]), "no evidence there");
        assert_eq!((grey[0], grey[23]), (0, 255));
    }

    #[test]
    fn a_number_stands_on_one_line_with_its_unit() {
        let (record, read, _) = reading();
        for width in NARROWEST..NARROWEST + 700 {
            let lines = lines(&record, &read, width);
            assert!(lines.iter().all(|line| !line.words.starts_with('%')), "{width}");
        }
    }

    #[test]
    fn the_key_shows_the_colours_of_the_film_and_a_negative_film_has_neither() {
        let (record, read, picture) = reading();
        let colourful = |canvas: &Canvas, colour: [u8; 3]| canvas.pixels.chunks_exact(3).any(|pixel| pixel == colour);
        let strongest: [u8; 3] = colours::scale(BAR)[(BAR - 1) * 3..].try_into().unwrap();
        let positive = drawn(&record, &read, &picture);
        assert!(colourful(&positive, strongest), "the key's last colour");
        let negative = drawn(&record, &ReadV1 { positive: false, probability: 0.1, ..read }, &picture);
        assert!(!colourful(&negative, strongest));
        let rows = line_height(WARNING) + MARGIN..line_height(WARNING) + MARGIN + 4;
        let is_grey = |row: usize| {
            let line = &negative.pixels[row * NARROWEST * 3..(row + 1) * NARROWEST * 3];
            line.chunks_exact(3).all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2])
        };
        assert!(rows.into_iter().all(is_grey));
    }
}
