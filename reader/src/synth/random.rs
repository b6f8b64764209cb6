//! Normal numbers from a seed: the only randomness a drawn film has. Nothing here reads a clock or the system's entropy.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Standard normal numbers (Box–Muller, both of the pair used).
pub(super) struct Normal {
    source: ChaCha8Rng,
    spare: Option<f32>,
}

impl Normal {
    pub(super) fn from_seed(seed: u64) -> Self {
        Self { source: ChaCha8Rng::seed_from_u64(seed), spare: None }
    }

    /// Another stream of the same seed, so that a further draw of one thing does not shift every other.
    pub(super) fn stream(seed: u64, stream: u64) -> Self {
        let mut source = ChaCha8Rng::seed_from_u64(seed);
        source.set_stream(stream);
        Self { source, spare: None }
    }

    pub(super) fn next(&mut self) -> f32 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        // 1 - u lies in (0, 1]: its logarithm is finite.
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * self.unit()).sin_cos();
        self.spare = Some((radius * sine) as f32);
        (radius * cosine) as f32
    }

    /// Evenly spread in [0, 1).
    pub(super) fn unit(&mut self) -> f64 {
        (self.source.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Evenly spread in 0..count; count is small, so the modulo's bias (below 1e-15) does not matter.
    pub(super) fn below(&mut self, count: usize) -> usize {
        (self.source.next_u64() % count.max(1) as u64) as usize
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.source.next_u64()
    }

    /// Fast, nearly normal numbers of unit variance for millions of pixels: sums of four bytes, no logarithms.
    pub(super) fn fill_grain(&mut self, out: &mut [f32]) {
        // Four bytes 0..=255 have mean 510 and variance 4 * (256^2 - 1) / 12.
        const DEVIATION: f32 = 147.8;
        let mut bytes = [0u8; 4096];
        for part in out.chunks_mut(1024) {
            self.source.fill_bytes(&mut bytes);
            for (value, four) in part.iter_mut().zip(bytes.as_chunks::<4>().0) {
                let sum: u16 = four.iter().map(|&byte| u16::from(byte)).sum();
                *value = (f32::from(sum) - 510.0) / DEVIATION;
            }
        }
    }
}
