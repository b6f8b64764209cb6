//! How far readers agree beyond chance: Cohen's kappa for two, Krippendorff's alpha for however many, each with its interval and
//! the number of films behind it. Pure.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

/// Kinds of verdict.
pub const KINDS: usize = super::Opinion::ALL.len();

/// Standard normal quantile of a two-sided 95 % interval.
const Z95: f64 = 1.959_963_984_540_054;

/// Resamples of a bootstrap interval: the usual thousand, whose ends wander by less than the interval's own second digit.
const RESAMPLES: usize = 1_000;

/// A coefficient, its 95 % interval and the films that it is of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Coefficient {
    /// 1 for agreement on every film, 0 for what chance alone would give.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// How many films both read.
    pub films: usize,
}

/// How often the first of two readers said the one and the second the other.
pub type Table = [[u32; KINDS]; KINDS];

/// Cohen's kappa with the large-sample interval of Fleiss, Cohen and Everitt (Psychological Bulletin 72, 1969, equation 13);
/// nothing where it is not defined: without films, or where both only ever said one and the same.
#[must_use]
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "counts of films are far below 2^32")]
pub fn cohen(table: &Table) -> Option<Coefficient> {
    let films: u32 = table.iter().flatten().sum();
    let n = f64::from(films);
    let share = |row: usize, column: usize| f64::from(table[row][column]) / n;
    let rows: [f64; KINDS] = std::array::from_fn(|row| (0..KINDS).map(|column| share(row, column)).sum());
    let columns: [f64; KINDS] = std::array::from_fn(|column| (0..KINDS).map(|row| share(row, column)).sum());
    let observed: f64 = (0..KINDS).map(|kind| share(kind, kind)).sum();
    let expected: f64 = (0..KINDS).map(|kind| rows[kind] * columns[kind]).sum();
    // What is not explained by chance.
    let room = 1.0 - expected;
    if films == 0 || room <= f64::EPSILON {
        return None;
    }
    let kappa = (observed - expected) / room;
    let mut variance = -(kappa - expected * (1.0 - kappa)).powi(2);
    for row in 0..KINDS {
        for column in 0..KINDS {
            let pull = if row == column {
                1.0 - (rows[row] + columns[row]) * (1.0 - kappa)
            } else {
                (1.0 - kappa) * (columns[row] + rows[column])
            };
            variance += share(row, column) * pull.powi(2);
        }
    }
    let error = (variance.max(0.0) / n).sqrt() / room;
    let (low, high) = ((kappa - Z95 * error).max(-1.0), (kappa + Z95 * error).min(1.0));
    Some(Coefficient { value: kappa, low, high, films: films as usize })
}

/// Krippendorff's alpha for nominal data, with a percentile bootstrap over the films; nothing where it is not defined. Each film
/// is how often each kind of verdict was given to it; films with fewer than two verdicts say nothing.
#[must_use]
pub fn krippendorff(films: &[[u32; KINDS]], seed: u64) -> Option<Coefficient> {
    let films: Vec<&[u32; KINDS]> = films.iter().filter(|film| film.iter().sum::<u32>() > 1).collect();
    let value = alpha(films.iter().copied())?;
    let mut dice = StdRng::seed_from_u64(seed);
    let mut drawn: Vec<f64> = (0..RESAMPLES)
        // A sample in which nobody differed and nothing varied has no alpha: as much agreement as there can be.
        .map(|_| alpha((0..films.len()).map(|_| films[dice.random_range(0..films.len())])).unwrap_or(1.0))
        .collect();
    drawn.sort_unstable_by(f64::total_cmp);
    // The 25th lowest and the 25th highest of a thousand.
    let tail = RESAMPLES / 40;
    Some(Coefficient { value, low: drawn[tail - 1], high: drawn[RESAMPLES - tail], films: films.len() })
}

/// 1 - observed / expected disagreement, by the coincidence matrix (Krippendorff, Computing Krippendorff's Alpha-Reliability,
/// 2011, section C).
fn alpha<'a>(films: impl Iterator<Item = &'a [u32; KINDS]>) -> Option<f64> {
    let (mut agreed, mut totals) = (0.0, [0.0; KINDS]);
    for film in films {
        let verdicts = f64::from(film.iter().sum::<u32>());
        for (kind, count) in film.iter().map(|count| f64::from(*count)).enumerate() {
            agreed += count * (count - 1.0) / (verdicts - 1.0);
            totals[kind] += count;
        }
    }
    let all: f64 = totals.iter().sum();
    let by_chance: f64 = totals.iter().map(|total| total * (total - 1.0)).sum::<f64>() / (all - 1.0);
    (all > 1.0 && all - by_chance > f64::EPSILON).then(|| 1.0 - (all - agreed) / (all - by_chance))
}

/// The tables of every two readers that read a film together, by their names in order. Of each film: the two and what they said.
#[must_use]
pub fn pairs<'a>(films: &[[(&'a str, usize); 2]]) -> BTreeMap<(&'a str, &'a str), Table> {
    let mut tables: BTreeMap<(&str, &str), Table> = BTreeMap::new();
    for film in films {
        let mut film = *film;
        film.sort_unstable();
        let [(one, first), (other, second)] = film;
        tables.entry((one, other)).or_default()[first][second] += 1;
    }
    tables
}

#[cfg(test)]
mod tests;
