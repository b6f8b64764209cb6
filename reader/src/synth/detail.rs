//! The fine band of a film (rib edges, vessels, grain): white noise filtered tile by tile with the amplitude spectra
//! learnt at each place of the common anatomy. It knows nothing of classes or files.

use super::random::Normal;
use std::f32::consts::PI;

/// Side of the common anatomy at which the fine band is drawn, pixels.
pub(super) const SIDE: usize = 384;
/// Side of a tile, pixels.
pub(super) const TILE: usize = 32;
/// Tiles overlap by half: with the root of a Hann window before and after the filter their sum is seamless.
const HOP: usize = TILE / 2;
/// Tiles along one side of the padded field.
pub(super) const TILES: usize = 2 * SIDE / TILE + 1;
/// Frequencies to the right that a real tile's half spectrum has.
const HALF: usize = TILE / 2 + 1;
/// Values in one tile's half spectrum.
pub(super) const SPECTRUM: usize = TILE * HALF;
const PADDED: usize = SIDE + TILE;

#[derive(Clone, Copy, Default)]
struct Complex {
    re: f32,
    im: f32,
}

/// Draws the band: `SIDE * SIDE` grey differences, row-major.
pub(super) fn draw(amplitude: &[f32], normal: &mut Normal) -> Vec<f32> {
    let noise: Vec<f32> = (0..PADDED * PADDED).map(|_| normal.next()).collect();
    let window: Vec<f32> = (0..TILE).map(|k| (PI * (k as f32 + 0.5) / TILE as f32).sin()).collect();
    let fourier = Fourier::new();
    let mut sum = vec![0.0f32; PADDED * PADDED];
    let mut tile = [Complex::default(); TILE * TILE];
    for (place, spectrum) in amplitude.chunks_exact(SPECTRUM).enumerate() {
        let corner = (place / TILES * PADDED + place % TILES) * HOP;
        for (k, value) in tile.iter_mut().enumerate() {
            let (i, j) = (k / TILE, k % TILE);
            *value = Complex { re: noise[corner + i * PADDED + j] * window[i] * window[j], im: 0.0 };
        }
        fourier.square(&mut tile, -1.0);
        for (k, value) in tile.iter_mut().enumerate() {
            let gain = spectrum[place_in_half(k / TILE, k % TILE)] / (TILE * TILE) as f32;
            *value = Complex { re: value.re * gain, im: value.im * gain };
        }
        fourier.square(&mut tile, 1.0);
        for (k, value) in tile.iter().enumerate() {
            let (i, j) = (k / TILE, k % TILE);
            sum[corner + i * PADDED + j] += value.re * window[i] * window[j];
        }
    }
    sum.chunks_exact(PADDED).skip(HOP).take(SIDE).flat_map(|row| &row[HOP..HOP + SIDE]).copied().collect()
}

/// Where the half spectrum keeps frequency (down, right): beyond the half it is the mirrored one's.
fn place_in_half(down: usize, right: usize) -> usize {
    if right < HALF { down * HALF + right } else { (TILE - down) % TILE * HALF + (TILE - right) }
}

/// A radix-2 Fourier transform of 32 points; with 625 tiles a library would not pay for its dependency.
struct Fourier {
    turns: [Complex; TILE / 2],
}

impl Fourier {
    fn new() -> Self {
        let turn = |k: usize| {
            let angle = 2.0 * PI * k as f32 / TILE as f32;
            Complex { re: angle.cos(), im: angle.sin() }
        };
        Self { turns: std::array::from_fn(turn) }
    }

    /// Both axes in place; `sign` is -1 forwards and +1 backwards, unscaled.
    fn square(&self, tile: &mut [Complex; TILE * TILE], sign: f32) {
        for _ in 0..2 {
            for row in tile.chunks_exact_mut(TILE) {
                self.line(row, sign);
            }
            for i in 0..TILE {
                for j in 0..i {
                    tile.swap(i * TILE + j, j * TILE + i);
                }
            }
        }
    }

    fn line(&self, row: &mut [Complex], sign: f32) {
        for k in 0..TILE {
            let mirrored = k.reverse_bits() >> (usize::BITS - TILE.trailing_zeros());
            if k < mirrored {
                row.swap(k, mirrored);
            }
        }
        let mut span = 1;
        while span < TILE {
            for block in row.chunks_exact_mut(2 * span) {
                let (low, high) = block.split_at_mut(span);
                for (k, (a, b)) in low.iter_mut().zip(high).enumerate() {
                    let turn = self.turns[k * TILE / 2 / span];
                    let (re, im) = (turn.re, sign * turn.im);
                    let moved = Complex { re: b.re * re - b.im * im, im: b.re * im + b.im * re };
                    *b = Complex { re: a.re - moved.re, im: a.im - moved.im };
                    *a = Complex { re: a.re + moved.re, im: a.im + moved.im };
                }
            }
            span *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back_is_the_same_tile() {
        let fourier = Fourier::new();
        let mut tile = [Complex::default(); TILE * TILE];
        for (k, value) in tile.iter_mut().enumerate() {
            value.re = ((k * 7919) % 101) as f32;
        }
        let before = tile;
        fourier.square(&mut tile, -1.0);
        assert!((tile[0].re - before.iter().map(|v| v.re).sum::<f32>()).abs() < 1.0, "frequency zero is the sum");
        fourier.square(&mut tile, 1.0);
        for (a, b) in tile.iter().zip(&before) {
            assert!((a.re / 1024.0 - b.re).abs() < 1e-3 && (a.im / 1024.0).abs() < 1e-3);
        }
    }

    #[test]
    fn a_flat_spectrum_gives_the_noise_back() {
        let flat = vec![1.0; TILES * TILES * SPECTRUM];
        let band = draw(&flat, &mut Normal::from_seed(5));
        let noise: Vec<f32> = {
            let mut n = Normal::from_seed(5);
            (0..PADDED * PADDED).map(|_| n.next()).collect()
        };
        for (i, j) in [(0, 0), (17, 300), (383, 383)] {
            assert!((band[i * SIDE + j] - noise[(i + HOP) * PADDED + j + HOP]).abs() < 1e-3);
        }
    }
}
