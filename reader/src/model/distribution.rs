//! How far an image lies from what the model was trained on, by the model's own embedding: the Mahalanobis distance in the
//! leading principal components plus the scaled remainder outside them. Arithmetic on the bundle's numbers; no model here.
//!
//! `distribution.bin`, f32 little-endian, d dimensions and k components, one after the other:
//! ```text
//! mean[d]   scale[d]   variance[k]   basis[k][d]
//! x = (embedding - mean) / scale        t = basis · x
//! distance = Σ t² / variance + (|x|² - |t|²) / residual
//! ```

use serde::{Deserialize, Serialize};

use super::manifest::DistributionFile;

/// Bytes of one number.
const NUMBER: usize = 4;

/// Where the training images lie. Bytes as they were verified, so that it crosses to other processes as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stated")]
pub struct Distribution {
    rule: DistributionFile,
    #[serde(with = "serde_bytes")]
    numbers: Vec<u8>,
}

/// One that another process states: checked as if it came from a file.
#[derive(Deserialize)]
struct Stated {
    rule: DistributionFile,
    #[serde(with = "serde_bytes")]
    numbers: Vec<u8>,
}

impl TryFrom<Stated> for Distribution {
    type Error = String;

    fn try_from(Stated { rule, numbers }: Stated) -> Result<Self, String> {
        Self::new(rule, numbers)
    }
}

/// What a distance means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// As near as the training images themselves.
    Alike,
    /// Farther than 199 of 200 of them: the answer is less reliable than measured.
    Doubtful,
    /// Farther than any of them: the answer means nothing.
    Unlike,
}

impl Distribution {
    /// From the verified bytes of the file.
    ///
    /// # Errors
    /// A sentence where they are not what the manifest says.
    pub fn new(rule: DistributionFile, numbers: Vec<u8>) -> Result<Self, String> {
        let (d, k) = (rule.dimensions as usize, rule.components as usize);
        // Sizes of 32 bits each: their product fits, and a manifest that was not looked at first may state any.
        let expected = NUMBER as u128 * (2 * d as u128 + k as u128 + k as u128 * d as u128);
        if numbers.len() as u128 != expected {
            return Err(format!(
                "has {} bytes instead of {expected} for {d} dimensions and {k} components",
                numbers.len()
            ));
        }
        let made = Self { rule, numbers };
        let positive = |number: f64| number.is_finite() && number > 0.0;
        if made.floats(0, 2 * d + k + k * d).all(f64::is_finite) && made.floats(d, d + k).all(positive) {
            Ok(made)
        } else {
            Err("holds a number that is none, or a scale or variance that is not over 0".to_owned())
        }
    }

    /// The distance of an embedding; infinite where it is of another length or holds what is no number.
    #[must_use]
    pub fn distance(&self, embedding: &[f32]) -> f64 {
        let (d, k) = (self.rule.dimensions as usize, self.rule.components as usize);
        if embedding.len() != d {
            return f64::INFINITY;
        }
        let (means, scales) = (self.floats(0, d), self.floats(d, d));
        let x: Vec<f64> = embedding.iter().zip(means.zip(scales)).map(|(e, (m, s))| (f64::from(*e) - m) / s).collect();
        let whole: f64 = x.iter().map(|x| x * x).sum();
        let (mut inside, mut explained) = (0.0, 0.0);
        for (row, variance) in self.floats(2 * d, k).enumerate() {
            let t: f64 = self.floats(2 * d + k + row * d, d).zip(&x).map(|(b, x)| b * x).sum();
            inside += t * t / variance;
            explained += t * t;
        }
        let distance = inside + (whole - explained).max(0.0) / self.rule.residual;
        if distance.is_finite() { distance } else { f64::INFINITY }
    }

    /// What that distance means.
    #[must_use]
    pub fn judge(&self, embedding: &[f32]) -> Likeness {
        let distance = self.distance(embedding);
        if distance > self.rule.abstain {
            Likeness::Unlike
        } else if distance > self.rule.caution {
            Likeness::Doubtful
        } else {
            Likeness::Alike
        }
    }

    fn floats(&self, from: usize, count: usize) -> impl Iterator<Item = f64> + '_ {
        let bytes = &self.numbers[NUMBER * from..NUMBER * (from + count)];
        bytes.chunks_exact(NUMBER).map(|four| f64::from(f32::from_le_bytes([four[0], four[1], four[2], four[3]])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two dimensions, one component along the first axis; mean (1, 2), scale (1, 2), variance 4, residual 0.5.
    fn distribution() -> Distribution {
        let rule = DistributionFile {
            file: "distribution.bin".into(),
            sha256: String::new(),
            dimensions: 2,
            components: 1,
            residual: 0.5,
            caution: 2.0,
            abstain: 4.0,
            fitted_on: String::new(),
        };
        let numbers = [1.0f32, 2.0, 1.0, 2.0, 4.0, 1.0, 0.0];
        Distribution::new(rule, numbers.iter().flat_map(|n| n.to_le_bytes()).collect()).unwrap()
    }

    #[test]
    fn the_distance_is_inside_plus_outside() {
        let distribution = distribution();
        for (embedding, expected, likeness) in [
            ([1.0, 2.0], 0.0, Likeness::Alike),
            ([3.0, 2.0], 1.0, Likeness::Alike),
            ([1.0, 4.0], 2.0, Likeness::Alike),
            ([3.0, 4.0], 3.0, Likeness::Doubtful),
            ([7.0, 2.0], 9.0, Likeness::Unlike),
        ] {
            assert!((distribution.distance(&embedding) - expected).abs() < 1e-9, "{embedding:?}");
            assert_eq!(distribution.judge(&embedding), likeness, "{embedding:?}");
        }
    }

    #[test]
    fn what_cannot_be_judged_is_unlike() {
        for embedding in [&[][..], &[1.0], &[1.0, 2.0, 3.0], &[f32::NAN, 2.0], &[f32::INFINITY, 2.0]] {
            assert_eq!(distribution().judge(embedding), Likeness::Unlike, "{embedding:?}");
        }
    }

    /// The inference process holds it, too, and says so; it may have been taken over.
    #[test]
    fn what_another_process_states_is_checked_like_a_file() {
        let stated = |distribution: &Distribution| {
            let mut bytes = Vec::new();
            ciborium::into_writer(distribution, &mut bytes).unwrap();
            ciborium::from_reader::<Distribution, _>(bytes.as_slice())
        };
        let good = distribution();
        assert_eq!(stated(&good).unwrap(), good);
        assert!(stated(&Distribution { numbers: vec![0; 4], ..good.clone() }).is_err());
        let huge = DistributionFile { dimensions: u32::MAX, components: u32::MAX, ..good.rule };
        assert!(stated(&Distribution { rule: huge, numbers: vec![] }).is_err());
    }

    #[test]
    fn numbers_that_are_none_or_too_few_are_refused() {
        let Distribution { rule, numbers } = distribution();
        assert!(Distribution::new(rule.clone(), numbers[1..].to_vec()).is_err());
        for (at, bad) in [(0, f32::NAN), (3, 0.0), (4, -1.0)] {
            let mut damaged = numbers.clone();
            damaged[NUMBER * at..][..NUMBER].copy_from_slice(&bad.to_le_bytes());
            assert!(Distribution::new(rule.clone(), damaged).is_err(), "{at}");
        }
    }
}
