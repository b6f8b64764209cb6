//! The model's evidence as a coloured layer, by the same rules as the review dashboard's: viridis, nothing under a floor,
//! opaque only where the evidence is strong. Pure: numbers in, colours out.

use reader::saliency::Saliency;

/// Anchor colours of viridis: lightness rises evenly along it, so it reads the same with every kind of colour blindness and in
/// grey print; none of its colours is a grey that could pass for the film's own.
const VIRIDIS: [[f32; 3]; 10] = [
    [68.0, 1.0, 84.0],
    [72.0, 40.0, 120.0],
    [62.0, 74.0, 137.0],
    [49.0, 104.0, 142.0],
    [38.0, 130.0, 142.0],
    [31.0, 158.0, 137.0],
    [53.0, 183.0, 121.0],
    [109.0, 205.0, 89.0],
    [180.0, 222.0, 44.0],
    [253.0, 231.0, 37.0],
];

/// Under this share of the strongest evidence nothing is drawn, so that the film stays visible where little speaks.
const FLOOR: f32 = 0.15;
/// From this share on the layer is as opaque as it gets.
const FULL: f32 = 0.6;
/// Greatest opacity: the film is still seen through the strongest evidence.
const OPACITY: f32 = 0.45;

/// Grey pixels, row-major, with the evidence laid over them: RGB bytes.
pub(super) fn overlay(grey: &[u8], (rows, columns): (usize, usize), saliency: &Saliency) -> Vec<u8> {
    let field = field(saliency, rows, columns);
    let mixed = grey.iter().zip(field).flat_map(|(grey, share)| {
        let (colour, opacity) = (colour(share), OPACITY * opacity(share));
        colour.map(|channel| (f32::from(*grey) * (1.0 - opacity) + channel * opacity).round() as u8)
    });
    mixed.collect()
}

/// The key: a row of `columns` RGB pixels, from the weakest evidence that is drawn to the strongest.
pub(super) fn scale(columns: usize) -> Vec<u8> {
    let share = |column: usize| FLOOR + (1.0 - FLOOR) * column as f32 / (columns.max(2) - 1) as f32;
    (0..columns).flat_map(|column| colour(share(column)).map(|channel| channel.round() as u8)).collect()
}

/// Colour of a share 0 to 1 of the strongest evidence.
fn colour(share: f32) -> [f32; 3] {
    let at = share.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f32;
    let below = (at as usize).min(VIRIDIS.len() - 2);
    let part = at - below as f32;
    let (a, b) = (VIRIDIS[below], VIRIDIS[below + 1]);
    std::array::from_fn(|channel| a[channel] + (b[channel] - a[channel]) * part)
}

/// Opacity 0 to 1 of a share: nothing under the floor, smoothly up to 1.
fn opacity(share: f32) -> f32 {
    let t = ((share - FLOOR) / (FULL - FLOOR)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// The grid on `rows` × `columns` pixels by cubic B-splines, which never overshoot; relative to its strongest point, 0 to 1.
fn field(saliency: &Saliency, rows: usize, columns: usize) -> Vec<f32> {
    let (cells_down, cells_across) = (usize::from(saliency.rows), usize::from(saliency.columns));
    if saliency.values.is_empty() || saliency.values.len() != cells_down * cells_across {
        return vec![0.0; rows * columns];
    }
    let across = axis(cells_across, columns);
    let mut wide = Vec::with_capacity(cells_down * columns);
    for row in saliency.values.chunks_exact(cells_across) {
        wide.extend(
            across
                .iter()
                .map(|neighbours| neighbours.iter().map(|(at, weight)| weight * f32::from(row[*at])).sum::<f32>()),
        );
    }
    let mut field = Vec::with_capacity(rows * columns);
    for neighbours in axis(cells_down, rows) {
        field.extend(
            (0..columns).map(|c| neighbours.iter().map(|(at, weight)| weight * wide[at * columns + c]).sum::<f32>()),
        );
    }
    let strongest = field.iter().copied().fold(0.0, f32::max);
    if strongest > 0.0 {
        field.iter_mut().for_each(|share| *share /= strongest);
    }
    field
}

/// One axis of the upsampling: for each pixel its four neighbours with their weights. Centres of cells lie at k + 0.5 on the
/// grid's ruler, centres of pixels at (i + 0.5) · cells / pixels.
fn axis(cells: usize, pixels: usize) -> Vec<[(usize, f32); 4]> {
    let place = |i: usize| {
        let at = (i as f32 + 0.5) * cells as f32 / pixels as f32 - 0.5;
        let below = at.floor();
        let (t, u) = (at - below, 1.0 - (at - below));
        let weights = [
            u * u * u / 6.0,
            (3.0 * t * t * t - 6.0 * t * t + 4.0) / 6.0,
            (3.0 * u * u * u - 6.0 * u * u + 4.0) / 6.0,
            t * t * t / 6.0,
        ];
        // The neighbours begin one below; past an edge the edge's own cell goes on.
        let cell = |k: usize| (below as i64 + k as i64 - 1).clamp(0, cells as i64 - 1) as usize;
        std::array::from_fn(|k| (cell(k), weights[k]))
    };
    (0..pixels).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_film_is_untouched_where_nothing_speaks_and_coloured_where_much_does() {
        let corner = Saliency { rows: 4, columns: 4, values: [vec![0; 15], vec![255]].concat() };
        let grey = vec![100; 64 * 64];
        let rgb = overlay(&grey, (64, 64), &corner);
        assert_eq!(rgb[..3], [100, 100, 100], "the other corner");
        let last = &rgb[rgb.len() - 3..];
        let expected: Vec<u8> = [253.0, 231.0, 37.0].map(|c: f32| (100.0 * 0.55 + c * 0.45).round() as u8).into();
        assert_eq!(last, expected);
    }

    #[test]
    fn no_evidence_or_a_broken_grid_leaves_the_film_grey() {
        for values in [vec![0; 4], vec![255; 3], vec![]] {
            let rgb = overlay(&[7; 9], (3, 3), &Saliency { rows: 2, columns: 2, values });
            assert_eq!(rgb, [7; 27]);
        }
    }
}
