//! Whether the model misses more in one group of patients, at one site or on one device than in all others.

use std::collections::BTreeMap;

use serde::Serialize;

use super::accuracy::case;
use super::{Behind, MOST_JUDGED, Period, Scope, count};
use crate::quality::fairness::{self, Counts, FEWEST_POSITIVES, FEWEST_READINGS, Said};
use crate::store::readings::{GroupRow, JudgedRow};
use crate::store::{Store, StoreError};

/// All of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Fairness {
    /// When.
    pub period: Period,
    /// True where the asked period held more verdicts than are computed with: the newest 20,000 were.
    pub newest_only: bool,
    /// Judged positives under which no rate is told.
    pub fewest_positives: u64,
    /// Readings under which no positive rate is told.
    pub fewest_readings: u64,
    /// Comparisons that could be made: about one in 20 of them has an interval without 0 where there is no difference at all.
    pub comparisons: u64,
    /// By sex, age band, both, site and device.
    pub dimensions: Vec<Dimension>,
}

/// One way to tell patients apart.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Dimension {
    /// `sex`, `age_band`, `sex_and_age_band`, `site` or `device`.
    pub name: &'static str,
    /// Its groups; together they are everybody.
    pub groups: Vec<Group>,
}

/// One group.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Group {
    /// Its value, two values with a comma where two facts are crossed.
    pub name: String,
    /// What can be said of it.
    #[serde(flatten)]
    pub said: Said,
    /// Its studies that were read.
    pub studies: String,
    /// Its studies that were called negative and are positive.
    pub missed_studies: String,
}

/// What a group is told apart by: the same facts stand in both kinds of row.
struct Key<'a> {
    sex: &'a str,
    age_band: &'a str,
    site: &'a str,
    device: &'a str,
}

/// One way to tell patients apart, as it is asked for.
struct Kind {
    name: &'static str,
    of: fn(&Key<'_>) -> Vec<String>,
    narrow: fn(Behind, &[String]) -> Behind,
}

const KINDS: [Kind; 5] = [
    Kind {
        name: "sex",
        of: |key| vec![key.sex.to_owned()],
        narrow: |behind, values| Behind { sex: values.first().cloned(), ..behind },
    },
    Kind {
        name: "age_band",
        of: |key| vec![key.age_band.to_owned()],
        narrow: |behind, values| Behind { age_band: values.first().cloned(), ..behind },
    },
    Kind {
        name: "sex_and_age_band",
        of: |key| vec![key.sex.to_owned(), key.age_band.to_owned()],
        narrow: |behind, values| Behind { sex: values.first().cloned(), age_band: values.get(1).cloned(), ..behind },
    },
    Kind {
        name: "site",
        of: |key| vec![key.site.to_owned()],
        narrow: |behind, values| Behind { site: values.first().cloned(), ..behind },
    },
    Kind {
        name: "device",
        of: |key| vec![key.device.to_owned()],
        narrow: |behind, values| Behind { device: values.first().cloned(), ..behind },
    },
];

/// Asks and compares.
///
/// # Errors
/// [`StoreError`].
pub async fn survey(store: &Store, scope: &Scope) -> Result<Fairness, StoreError> {
    let readings = store.reading_groups(&scope.sites, &scope.which()).await?;
    let judged = store.judged_readings(&scope.sites, &scope.which(), MOST_JUDGED).await?;
    let dimensions: Vec<Dimension> = KINDS
        .iter()
        .map(|kind| dimension(kind, scope, &readings, &judged))
        .filter(|one| !one.groups.is_empty())
        .collect();
    let compared = dimensions.iter().flat_map(|dimension| &dimension.groups).filter(|group| group.said.gap.is_some());
    Ok(Fairness {
        period: scope.period(),
        newest_only: i64::try_from(judged.len()).is_ok_and(|n| n >= MOST_JUDGED),
        fewest_positives: FEWEST_POSITIVES,
        fewest_readings: FEWEST_READINGS,
        comparisons: compared.count() as u64,
        dimensions,
    })
}

fn dimension(kind: &Kind, scope: &Scope, readings: &[GroupRow], judged: &[JudgedRow]) -> Dimension {
    let mut groups: BTreeMap<Vec<String>, Counts> = BTreeMap::new();
    for row in readings {
        let key = Key { sex: &row.sex, age_band: &row.age_band, site: &row.site, device: &row.device };
        let called = &mut groups.entry((kind.of)(&key)).or_default().called;
        *if row.positive == 1 { &mut called.positive } else { &mut called.negative } += count(row.n);
    }
    for row in judged {
        let key = Key { sex: &row.sex, age_band: &row.age_band, site: &row.site, device: &row.device };
        let case = case(row);
        groups.entry((kind.of)(&key)).or_default().judged.add(case.called, case.truth, 1);
    }
    let counts: Vec<Counts> = groups.values().copied().collect();
    let said = fairness::compare(&counts);
    let group = |(values, said): (&Vec<String>, Said)| {
        let behind = Behind { outcome: Some("read".to_owned()), ..(kind.narrow)(scope.behind(), values) };
        let missed = Behind { positive: Some(false), verdict: Some("disagree".to_owned()), ..behind.clone() };
        Group { name: values.join(", "), said, studies: behind.link(), missed_studies: missed.link() }
    };
    Dimension { name: kind.name, groups: groups.keys().zip(said).map(group).collect() }
}
