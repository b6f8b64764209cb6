//! RGB pixels to be written on: a black sheet, a picture put on it, lines of letters. It knows nothing of findings.

use super::font;

/// Space between letters, pixels of the letter's own grid.
const GAP: usize = 1;

/// A sheet of RGB pixels, row-major.
pub(super) struct Canvas {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) pixels: Vec<u8>,
}

impl Canvas {
    /// All black.
    pub(super) fn new(rows: usize, columns: usize) -> Self {
        Self { rows, columns, pixels: vec![0; rows * columns * 3] }
    }

    /// Puts a picture of `columns` pixels width with its corner at (`top`, `left`); it must fit.
    pub(super) fn put(&mut self, picture: &[u8], columns: usize, (top, left): (usize, usize)) {
        for (row, line) in picture.chunks_exact(columns * 3).enumerate() {
            let start = ((top + row) * self.columns + left) * 3;
            self.pixels[start..start + line.len()].copy_from_slice(line);
        }
    }

    /// Writes a line; what does not fit is cut off.
    pub(super) fn write(&mut self, words: &str, (top, left): (usize, usize), scale: usize, colour: [u8; 3]) {
        for (place, c) in words.chars().enumerate() {
            let left = left + place * advance(scale);
            for (y, bits) in font::letter(c).into_iter().enumerate() {
                for x in (0..font::WIDTH).filter(|x| bits >> (font::WIDTH - 1 - x) & 1 == 1) {
                    self.square((top + y * scale, left + x * scale), scale, colour);
                }
            }
        }
    }

    fn square(&mut self, (top, left): (usize, usize), side: usize, colour: [u8; 3]) {
        for row in top..(top + side).min(self.rows) {
            for column in left..(left + side).min(self.columns) {
                let at = (row * self.columns + column) * 3;
                self.pixels[at..at + 3].copy_from_slice(&colour);
            }
        }
    }
}

/// From one letter to the next, pixels.
pub(super) fn advance(scale: usize) -> usize {
    (font::WIDTH + GAP) * scale
}

/// From one line to the next, pixels: the letter, and half of it as space.
pub(super) fn line_height(scale: usize) -> usize {
    font::HEIGHT * scale + font::HEIGHT * scale / 2
}

/// Words broken into lines of at most `most` letters, between words where that can be.
pub(super) fn wrapped(words: &str, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words.split(' ') {
        let letters: Vec<char> = word.chars().collect();
        for piece in letters.chunks(most.max(1)) {
            let last = lines.last().map_or(0, |line| line.chars().count());
            if last > 0 && last + 1 + piece.len() > most {
                lines.push(String::new());
            }
            if let Some(line) = lines.last_mut() {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.extend(piece);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_long_words_anywhere() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefgh i", 3), ["abc", "def", "gh", "i"]);
        assert_eq!(wrapped("", 5), [""]);
    }

    #[test]
    fn letters_are_where_they_are_said_to_be_and_end_at_the_edge() {
        let mut canvas = Canvas::new(9, 8);
        canvas.write("LL", (1, 1), 1, [9, 8, 7]);
        let lit = |row: usize, column: usize| canvas.pixels[(row * 8 + column) * 3] == 9;
        assert!(lit(1, 1) && lit(7, 1) && lit(7, 5) && !lit(1, 2), "an L stands at its place");
        assert!(lit(1, 7), "the second begins one gap after it and is cut off");
    }
}
