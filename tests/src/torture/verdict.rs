//! The one judgement: what scanners were promised against what PostgreSQL holds. Pure.

use std::collections::BTreeMap;

use super::history::Image;

/// A result that PostgreSQL holds and that no other one replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The image's stand-in.
    pub instance: String,
    /// `read`, `abstained` or `unreadable`, and why.
    pub outcome: String,
}

/// What is wrong, and what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Acknowledged, and no result: SOP Instance UIDs.
    pub lost: Vec<String>,
    /// More than one result: SOP Instance UIDs, acknowledged or not.
    pub duplicated: Vec<String>,
    /// Results for nothing that was ever sent: stand-ins.
    pub invented: Vec<String>,
    /// Images with exactly one result.
    pub once: usize,
    /// Of them, those whose scanner never heard of success: the promise was kept although it was not made.
    pub unpromised: usize,
    /// Results by outcome.
    pub outcomes: BTreeMap<String, u64>,
}

impl Verdict {
    /// Judges. `stand_in` gives an image's.
    #[must_use]
    pub fn of(images: &BTreeMap<String, Image>, rows: &[Row], stand_in: impl Fn(&str) -> String) -> Self {
        let mut verdict = Self::default();
        let mut held: BTreeMap<&str, usize> = BTreeMap::new();
        for row in rows {
            *held.entry(&row.instance).or_default() += 1;
            *verdict.outcomes.entry(row.outcome.clone()).or_default() += 1;
        }
        for (instance, image) in images {
            match held.remove(stand_in(instance).as_str()) {
                None if image.acknowledged => verdict.lost.push(instance.clone()),
                None => {}
                Some(1) => {
                    verdict.once += 1;
                    verdict.unpromised += usize::from(!image.acknowledged);
                }
                Some(_) => verdict.duplicated.push(instance.clone()),
            }
        }
        verdict.invented = held.into_keys().map(str::to_owned).collect();
        verdict
    }

    /// Whether the promise was kept.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.lost.is_empty() && self.duplicated.is_empty() && self.invented.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_breaking_the_promise_is_told() {
        let image = |acknowledged| Image { tries: 1, acknowledged };
        let images: BTreeMap<String, Image> =
            [("kept", true), ("lost", true), ("twice", false), ("never", false), ("unheard", false)]
                .map(|(name, acknowledged)| (name.to_owned(), image(acknowledged)))
                .into();
        let row = |name: &str| Row { instance: format!("<{name}>"), outcome: "read".to_owned() };
        let rows: Vec<Row> = ["kept", "twice", "twice", "unheard", "nobody's"].map(row).into();
        let verdict = Verdict::of(&images, &rows, |name| format!("<{name}>"));
        assert_eq!((&verdict.lost, &verdict.duplicated), (&vec!["lost".to_owned()], &vec!["twice".to_owned()]));
        assert_eq!((&verdict.invented, verdict.once, verdict.unpromised), (&vec!["<nobody's>".to_owned()], 2, 1));
        assert!(!verdict.is_kept());
        let kept = Verdict::of(&[("kept".to_owned(), image(true))].into(), &rows[..1], |name| format!("<{name}>"));
        assert!(kept.is_kept());
    }
}
