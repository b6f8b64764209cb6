//! From a drawn chest to what a detector would have stored: pixel pitch, grain, collimation, a side marker, bits and
//! photometric interpretation. It knows nothing of DICOM's encoding; [`super::dicom`] does.

use super::random::Normal;
use super::{Class, Geometry, SynthError, Synthesiser};

mod marks;

/// The kind of receptor, and with it the SOP class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receptor {
    /// Storage phosphor plate: Computed Radiography, modality CR.
    Plate,
    /// Flat panel: Digital X-Ray, modality DX.
    Panel,
}

/// Which end of the stored values is white.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Photometric {
    /// The lowest value is white.
    Monochrome1,
    /// The lowest value is black.
    Monochrome2,
}

/// An invented detector with the dimensions that real ones have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detector {
    /// What it is made of.
    pub receptor: Receptor,
    /// Pixels across the collimated field; the rows follow from the child.
    pub columns: u32,
    /// Distance of two pixels' centres at the detector, in micrometres.
    pub pitch_um: u16,
    /// Bits stored, 8 to 16.
    pub bits: u16,
    /// Which end is white.
    pub photometric: Photometric,
}

/// Pitches and depths as sold: plates read at 0.1 or 0.15 mm with 10 or 12 bits, panels of 0.139 to 0.16 mm with 12 to 16.
/// The columns are what a small child's chest, 24 to 30 cm across, takes of them.
const DETECTORS: [Detector; 6] = [
    detector(Receptor::Plate, 2370, 100, 12, Photometric::Monochrome1),
    detector(Receptor::Plate, 1760, 150, 10, Photometric::Monochrome2),
    detector(Receptor::Plate, 1760, 150, 12, Photometric::Monochrome2),
    detector(Receptor::Panel, 2140, 139, 14, Photometric::Monochrome2),
    detector(Receptor::Panel, 1840, 160, 16, Photometric::Monochrome2),
    detector(Receptor::Panel, 2500, 100, 12, Photometric::Monochrome1),
];

const fn detector(receptor: Receptor, columns: u32, pitch_um: u16, bits: u16, photometric: Photometric) -> Detector {
    Detector { receptor, columns, pitch_um, bits, photometric }
}

/// Grain of single pixels and of clumps of three, in grey of 255, where the beam came through best; dense tissue lets
/// fewer quanta through and has twice as much.
const GRAIN: (f32, f32) = (1.2, 2.8);
/// Pixels from clump to clump.
const CLUMP: usize = 3;
/// Share of the detector's range that the chest's black and white take: the rest is over- and underexposure.
const USED: (f32, f32) = (0.06, 0.88);
/// Streams of one seed's random numbers, so that no choice here shifts the drawn anatomy.
const FIELD_STREAM: u64 = 1;
const GRAIN_STREAM: u64 = 2;

/// A film as the detector stored it.
#[derive(Clone, Debug)]
pub struct Film {
    /// What it was drawn to show.
    pub class: Class,
    /// What it was drawn from.
    pub seed: u64,
    /// Its size.
    pub geometry: Geometry,
    /// What "took" it.
    pub detector: Detector,
    /// Row-major stored values, 0 to 2^bits - 1.
    pub samples: Vec<u16>,
    /// Window Center and Width (PS3.3 C.11.2.1.2.1, LINEAR) that show black to white as drawn.
    pub window: (f32, f32),
}

impl Synthesiser {
    /// Draws one film and stores it as a detector of this seed's choice would: 2 to 5 million pixels, 10 to 16 bits.
    ///
    /// # Errors
    /// [`SynthError::Geometry`] if the weights ask for an impossible aspect ratio.
    pub fn expose(&self, class: Class, seed: u64) -> Result<Film, SynthError> {
        let mut field = Normal::stream(seed, FIELD_STREAM);
        let detector = DETECTORS[field.below(DETECTORS.len())];
        let rows = (detector.columns as f32 / self.aspect(class, &mut field)) as u32;
        self.expose_at(class, seed, (detector, rows), &mut field)
    }

    /// Draws one film and stores it as the given detector would, collimated to the given rows: for load tests, whose films
    /// are all of one size.
    ///
    /// # Errors
    /// [`SynthError::Geometry`] if a side is outside 32..=4300.
    pub fn expose_on(&self, class: Class, seed: u64, detector: Detector, rows: u32) -> Result<Film, SynthError> {
        self.expose_at(class, seed, (detector, rows), &mut Normal::stream(seed, FIELD_STREAM))
    }

    fn expose_at(
        &self,
        class: Class,
        seed: u64,
        (detector, rows): (Detector, u32),
        field: &mut Normal,
    ) -> Result<Film, SynthError> {
        let geometry = Geometry { rows, columns: detector.columns };
        let mut drawn = self.draw(class, seed, geometry)?;
        marks::collimate(&mut drawn, field);
        add_grain(&mut drawn.grey, detector.columns as usize, &mut Normal::stream(seed, GRAIN_STREAM));
        marks::side_marker(&mut drawn, field);
        let (samples, window) = store(&drawn.grey, detector);
        Ok(Film { class, seed, geometry, detector, samples, window })
    }
}

/// Adds the receptor's grain: clumps (light spreads in the phosphor) and single pixels (electronics).
fn add_grain(grey: &mut [f32], columns: usize, normal: &mut Normal) {
    let clumps_across = columns / CLUMP + 2;
    let mut above = vec![0.0; clumps_across];
    let mut below = vec![0.0; clumps_across];
    let mut fine = vec![0.0; columns];
    normal.fill_grain(&mut below);
    for (number, row) in grey.chunks_exact_mut(columns).enumerate() {
        if number % CLUMP == 0 {
            std::mem::swap(&mut above, &mut below);
            normal.fill_grain(&mut below);
        }
        normal.fill_grain(&mut fine);
        let down = (number % CLUMP) as f32 / CLUMP as f32;
        for (clump, pixels) in row.chunks_mut(CLUMP).enumerate() {
            let left = above[clump] + down * (below[clump] - above[clump]);
            let right = above[clump + 1] + down * (below[clump + 1] - above[clump + 1]);
            for (k, pixel) in pixels.iter_mut().enumerate() {
                let coarse = left + (right - left) * k as f32 / CLUMP as f32;
                let denser = 0.5 + *pixel / 255.0 * 0.5;
                *pixel += denser * (GRAIN.0 * fine[clump * CLUMP + k] + GRAIN.1 * coarse);
            }
        }
    }
}

/// Grey to stored values, and the window that undoes it.
fn store(grey: &[f32], detector: Detector) -> (Vec<u16>, (f32, f32)) {
    let most = ((1u32 << detector.bits) - 1) as f32;
    let (black, white) = match detector.photometric {
        Photometric::Monochrome2 => (USED.0 * most, USED.1 * most),
        Photometric::Monochrome1 => ((1.0 - USED.0) * most, (1.0 - USED.1) * most),
    };
    let slope = (white - black) / 255.0;
    let samples = grey.iter().map(|&g| (black + slope * g + 0.5).clamp(0.0, most) as u16).collect();
    // LINEAR shows c - 0.5 -+ (w - 1) / 2 as black and white, PS3.3 C.11.2.1.2.1.
    let window = (((black + white) / 2.0 + 0.5).round(), ((white - black).abs() + 1.0).round());
    (samples, window)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_shows_black_and_white_as_drawn() {
        for detector in DETECTORS {
            let (samples, (center, width)) = store(&[0.0, 127.5, 255.0], detector);
            for (stored, drawn) in samples.iter().zip([0.0, 127.5, 255.0]) {
                let linear = ((f32::from(*stored) - (center - 0.5)) / (width - 1.0) + 0.5).clamp(0.0, 1.0) * 255.0;
                let inverted = detector.photometric == Photometric::Monochrome1;
                let seen = if inverted { 255.0 - linear } else { linear };
                assert!((seen - drawn).abs() < 0.6, "{detector:?}: {seen} for {drawn}");
            }
        }
    }

    #[test]
    fn grain_leaves_the_mean_alone() {
        let mut grey = vec![120.0; 300 * 200];
        add_grain(&mut grey, 300, &mut Normal::from_seed(3));
        let mean = grey.iter().sum::<f32>() / grey.len() as f32;
        let deviation = (grey.iter().map(|g| (g - mean).powi(2)).sum::<f32>() / grey.len() as f32).sqrt();
        assert!((mean - 120.0).abs() < 0.2 && (0.8..2.5).contains(&deviation), "{mean} {deviation}");
    }
}
