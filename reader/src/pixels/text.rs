//! Text burned into the pixels, as far as its strokes give it away: thin, white, and dark on both sides. Anatomy has soft
//! edges, and a side marker has few strokes; lines of letters have many. It never tells what is written.

/// Grey from which a pixel may belong to a stroke: annotations are written in full white, and a preview averages a little.
const WHITE: u8 = 230;

/// How much darker it must be on both sides.
const DROP: u8 = 100;

/// Within so many pixels: half of the thickest stroke of a letter in a preview of 512 to 1024 pixels a side.
const REACH: usize = 4;

/// Strokes that a line of pixels has where it runs through text: four words or so. A side marker has two to six.
const STROKES: usize = 12;

/// Counts the lines of pixels that run through text in a displayed image of `columns` a line.
#[must_use]
pub(super) fn lines(display: &[u8], columns: usize) -> usize {
    display.chunks_exact(columns.max(1)).filter(|line| strokes(line) >= STROKES).count()
}

/// Pixels of a line that are white, with something much darker near on both sides.
fn strokes(line: &[u8]) -> usize {
    let darker = |near: &[u8], grey: u8| near.iter().any(|other| grey - DROP >= *other);
    let bright = line.iter().enumerate().filter(|(_, grey)| **grey >= WHITE);
    bright
        .filter(|(x, grey)| {
            let before = &line[x.saturating_sub(REACH)..*x];
            let after = &line[x + 1..(x + 1 + REACH).min(line.len())];
            darker(before, **grey) && darker(after, **grey)
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_strokes_counts_and_a_bright_bone_does_not() {
        let mut line = vec![40u8; 400];
        (0..12).for_each(|n| line[100 + 9 * n] = 255);
        assert_eq!((strokes(&line), lines(&line.repeat(3), 400)), (12, 3));
        // Wide and white, and thin and soft.
        let bone: Vec<u8> = (0..400).map(|x| if (100..300).contains(&x) { 255 } else { 40 }).collect();
        let ribs: Vec<u8> = (0..400).map(|x| 150 + 90 * u8::from(x % 9 == 0)).collect();
        assert_eq!((strokes(&bone), strokes(&ribs)), (0, 0));
        assert_eq!(lines(&[], 0), 0);
    }
}
