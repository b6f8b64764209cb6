//! What the radiographer adds to a film: the collimator's shadow and the lead letter that says which side is which.

use super::super::Drawn;
use super::super::random::Normal;

/// Of ten films, how many show the collimator's blades.
const COLLIMATED_OF_TEN: usize = 4;
/// The blades' shadow is at most this share of a side wide.
const WIDEST_BLADE: f64 = 0.03;
/// Grey behind the blades: scatter leaves it short of black.
const BEHIND_BLADES: f32 = 6.0;
/// The letter's height as a share of the rows, and its stroke's half width as a share of its height.
const LETTER: (f32, f32) = (0.045, 0.07);
/// Strokes as polylines in a box one high and 0.62 wide, origin top left, (right, down).
const R: &[&[(f32, f32)]] = &[
    &[
        (0.08, 1.0),
        (0.08, 0.0),
        (0.35, 0.0),
        (0.48, 0.05),
        (0.56, 0.15),
        (0.57, 0.28),
        (0.52, 0.40),
        (0.42, 0.49),
        (0.08, 0.52),
    ],
    &[(0.34, 0.52), (0.60, 1.0)],
];
const L: &[&[(f32, f32)]] = &[&[(0.08, 0.0), (0.08, 1.0), (0.56, 1.0)]];

/// On some films, darkens the edges as the collimator's blades do.
pub(super) fn collimate(drawn: &mut Drawn, normal: &mut Normal) {
    let shown = normal.below(10) < COLLIMATED_OF_TEN;
    let [top, bottom, left, right] = std::array::from_fn(|_| (normal.unit() * WIDEST_BLADE) as f32);
    if !shown {
        return;
    }
    let (rows, columns) = (drawn.geometry.rows as f32, drawn.geometry.columns as f32);
    // The blades stand away from the detector: their edge is blurred over a few pixels.
    let light = |distance: f32| (distance / 6.0 + 0.5).clamp(0.0, 1.0);
    let across: Vec<f32> = (0..drawn.geometry.columns)
        .map(|x| light(x as f32 - left * columns) * light((1.0 - right) * columns - x as f32))
        .collect();
    for (y, row) in drawn.grey.chunks_exact_mut(across.len()).enumerate() {
        let down = light(y as f32 - top * rows) * light((1.0 - bottom) * rows - y as f32);
        for (grey, &lit) in row.iter_mut().zip(&across) {
            *grey = BEHIND_BLADES + down * lit * (*grey - BEHIND_BLADES);
        }
    }
}

/// Draws an R at the patient's right (the film's left) or, less often, an L at the other side.
pub(super) fn side_marker(drawn: &mut Drawn, normal: &mut Normal) {
    let right_side = normal.below(10) < 8;
    let (rows, columns) = (drawn.geometry.rows as f32, drawn.geometry.columns as f32);
    let height = LETTER.0 * rows;
    let inset = (0.02 + 0.03 * normal.unit() as f32) * columns;
    let left = if right_side { inset } else { columns - inset - 0.62 * height };
    let top = (0.06 + 0.3 * normal.unit() as f32) * rows;
    let brightness = 225.0 + 25.0 * normal.unit() as f32;
    let strokes = if right_side { R } else { L };
    let half = LETTER.1 * height;
    let (first, last) = (top - half - 1.0, top + height + half + 1.0);
    let (from, to) =
        ((left - half - 1.0).max(0.0) as usize, ((left + 0.62 * height + half + 1.0).min(columns)) as usize);
    for y in first.max(0.0) as usize..last.min(rows) as usize {
        for x in from..to {
            let place = ((x as f32 - left) / height, (y as f32 - top) / height);
            let cover = (half - distance(place, strokes) * height + 0.5).clamp(0.0, 1.0);
            let grey = &mut drawn.grey[y * drawn.geometry.columns as usize + x];
            *grey += cover * (brightness - *grey).max(0.0);
        }
    }
}

/// Distance from a place to the nearest stroke, in letter heights.
fn distance((x, y): (f32, f32), strokes: &[&[(f32, f32)]]) -> f32 {
    let segments = strokes.iter().flat_map(|line| line.windows(2));
    segments.fold(f32::MAX, |nearest, ends| {
        let ((ax, ay), (bx, by)) = (ends[0], ends[1]);
        let (dx, dy) = (bx - ax, by - ay);
        let along = (((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
        nearest.min((x - ax - along * dx).hypot(y - ay - along * dy))
    })
}
