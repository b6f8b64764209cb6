//! Whether the model is right, by what reviewers said: confusion at the operating point, ROC, calibration.

use serde::Serialize;

use super::{Behind, MOST_JUDGED, Period, Scope, count, truth};
use crate::quality::calibration::{self, Bin};
use crate::quality::confusion::{Confusion, Rates};
use crate::quality::interval::{Interval, Share};
use crate::quality::roc::{self, Auc, Point};
use crate::quality::verification::{self, Called, Corrected};
use crate::quality::{Case, bootstrap};
use crate::store::readings::JudgedRow;
use crate::store::{Store, StoreError};

/// Samples of a bootstrap: a 95 % limit is then the 12th of 500, and moves by less than its last shown digit.
const REPLICATES: usize = 500;

/// Any number would do; always the same one, so that a page that is loaded again shows what it showed.
const SEED: u64 = 0x48_69_6c_75_6d;

/// Most points of the curve that are shown: more than a screen has pixels to tell apart.
const MOST_POINTS: usize = 200;

/// What the verdicts say of the model. They were given with its answer in sight, mostly to what it called positive: they are no
/// independent truth, and no random sample.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Accuracy {
    /// The period that was computed with.
    pub period: Period,
    /// True where the asked period held more than 20,000 verdicts, and the newest of them were computed with.
    pub narrowed: bool,
    /// Readings in the period, by what they were called.
    pub called: Called,
    /// Share of those called positive that were judged.
    pub judged_of_positive: Share,
    /// Share of those called negative that were judged.
    pub judged_of_negative: Share,
    /// The four cells at the operating point.
    pub cells: Cells,
    /// What they say of the judged; the predictive values are how often reviewers agreed with either call.
    pub rates: Rates,
    /// Of all pneumonias, judged or not, the share that was called negative (Begg and Greenes); null where one of the two calls
    /// was never judged.
    pub corrected_false_negative_rate: Option<Corrected>,
    /// The area under the ROC curve; null where only one kind was seen.
    pub auc: Option<Auc>,
    /// The curve, 200 points at most.
    pub roc: Vec<Point>,
    /// The reliability diagram.
    pub diagram: Vec<ShownBin>,
    /// The expected calibration error, with a bootstrap's interval; null without cases.
    pub expected_calibration_error: Option<Estimate>,
    /// The Brier score, with a bootstrap's interval; null without cases.
    pub brier: Option<Estimate>,
}

/// The four cells and where they lead.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Cells {
    /// How many.
    #[serde(flatten)]
    pub cells: Confusion,
    /// The studies of each: called positive and positive; and so on.
    pub studies: CellStudies,
}

/// A link for each cell.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct CellStudies {
    /// Called positive, and positive.
    pub true_positives: String,
    /// Called positive, and not.
    pub false_positives: String,
    /// Called negative, and not positive.
    pub true_negatives: String,
    /// Called negative, but positive.
    pub false_negatives: String,
}

/// A bin of the reliability diagram and where it leads.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ShownBin {
    /// The bin.
    #[serde(flatten)]
    pub bin: Bin,
    /// The studies in it.
    pub studies: String,
}

/// A number with a bootstrap's 95 % interval.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// 500 samples drawn again from the cases.
    pub interval: Option<Interval>,
    /// Of how many cases.
    pub n: u64,
}

/// Asks and computes.
///
/// # Errors
/// [`StoreError`].
pub async fn survey(store: &Store, scope: Scope) -> Result<Accuracy, StoreError> {
    let judged = store.judged_readings(&scope.sites, &scope.which(), MOST_JUDGED + 1).await?;
    let (scope, judged, narrowed) = fit(scope, judged);
    let groups = store.reading_groups(&scope.sites, &scope.which()).await?;
    let of =
        |positive| groups.iter().filter(|group| (group.positive == 1) == positive).map(|group| count(group.n)).sum();
    let called = Called { positive: of(true), negative: of(false) };
    let cases: Vec<Case> = judged.iter().map(case).collect();
    // The bootstrap would hold up every other task of this thread.
    tokio::task::spawn_blocking(move || compute(&scope, &cases, called, narrowed))
        .await
        .map_err(|_| StoreError::Content { what: "set of judged readings" })
}

/// Where there are more than can be computed with: from the oldest that still fits on.
fn fit(mut scope: Scope, mut judged: Vec<JudgedRow>) -> (Scope, Vec<JudgedRow>, bool) {
    let most = usize::try_from(MOST_JUDGED).unwrap_or(usize::MAX);
    if judged.len() <= most {
        return (scope, judged, false);
    }
    // A millisecond that is cut through is left out, so that period and cases are of the same studies.
    if let Some(cut) = judged.get(most).map(|row| row.received_at) {
        judged.retain(|row| row.received_at > cut);
        scope.from = cut + 1;
    }
    (scope, judged, true)
}

/// As a case.
pub(super) fn case(row: &JudgedRow) -> Case {
    let called = row.positive == 1;
    Case { probability: row.probability, called, truth: truth(called, &row.verdict) }
}

fn compute(scope: &Scope, cases: &[Case], called: Called, narrowed: bool) -> Accuracy {
    let cells = Confusion::of(cases);
    let rates = cells.rates();
    let estimate = |statistic: fn(&[Case]) -> Option<f64>| {
        let interval = bootstrap::interval(cases, REPLICATES, SEED, statistic);
        statistic(cases).map(|value| Estimate { value, interval, n: cases.len() as u64 })
    };
    let [judged_positive, judged_negative] = [rates.positive_predictive_value.n, rates.negative_predictive_value.n];
    Accuracy {
        period: scope.period(),
        narrowed,
        called,
        judged_of_positive: Share::of(judged_positive, called.positive.max(judged_positive)),
        judged_of_negative: Share::of(judged_negative, called.negative.max(judged_negative)),
        cells: Cells { cells, studies: cell_studies(scope) },
        corrected_false_negative_rate: verification::false_negative_rate(called, &cells),
        auc: roc::area(cases),
        roc: thinned(roc::curve(cases)),
        diagram: calibration::diagram(cases).into_iter().map(|bin| shown_bin(scope, bin)).collect(),
        expected_calibration_error: estimate(calibration::expected_error),
        brier: estimate(calibration::brier),
        rates,
    }
}

fn cell_studies(scope: &Scope) -> CellStudies {
    let link = |positive: bool, verdict: &str| {
        Behind { positive: Some(positive), verdict: Some(verdict.to_owned()), ..scope.behind() }.link()
    };
    CellStudies {
        true_positives: link(true, "agree"),
        false_positives: link(true, "disagree"),
        true_negatives: link(false, "agree"),
        false_negatives: link(false, "disagree"),
    }
}

fn shown_bin(scope: &Scope, bin: Bin) -> ShownBin {
    #[expect(clippy::cast_possible_truncation, reason = "0 to 1, times 1,000")]
    let permille = |edge: f64| (edge * 1_000.0).round() as i64;
    let behind = Behind {
        permille_from: Some(permille(bin.from)),
        permille_to: Some(permille(bin.to)),
        judged: Some(true),
        ..scope.behind()
    };
    ShownBin { studies: behind.link(), bin }
}

/// At most [`MOST_POINTS`] of the curve, with both its ends.
fn thinned(points: Vec<Point>) -> Vec<Point> {
    let step = points.len().div_ceil(MOST_POINTS - 1).max(1);
    let last = points.len().saturating_sub(1);
    let kept = points.into_iter().enumerate().filter(|(place, _)| place % step == 0 || *place == last);
    kept.map(|(_, point)| point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_curve_is_thinned_to_its_bound_and_keeps_its_ends() {
        let point = |place: u32| Point {
            threshold: None,
            false_positive_rate: f64::from(place),
            true_positive_rate: f64::from(place),
        };
        for length in [0, 1, 2, 199, 200, 201, 398, 399, 20_000] {
            let whole: Vec<Point> = (0..length).map(point).collect();
            let kept = thinned(whole.clone());
            assert!(kept.len() <= MOST_POINTS, "{length}: {}", kept.len());
            assert_eq!((kept.first(), kept.last()), (whole.first(), whole.last()), "{length}");
        }
    }
}
