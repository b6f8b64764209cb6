//! Square fields of numbers: enlarged smoothly, sharpened, and seen through a displacement at any size. Pure arithmetic;
//! what the numbers mean is the caller's business.

/// A square field, row-major.
#[derive(Clone, Debug)]
pub(super) struct Square {
    pub(super) side: usize,
    pub(super) values: Vec<f32>,
}

impl Square {
    /// `mean + sum of weight * component`.
    pub(super) fn blend(side: usize, mean: &[f32], components: &[Vec<f32>], weights: &[f32]) -> Self {
        let mut values = mean.to_vec();
        for (component, &weight) in components.iter().zip(weights) {
            for (value, &step) in values.iter_mut().zip(component) {
                *value += weight * step;
            }
        }
        Self { side, values }
    }

    /// The same field on a finer grid (Catmull–Rom, pixel centres kept in place, border repeated).
    pub(super) fn enlarge(&self, side: usize) -> Self {
        let taps: Vec<_> =
            (0..side).map(|k| cubic_taps((k as f32 + 0.5) * self.side as f32 / side as f32 - 0.5, self.side)).collect();
        let mut wide = Vec::with_capacity(self.side * side);
        for row in self.values.chunks_exact(self.side) {
            wide.extend(taps.iter().map(|(at, weight)| (0..4).map(|k| row[at[k]] * weight[k]).sum::<f32>()));
        }
        let mut values = Vec::with_capacity(side * side);
        for (at, weight) in &taps {
            values.extend((0..side).map(|column| (0..4).map(|k| wide[at[k] * side + column] * weight[k]).sum::<f32>()));
        }
        Self { side, values }
    }

    /// Adds `strength` times what `passes` smoothings by (1 2 1)/4 would take away.
    pub(super) fn sharpen(&mut self, strength: f32, passes: usize) {
        let mut soft = self.values.clone();
        for _ in 0..passes {
            soft = self.soften_once(&soft);
        }
        for (value, smooth) in self.values.iter_mut().zip(soft) {
            *value += strength * (*value - smooth);
        }
    }

    fn soften_once(&self, field: &[f32]) -> Vec<f32> {
        let side = self.side;
        let at = |i: usize, j: usize| field[i * side + j];
        let around = |k: usize| (k.saturating_sub(1), (k + 1).min(side - 1));
        let mut wide = vec![0.0; field.len()];
        for i in 0..side {
            for j in 0..side {
                let (before, after) = around(j);
                wide[i * side + j] = 0.25 * (at(i, before) + at(i, after)) + 0.5 * at(i, j);
            }
        }
        let mut out = vec![0.0; field.len()];
        for i in 0..side {
            let (before, after) = around(i);
            for j in 0..side {
                out[i * side + j] =
                    0.25 * (wide[before * side + j] + wide[after * side + j]) + 0.5 * wide[i * side + j];
            }
        }
        out
    }

    /// The value at a place in units of the frame (0..1), linear, the border repeated.
    fn linear(&self, down: f32, right: f32) -> f32 {
        let most = self.side as f32 - 1.001;
        let y = (down * self.side as f32 - 0.5).clamp(0.0, most);
        let x = (right * self.side as f32 - 0.5).clamp(0.0, most);
        let (i, j) = (y as usize, x as usize);
        let (fy, fx) = (y - i as f32, x - j as f32);
        let at = |i: usize, j: usize| self.values[i * self.side + j];
        let top = at(i, j) + fx * (at(i, j + 1) - at(i, j));
        let low = at(i + 1, j) + fx * (at(i + 1, j + 1) - at(i + 1, j));
        top + fy * (low - top)
    }

    /// The value at a place in units of the frame (0..1), cubic; beyond the border lies the mirror image.
    fn cubic(&self, down: f32, right: f32) -> f32 {
        let size = self.side as f32;
        let (y, x) = (mirror(down) * size - 0.5, mirror(right) * size - 0.5);
        let (i, fy) = (y.floor(), y - y.floor());
        let (j, fx) = (x.floor(), x - x.floor());
        let (wy, wx) = (cubic_weights(fy), cubic_weights(fx));
        if i >= 1.0 && j >= 1.0 && i < size - 2.0 && j < size - 2.0 {
            let corner = (i as usize - 1) * self.side + j as usize - 1;
            return (0..4)
                .map(|k| {
                    let row = &self.values[corner + k * self.side..][..4];
                    wy[k] * (row[0] * wx[0] + row[1] * wx[1] + row[2] * wx[2] + row[3] * wx[3])
                })
                .sum();
        }
        let held = |k: f32| k.clamp(0.0, size - 1.0) as usize;
        let row = |k: usize| {
            (0..4)
                .map(|l| wx[l] * self.values[held(i - 1.0 + k as f32) * self.side + held(j - 1.0 + l as f32)])
                .sum::<f32>()
        };
        (0..4).map(|k| wy[k] * row(k)).sum()
    }
}

/// The anatomy seen through a shape: pixel p of the film shows the anatomy at p + displacement(p), as `rows * columns` values.
/// `oversample` squared places are averaged per pixel.
pub(super) fn view(
    anatomy: &Square,
    down: &Square,
    right: &Square,
    rows: usize,
    columns: usize,
    oversample: usize,
) -> Vec<f32> {
    let mut film = Vec::with_capacity(rows * columns);
    let inner = |k: usize, sub: usize, count: usize| (k as f32 + (sub as f32 + 0.5) / oversample as f32) / count as f32;
    let share = 1.0 / (oversample * oversample) as f32;
    for row in 0..rows {
        for column in 0..columns {
            let mut sum = 0.0;
            for sub in 0..oversample * oversample {
                let y = inner(row, sub / oversample, rows);
                let x = inner(column, sub % oversample, columns);
                sum += anatomy.cubic(y + down.linear(y, x), x + right.linear(y, x));
            }
            film.push(sum * share);
        }
    }
    film
}

fn mirror(place: f32) -> f32 {
    let place = place.abs();
    if place > 1.0 { (2.0 - place).max(0.0) } else { place }
}

/// Catmull–Rom: passes through the samples, continuous slope (Keys 1981 with a = -1/2).
fn cubic_weights(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [0.5 * (2.0 * t2 - t3 - t), 0.5 * (3.0 * t3 - 5.0 * t2 + 2.0), 0.5 * (4.0 * t2 - 3.0 * t3 + t), 0.5 * (t3 - t2)]
}

fn cubic_taps(place: f32, side: usize) -> ([usize; 4], [f32; 4]) {
    let whole = place.floor();
    let at = |k: usize| (whole + k as f32 - 1.0).clamp(0.0, side as f32 - 1.0) as usize;
    (std::array::from_fn(at), cubic_weights(place - whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_stays_the_same_slope() {
        let slope = Square { side: 16, values: (0..256).map(|k| (k % 16) as f32).collect() };
        let big = slope.enlarge(64);
        for column in 8..56 {
            let expected = (column as f32 + 0.5) / 4.0 - 0.5;
            assert!((big.values[30 * 64 + column] - expected).abs() < 1e-3);
        }
    }

    #[test]
    fn without_displacement_the_film_is_the_anatomy() {
        let anatomy = Square { side: 8, values: (0u8..64).map(f32::from).collect() };
        let still = Square { side: 8, values: vec![0.0; 64] };
        let film = view(&anatomy, &still, &still, 8, 8, 1);
        for (seen, own) in film.iter().zip(&anatomy.values) {
            assert!((seen - own).abs() < 1e-3);
        }
    }
}
