//! Draws chest radiographs of nobody: the demo, the load tests and the golden cases need films, and no patient's film
//! may be shipped. A statistical model (`models/synthetic-cxr`) learnt what children's chest films have in common;
//! every film here is a fresh draw from it. It never reads a clock, entropy or a patient's image: one seed, one film.
//!
//! ```text
//! weights ─▶ coefficients ─▶ texture + fine band ─▶ seen through the shape ─▶ exposure ─▶ DICOM object
//!            (this file)     (canvas, detail)       (canvas)                  (exposure)   (dicom, series)
//! ```
//!
//! A drawn film is no proof of anything about a model's accuracy on patients: see the README beside the weights.

mod canvas;
mod detail;
pub mod dicom;
pub mod exposure;
mod random;
pub mod series;
mod weights;

use canvas::Square;
use random::Normal;
use weights::Weights;

/// The weights that every build carries (3 MB, so that a demo needs no download).
const BUILT_IN: &[u8] = include_bytes!("../../models/synthetic-cxr/weights.bin");
/// Draws stay nearer to the mean than the films do, the more so the finer a component is: the far tails of a Gaussian in
/// 200 dimensions are no chests. (component number, share of the learnt deviation), linear in between.
const SPREAD: [(f32, f32); 4] = [(0.0, 0.9), (20.0, 0.85), (80.0, 0.6), (160.0, 0.5)];
/// The same for shape, all components alike.
const SHAPE_SPREAD: f32 = 0.85;
/// Averaging over many films blunts edges; this gives them back (strength, smoothing passes at the texture's own size).
const SHARPEN: (f32, usize) = (0.7, 6);
/// The fine band is drawn weaker than measured: part of it is edges, which random phases would turn into mottle.
const DETAIL_GAIN: f32 = 0.5;
/// A film's own detail strength varies, by this share of the learnt deviation.
const DETAIL_VARIES: f32 = 0.5;
/// Rows and columns a film may have: a stamp for golden cases, up to the largest flat panels (43 cm at 0.1 mm).
const SIDES: std::ops::RangeInclusive<u32> = 32..=4300;

/// Why nothing was drawn or written.
#[derive(Debug, thiserror::Error)]
pub enum SynthError {
    /// The weights are not what this program reads.
    #[error(
        "the synthetic radiographs' weights can't be used: {0}; train them again with models/synthetic-cxr/train.py of this version"
    )]
    Weights(&'static str),
    /// A size outside what is drawn.
    #[error("a film of {rows} x {columns} pixels can't be drawn: each side must have 32 to 4300")]
    Geometry {
        /// Rows asked for.
        rows: u32,
        /// Columns asked for.
        columns: u32,
    },
    /// The DICOM object could not be put together.
    #[error("the drawn film could not be made into a DICOM object; this is a defect of this program, please report it")]
    Object(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The folder or a file could not be written.
    #[error(
        "can't write the drawn films to {folder}: make sure the folder exists or can be made, is writable and has room (about 10 MB a film)"
    )]
    Write {
        /// The folder asked for.
        folder: std::path::PathBuf,
        /// What the system or the encoder said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What a drawn chest shows, as the training films were labelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Drawn from the films without pneumonia.
    Normal,
    /// Drawn from the films with pneumonia, bacterial or viral.
    Pneumonia,
}

impl Class {
    /// `normal` or `pneumonia`, as in file names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Pneumonia => "pneumonia",
        }
    }
}

/// How many pixels a drawn film has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Pixels down, 32 to 4300.
    pub rows: u32,
    /// Pixels across, 32 to 4300.
    pub columns: u32,
}

/// One drawn film before any detector: bone white, air black.
#[derive(Clone, Debug)]
pub struct Drawn {
    /// What it was drawn to show.
    pub class: Class,
    /// Its size.
    pub geometry: Geometry,
    /// Row-major grey, 0 (black) to 255 (white), not rounded.
    pub grey: Vec<f32>,
}

impl Drawn {
    /// The film as 8-bit grey, rounded half up.
    #[must_use]
    pub fn to_u8(&self) -> Vec<u8> {
        self.grey.iter().map(|&grey| (grey + 0.5).clamp(0.0, 255.0) as u8).collect()
    }
}

/// The model, ready to draw. Holds about 20 MB.
#[derive(Debug)]
pub struct Synthesiser {
    weights: Weights,
}

impl Synthesiser {
    /// The model that this build carries.
    ///
    /// # Errors
    /// [`SynthError::Weights`] if the build was made with damaged weights.
    pub fn built_in() -> Result<Self, SynthError> {
        Self::from_bytes(BUILT_IN)
    }

    /// A model from the bytes of a `weights.bin`.
    ///
    /// # Errors
    /// [`SynthError::Weights`] if they are damaged or of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SynthError> {
        Ok(Self { weights: Weights::parse(bytes)? })
    }

    /// Draws one film. The same class, seed and geometry give the same film, bit for bit on the same platform.
    ///
    /// # Errors
    /// [`SynthError::Geometry`] if a side is outside 32..=4300.
    pub fn draw(&self, class: Class, seed: u64, geometry: Geometry) -> Result<Drawn, SynthError> {
        let Geometry { rows, columns } = geometry;
        if !SIDES.contains(&rows) || !SIDES.contains(&columns) {
            return Err(SynthError::Geometry { rows, columns });
        }
        let mut normal = Normal::from_seed(seed);
        let (texture, shape) = self.coefficients(class, &mut normal);
        let anatomy = self.anatomy(class, &texture, &mut normal);
        let [down, right] = self.displacement(&shape);
        let (rows, columns) = (rows as usize, columns as usize);
        let oversample = (detail::SIDE * 3 / 4).div_ceil(rows.min(columns)).max(1);
        let grey = canvas::view(&anatomy, &down, &right, rows, columns, oversample);
        Ok(Drawn { class, geometry, grey: grey.into_iter().map(|v| v.clamp(0.0, 255.0)).collect() })
    }

    /// Width over height of this seed's film, as drawn from the class's films: 1.0 to 1.7.
    fn aspect(&self, class: Class, normal: &mut Normal) -> f32 {
        let (mean, deviation) = self.weights.classes[class as usize].log_aspect;
        (mean + 0.7 * deviation * normal.next()).clamp(0.0, 0.53).exp()
    }

    /// Texture and shape coefficients: one Gaussian of the class is chosen by weight, then drawn from, nearer to the class's mean.
    fn coefficients(&self, class: Class, normal: &mut Normal) -> (Vec<f32>, Vec<f32>) {
        let mixtures = &self.weights.classes[class as usize].mixtures;
        let mut left = normal.unit() as f32 * mixtures.iter().map(|m| m.weight).sum::<f32>();
        let chosen = mixtures
            .iter()
            .position(|m| {
                left -= m.weight;
                left <= 0.0
            })
            .unwrap_or(0);
        let mixture = &mixtures[chosen];
        let noise: Vec<f32> = mixture.mean.iter().map(|_| normal.next()).collect();
        let textures = self.weights.texture.len();
        let mut all: Vec<f32> = mixture
            .lower
            .iter()
            .zip(&mixture.mean)
            .enumerate()
            .map(|(k, (row, own))| {
                let centre: f32 = mixtures.iter().map(|m| m.weight * m.mean[k]).sum();
                let away = own - centre + row.iter().zip(&noise).map(|(a, b)| a * b).sum::<f32>();
                centre + away * if k < textures { spread(k) } else { SHAPE_SPREAD }
            })
            .collect();
        let shape = all.split_off(textures);
        (all, shape)
    }

    fn anatomy(&self, class: Class, coefficients: &[f32], normal: &mut Normal) -> Square {
        let weights = &self.weights;
        let own = &weights.classes[class as usize];
        let gain = DETAIL_GAIN * (DETAIL_VARIES * own.log_gain * normal.next()).exp();
        let mut texture = Square::blend(weights.texture_side, &weights.texture_mean, &weights.texture, coefficients);
        texture.sharpen(SHARPEN.0, SHARPEN.1);
        let mut anatomy = texture.enlarge(detail::SIDE);
        for (value, fine) in anatomy.values.iter_mut().zip(detail::draw(&own.amplitude, normal)) {
            *value += gain * fine;
        }
        anatomy
    }

    fn displacement(&self, coefficients: &[f32]) -> [Square; 2] {
        let weights = &self.weights;
        let both = Square::blend(weights.shape_side, &weights.shape_mean, &weights.shape, coefficients);
        let (down, right) = both.values.split_at(weights.shape_side * weights.shape_side);
        // Four times finer by cubics once, so that the linear look-up per pixel shows no kinks.
        [down, right]
            .map(|half| Square { side: weights.shape_side, values: half.to_vec() }.enlarge(4 * weights.shape_side))
    }
}

fn spread(component: usize) -> f32 {
    let at = component as f32;
    SPREAD.windows(2).find(|pair| at < pair[1].0).map_or(SPREAD[SPREAD.len() - 1].1, |pair| {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        y0 + (y1 - y0) * (at - x0) / (x1 - x0)
    })
}
