//! The model's input: the one resize ("area-u8") and the scaling to 0..1, bit for bit what training used.
//! Integers only, so every machine gives the same bytes; checked against numpy by `tests/vectors/resize.json`.
//!
//! Along one axis of n source and m target pixels, on a ruler of n·m units, source pixel k covers [k·m, (k+1)·m) and target
//! pixel i covers [i·n, (i+1)·n). The weight of k in i is the length of the overlap; the weights of one i sum to n.
//! In two dimensions the weight is the product, and `out = (2·sum + h·w) / (2·h·w)`: rounded half up.

/// Overlaps of one axis: for each target pixel its first source pixel and the weights from there on.
struct Axis {
    spans: Vec<(usize, Vec<u32>)>,
}

impl Axis {
    fn new(source: usize, target: usize) -> Self {
        let spans = (0..target).map(|i| {
            let (start, end) = (i * source, (i + 1) * source);
            let first = start / target;
            let last = (end - 1) / target;
            let overlap = |k: usize| (end.min((k + 1) * target) - start.max(k * target)) as u32;
            (first, (first..=last).map(overlap).collect())
        });
        Self { spans: spans.collect() }
    }
}

/// Resizes an 8-bit grey image of `rows` × `columns` to `out_rows` × `out_columns`; the aspect ratio is not kept.
/// The identity where the sizes are equal.
///
/// # Panics
/// If a side is 0 or `source` is not `rows * columns` long.
#[must_use]
pub fn resize_area_u8(source: &[u8], rows: usize, columns: usize, out_rows: usize, out_columns: usize) -> Vec<u8> {
    assert_eq!(source.len(), rows * columns, "one byte per pixel");
    let row = |row: usize, line: &mut Vec<u8>| {
        line.clear();
        line.extend(&source[row * columns..(row + 1) * columns]);
    };
    resize_area_rows(row, (rows, columns), (out_rows, out_columns))
}

/// [`resize_area_u8`] of an image that is made a row at a time, so that it never lies in memory as a whole: `row` puts the
/// grey bytes of the row of that number into the line, in place of what is there. Sizes are rows and columns. A row that two
/// rows of the result share is asked for twice.
///
/// # Panics
/// If a side is 0.
pub(super) fn resize_area_rows(
    mut row: impl FnMut(usize, &mut Vec<u8>),
    (rows, columns): (usize, usize),
    (out_rows, out_columns): (usize, usize),
) -> Vec<u8> {
    assert!(rows > 0 && columns > 0 && out_rows > 0 && out_columns > 0, "an image has at least one pixel");
    let (vertical, horizontal) = (Axis::new(rows, out_rows), Axis::new(columns, out_columns));
    let area = (rows * columns) as u64;
    let mut out = Vec::with_capacity(out_rows * out_columns);
    // Weights of a column sum to `rows`, so a sum is at most 255 · rows: fits u32 up to 16 million rows, and DICOM has 65,535.
    let (mut sums, mut line) = (vec![0u32; columns], Vec::with_capacity(columns));
    for (first, weights) in &vertical.spans {
        sums.fill(0);
        for (number, weight) in (*first..).zip(weights) {
            row(number, &mut line);
            add_weighted(&mut sums, &line, *weight);
        }
        for (first, weights) in &horizontal.spans {
            let cells = sums[*first..].iter().zip(weights);
            let sum: u64 = cells.map(|(s, w)| u64::from(*s) * u64::from(*w)).sum();
            out.push(((2 * sum + area) / (2 * area)) as u8);
        }
    }
    out
}

/// `sums += weight · row`; a plain loop that the compiler turns into vector instructions.
fn add_weighted(sums: &mut [u32], row: &[u8], weight: u32) {
    for (sum, grey) in sums.iter_mut().zip(row) {
        *sum += weight * u32::from(*grey);
    }
}

/// Grey bytes to the model's unit range, into as many places of `out`.
pub fn to_unit_f32(grey: &[u8], out: &mut [f32]) {
    for (place, g) in out.iter_mut().zip(grey) {
        *place = f32::from(*g) / 255.0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition, word for word, in 128 bits.
    fn naive(source: &[u8], h: usize, w: usize, oh: usize, ow: usize) -> Vec<u8> {
        let overlap = |k: usize, i: usize, n: usize, m: usize| {
            let (a, b) = ((k * m).max(i * n), ((k + 1) * m).min((i + 1) * n));
            b.saturating_sub(a) as u128
        };
        let mut out = Vec::new();
        for i in 0..oh {
            for j in 0..ow {
                let mut sum = 0u128;
                for y in 0..h {
                    for x in 0..w {
                        sum += overlap(y, i, h, oh) * overlap(x, j, w, ow) * u128::from(source[y * w + x]);
                    }
                }
                let area = (h * w) as u128;
                out.push(((2 * sum + area) / (2 * area)) as u8);
            }
        }
        out
    }

    proptest! {
        #[test]
        fn equals_the_definition(h in 1usize..24, w in 1usize..24, oh in 1usize..24, ow in 1usize..24, seed in any::<u64>()) {
            let source: Vec<u8> = (0..h * w).map(|i| (seed.wrapping_mul(i as u64 * 2 + 1) >> 40) as u8).collect();
            prop_assert_eq!(resize_area_u8(&source, h, w, oh, ow), naive(&source, h, w, oh, ow));
        }

        #[test]
        fn a_flat_image_stays_flat(grey in any::<u8>(), h in 1usize..3000, w in 1usize..300) {
            let out = resize_area_u8(&vec![grey; h * w], h, w, 224, 224);
            prop_assert!(out.iter().all(|g| *g == grey));
        }
    }

    #[test]
    fn a_large_bright_image_does_not_overflow() {
        assert!(resize_area_u8(&vec![255; 8000 * 8000], 8000, 8000, 224, 224).iter().all(|g| *g == 255));
    }

    #[test]
    fn unit_range_ends_at_one() {
        let mut out = [9.0; 3];
        to_unit_f32(&[0, 51, 255], &mut out);
        assert_eq!(out, [0.0, 51.0 / 255.0, 1.0]);
    }
}
