//! Whether an image is laid out as a frontal chest film is: bright in the middle and below, grey in the two lungs, dark
//! outside. It tells a film whose grey sense is wrong, and nothing finer.

use crate::pixels::INPUT_SIDE;

/// Cells along a side: each covers 32 × 32 pixels of the model's input.
const CELLS: usize = 7;

/// The mean film: cell by cell the mean grey of 5,216 labelled chest radiographs (the official training split), averaged with
/// its own mirror image, because the heart's side says nothing of the grey sense.
#[rustfmt::skip]
const MEAN: [u8; CELLS * CELLS] = [
    78, 109, 140, 162, 140, 109, 78,
    77, 135, 134, 164, 134, 135, 77,
    65, 131, 127, 173, 127, 131, 65,
    61, 120, 141, 183, 141, 120, 61,
    59, 112, 148, 186, 148, 112, 59,
    57, 125, 162, 189, 162, 125, 57,
    65, 162, 185, 195, 185, 162, 65,
];

/// Correlation (Pearson's) of the model's input with the mean film, −1 to 1; 0 for a flat image. A negative of a film has
/// minus its value.
pub(super) fn likeness(input: &[u8]) -> f64 {
    let film = centred(MEAN.iter().map(|grey| f64::from(*grey)));
    let cells = centred((0..CELLS * CELLS).map(|cell| mean_of_cell(input, cell / CELLS, cell % CELLS)));
    let product = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
    let scale = (product(&film, &film) * product(&cells, &cells)).sqrt();
    if scale > 0.0 { product(&film, &cells) / scale } else { 0.0 }
}

fn mean_of_cell(input: &[u8], row: usize, column: usize) -> f64 {
    let side = INPUT_SIDE / CELLS;
    let lines = input.chunks_exact(INPUT_SIDE).skip(row * side).take(side);
    let sum: u32 = lines.flat_map(|line| &line[column * side..(column + 1) * side]).map(|grey| u32::from(*grey)).sum();
    f64::from(sum) / (side * side) as f64
}

fn centred(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let values: Vec<f64> = values.collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.into_iter().map(|value| value - mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_film_is_like_itself_and_its_negative_the_opposite() {
        let side = INPUT_SIDE / CELLS;
        let at = |i: usize| MEAN[i / INPUT_SIDE / side * CELLS + i % INPUT_SIDE / side];
        let film: Vec<u8> = (0..INPUT_SIDE * INPUT_SIDE).map(at).collect();
        let negative: Vec<u8> = film.iter().map(|grey| 255 - grey).collect();
        assert!((likeness(&film) - 1.0).abs() < 1e-9);
        assert!((likeness(&negative) + 1.0).abs() < 1e-9);
        assert_eq!(likeness(&vec![9; INPUT_SIDE * INPUT_SIDE]), 0.0);
    }
}
