//! The statistical model's weights as `models/synthetic-cxr/train.py` writes them; the format is described in that
//! folder's `weights.py`. It never draws anything, and refuses a file whose numbers don't fit together.

use std::io::Read;

use super::SynthError;
use super::detail;

const MAGIC: &[u8; 8] = b"HILUMSYN";
/// The one version of the format that this code reads.
const VERSION: u32 = 2;
/// No body is larger once inflated (the present one is about 5 MB): a damaged length must not ask for gigabytes.
const LARGEST_BODY: u32 = 64 << 20;
/// Sides and counts above this are no model of ours; keeps every product below far from overflow.
const LARGEST_SIZE: usize = 1024;

/// One Gaussian of a class: `mean + lower * standard normal`.
#[derive(Debug)]
pub(super) struct Mixture {
    pub(super) weight: f32,
    pub(super) mean: Vec<f32>,
    /// Rows of the lower triangle; row k has k + 1 values.
    pub(super) lower: Vec<Vec<f32>>,
}

/// What is particular to one class of films.
#[derive(Debug)]
pub(super) struct ClassWeights {
    /// Mean and deviation of ln(width / height).
    pub(super) log_aspect: (f32, f32),
    /// Deviation of the natural logarithm of the detail's strength.
    pub(super) log_gain: f32,
    pub(super) mixtures: Vec<Mixture>,
    /// Detail amplitudes, `[tile row][tile column][frequency down][frequency right]`, half spectrum.
    pub(super) amplitude: Vec<f32>,
}

/// The whole model.
#[derive(Debug)]
pub(super) struct Weights {
    pub(super) texture_side: usize,
    pub(super) texture_mean: Vec<f32>,
    pub(super) texture: Vec<Vec<f32>>,
    pub(super) shape_side: usize,
    /// Downward displacements first, then rightward ones, in units of the frame.
    pub(super) shape_mean: Vec<f32>,
    pub(super) shape: Vec<Vec<f32>>,
    /// Healthy chests first, then pneumonia.
    pub(super) classes: [ClassWeights; 2],
}

impl Weights {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, SynthError> {
        let body = inflate(bytes)?;
        let mut source = Source { rest: &body };
        let [texture_side, texture_count, shape_side, shape_count] = source.sizes()?;
        let [detail_side, tile_side, class_count, mixture_count] = source.sizes()?;
        if detail_side != detail::SIDE || tile_side != detail::TILE || class_count != 2 {
            return Err(SynthError::Weights("the detail's geometry or the number of classes is another one"));
        }
        let texture_mean = source.floats(texture_side * texture_side)?;
        let texture = source.many(texture_count, |s| s.scaled_i8(texture_side * texture_side))?;
        let shape_mean = source.floats(2 * shape_side * shape_side)?;
        let shape = source.many(shape_count, |s| s.scaled_i16(2 * shape_side * shape_side))?;
        let scale = (source.float()?, source.float()?);
        let coefficients = texture_count + shape_count;
        let mut class = || source.class(mixture_count, coefficients, scale);
        let classes = [class()?, class()?];
        if !source.rest.is_empty() {
            return Err(SynthError::Weights("bytes are left over at the end"));
        }
        Ok(Self { texture_side, texture_mean, texture, shape_side, shape_mean, shape, classes })
    }
}

fn inflate(bytes: &[u8]) -> Result<Vec<u8>, SynthError> {
    let Some((head, packed)) = bytes.split_first_chunk::<16>() else {
        return Err(SynthError::Weights("the file is shorter than its header"));
    };
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    if &head[..8] != MAGIC || word(8) != VERSION {
        return Err(SynthError::Weights("it is not a weights file of this version"));
    }
    let length = word(12);
    if length > LARGEST_BODY {
        return Err(SynthError::Weights("the length in the header is implausible"));
    }
    let mut body = Vec::with_capacity(length as usize);
    let limit = u64::from(length) + 1;
    flate2::read::ZlibDecoder::new(packed)
        .take(limit)
        .read_to_end(&mut body)
        .map_err(|_| SynthError::Weights("the compressed body is damaged"))?;
    if body.len() != length as usize {
        return Err(SynthError::Weights("the body's length is not the one in the header"));
    }
    Ok(body)
}

/// Takes little-endian numbers off the front of the body.
struct Source<'a> {
    rest: &'a [u8],
}

impl Source<'_> {
    fn take(&mut self, count: usize) -> Result<&[u8], SynthError> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(SynthError::Weights("the body ends too early"))?;
        self.rest = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], SynthError> {
        let (head, rest) = self.rest.split_first_chunk().ok_or(SynthError::Weights("the body ends too early"))?;
        self.rest = rest;
        Ok(*head)
    }

    fn sizes(&mut self) -> Result<[usize; 4], SynthError> {
        let mut out = [0; 4];
        for size in &mut out {
            *size = usize::from(u16::from_le_bytes(self.array()?));
            if !(1..=LARGEST_SIZE).contains(size) {
                return Err(SynthError::Weights("a size in the body is implausible"));
            }
        }
        Ok(out)
    }

    fn float(&mut self) -> Result<f32, SynthError> {
        let value = f32::from_le_bytes(self.array()?);
        if value.is_finite() { Ok(value) } else { Err(SynthError::Weights("a number is not finite")) }
    }

    fn floats(&mut self, count: usize) -> Result<Vec<f32>, SynthError> {
        self.many(count, Source::float)
    }

    fn many<T>(
        &mut self,
        count: usize,
        mut one: impl FnMut(&mut Self) -> Result<T, SynthError>,
    ) -> Result<Vec<T>, SynthError> {
        (0..count).map(|_| one(self)).collect()
    }

    fn scaled_i8(&mut self, count: usize) -> Result<Vec<f32>, SynthError> {
        let scale = self.float()?;
        Ok(self.take(count)?.iter().map(|&code| f32::from(code.cast_signed()) * scale).collect())
    }

    fn scaled_i16(&mut self, count: usize) -> Result<Vec<f32>, SynthError> {
        let scale = self.float()?;
        let (pairs, _) = self.take(2 * count)?.as_chunks::<2>();
        Ok(pairs.iter().map(|&code| f32::from(i16::from_le_bytes(code)) * scale).collect())
    }

    fn class(
        &mut self,
        mixtures: usize,
        coefficients: usize,
        (low, step): (f32, f32),
    ) -> Result<ClassWeights, SynthError> {
        let log_aspect = (self.float()?, self.float()?);
        let log_gain = self.float()?;
        let mixtures = self.many(mixtures, |s| {
            let weight = s.float()?;
            let mean = s.floats(coefficients)?;
            let lower = (0..coefficients).map(|row| s.scaled_i16(row + 1)).collect::<Result<_, _>>()?;
            Ok(Mixture { weight, mean, lower })
        })?;
        let codes = self.take(detail::TILES * detail::TILES * detail::SPECTRUM)?;
        let amplitude = codes.iter().map(|&code| (low + step * f32::from(code)).exp()).collect();
        Ok(ClassWeights { log_aspect, log_gain, mixtures, amplitude })
    }
}
