//! Whether a window of shadow readings can be true: its counts must add up. It never changes what the device said.

use wire::v1::ShadowV1;
use wire::v1::shadow::DIFFERENCE_BINS;

use super::result::{MAX_TEXT, plain};
use super::when;

/// Refuses what cannot be true, or could not be stored or shown.
///
/// # Errors
/// A sentence that names the field and holds none of its content.
pub fn check(window: &ShadowV1) -> Result<(), String> {
    for (name, model) in [("active", &window.active), ("candidate", &window.candidate)] {
        for text in [&model.id, &model.version, &model.digest] {
            plain(name, text, MAX_TEXT)?;
        }
    }
    let in_calendar = [window.from_ms, window.to_ms].into_iter().all(|at| when::rfc3339(at).is_some());
    if !in_calendar || window.from_ms > window.to_ms {
        return Err("from_ms and to_ms are no window of time".to_owned());
    }
    let cells = [window.both_positive, window.both_negative, window.active_only, window.candidate_only];
    if window.pairs == 0 || sum(&cells) != Some(window.pairs) {
        return Err("pairs is not the sum of its four cells, or 0".to_owned());
    }
    if window.differences.len() != DIFFERENCE_BINS || sum(&window.differences) != Some(window.pairs) {
        return Err(format!("differences is not {DIFFERENCE_BINS} bins that hold every pair"));
    }
    let correlation = window.correlation.unwrap_or(0.0);
    if ![window.mean_difference, correlation].iter().all(|number| (-1.0..=1.0).contains(number)) {
        return Err("mean_difference or correlation is outside -1 to 1".to_owned());
    }
    // Differences from -1 to 1 spread by at most sqrt(2), which two of them reach.
    if !(0.0..=1.415).contains(&window.sd_difference) {
        return Err("sd_difference cannot be".to_owned());
    }
    Ok(())
}

fn sum(counts: &[u64]) -> Option<u64> {
    counts.iter().try_fold(0u64, |sum, count| sum.checked_add(*count))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use wire::v1::shadow::ShadowModelV1;

    /// Three pairs, one of them in disagreement.
    pub(crate) fn window() -> ShadowV1 {
        let model = |version: &str| ShadowModelV1 {
            id: "pneumonia-cxr".into(),
            version: version.into(),
            digest: "00".repeat(32),
        };
        let mut differences = vec![0; DIFFERENCE_BINS];
        (differences[9], differences[12]) = (2, 1);
        ShadowV1 {
            from_ms: 1_000,
            to_ms: 61_000,
            active: model("1.0.0"),
            candidate: model("1.1.0"),
            pairs: 3,
            missed: 0,
            both_positive: 1,
            both_negative: 1,
            active_only: 0,
            candidate_only: 1,
            mean_difference: 0.05,
            sd_difference: 0.1,
            correlation: Some(0.9),
            differences,
        }
    }

    #[test]
    fn a_sound_window_passes_and_each_lie_is_named() {
        assert_eq!(check(&window()), Ok(()));
        assert_eq!(check(&ShadowV1 { correlation: None, ..window() }), Ok(()));
        type Lie = fn(&mut ShadowV1);
        let lies: [(&str, Lie); 9] = [
            ("from_ms", |w| w.from_ms = w.to_ms + 1),
            ("pairs", |w| w.both_positive = 2),
            ("pairs", |w| w.both_positive = u64::MAX),
            ("differences", |w| w.differences[0] = 1),
            ("differences", |w| w.differences.push(0)),
            ("mean_difference", |w| w.mean_difference = 1.5),
            ("correlation", |w| w.correlation = Some(f64::NAN)),
            ("sd_difference", |w| w.sd_difference = f64::INFINITY),
            ("candidate", |w| w.candidate.version = "\n".into()),
        ];
        for (field, lie) in lies {
            let mut window = window();
            lie(&mut window);
            let refused = check(&window).unwrap_err();
            assert!(refused.contains(field), "{field}: {refused}");
        }
    }
}
