//! Whether a device's scores and images are now as they were in its first weeks with its model.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Behind, Period, Scope, count, shown};
use crate::domain::when::UnixMs;
use crate::quality::drift::{self, Ks, Psi};
use crate::quality::interval::Share;
use crate::store::readings::{InputRow, Which};
use crate::store::{Store, StoreError};

/// Length of the reference window: four whole weeks, since a hospital's Sunday is unlike its Monday. It begins with the first
/// image that the device read with this model and never moves, so that slow drift is seen, too.
const REFERENCE_MS: UnixMs = 28 * 86_400_000;

/// Readings that each window needs: under 30 chance alone takes the index over 0.5.
pub const FEWEST: u64 = 30;

/// The index from which one speaks of a change, and of a large one, by custom (Siddiqi, Credit risk scorecards, 2006).
const CHANGED: f64 = 0.1;
const CHANGED_MUCH: f64 = 0.25;

/// Most devices and models in one answer.
const MOST_SOURCES: usize = 200;

/// Finest bins of the scores.
const PERMILLES: usize = 1_000;

/// Bars of the scores' shown histogram.
const BARS: usize = 20;

/// All of it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Drifts {
    /// Of each device and model that read something in the period; 200 at most.
    pub items: Vec<Drift>,
}

/// One device with one model.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Drift {
    /// The device.
    pub device: String,
    /// Where it stands.
    pub site: String,
    /// The model, `id@version`.
    pub model: String,
    /// What is compared with: the device's first 28 days with this model.
    pub reference: Window,
    /// What is compared: as much of the period as comes after that.
    pub current: Window,
    /// What comes of it.
    pub state: State,
    /// The scores' population stability index, over tenths of the reference; null where a window holds too few.
    pub psi: Option<Psi>,
    /// The scores' Kolmogorov-Smirnov test, on whole thousandths of probability; null where a window holds too few.
    pub ks: Option<Ks>,
    /// The scores.
    pub histogram: Vec<Bar>,
    /// The images.
    pub inputs: Vec<Input>,
}

/// One of the two windows.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Window {
    /// When.
    #[serde(flatten)]
    pub period: Period,
    /// Readings in it.
    pub n: u64,
    /// The studies behind it.
    pub studies: String,
}

/// What comes of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The reference window is not over yet.
    CollectingReference,
    /// A window holds fewer than 30 readings.
    TooFew,
    /// No more than chance makes, or under 0.1.
    Steady,
    /// 0.1 or more, and more than chance makes.
    Changed,
    /// 0.25 or more, and more than chance makes.
    ChangedMuch,
}

/// One bar of the scores' histogram.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Bar {
    /// Where it begins, 0 to 1.
    pub from: f64,
    /// Of the reference.
    pub reference: Share,
    /// Of the current window.
    pub current: Share,
}

/// One fact of the images.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Input {
    /// Which: `outcome`, `modality`, `view`, `photometric`, `bits_stored`, `sex` or `age_band`.
    pub fact: &'static str,
    /// What comes of it.
    pub state: State,
    /// Its index over its values; null where a window holds too few.
    pub psi: Option<Psi>,
    /// How often each value is there.
    pub values: Vec<Value>,
}

/// One value of a fact.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Value {
    /// As the header says it.
    pub value: String,
    /// Of the reference.
    pub reference: Share,
    /// Of the current window.
    pub current: Share,
}

/// Compares each device's readings of the scope with its reference window.
///
/// # Errors
/// [`StoreError`].
pub async fn survey(store: &Store, scope: &Scope) -> Result<Drifts, StoreError> {
    let sources = store.reading_sources(&scope.sites, &scope.which()).await?;
    let mut items = Vec::with_capacity(sources.len().min(MOST_SOURCES));
    for (device, site, model) in sources.into_iter().take(MOST_SOURCES) {
        let source = Which { device: Some(device.clone()), model: Some(model.clone()), ..Which::default() };
        let Some(began) = store.first_reading(&scope.sites, &source).await? else { continue };
        items.push(one(store, scope, Source { device, site, model }, began).await?);
    }
    Ok(Drifts { items })
}

struct Source {
    device: String,
    site: String,
    model: String,
}

async fn one(store: &Store, scope: &Scope, source: Source, began: UnixMs) -> Result<Drift, StoreError> {
    let settled = began.saturating_add(REFERENCE_MS);
    let spans = [(began, settled), (scope.from.max(settled), scope.to.max(settled))];
    let mut scores = Vec::with_capacity(2);
    let mut inputs = Vec::with_capacity(2);
    for (from, to) in spans {
        let of_device =
            Which { from: Some(from), to: Some(to), device: Some(source.device.clone()), ..Which::default() };
        let of_model = Which { model: Some(source.model.clone()), ..of_device.clone() };
        scores.push(permilles(&store.scores(&scope.sites, &of_model).await?));
        inputs.push(store.inputs(&scope.sites, &of_device).await?);
    }
    let collecting = scope.to <= settled;
    let window = |place: usize| {
        let (from, to) = (shown(spans[place].0), shown(spans[place].1));
        let n = scores[place].iter().sum();
        let behind = Behind {
            from: Some(from.clone()),
            to: Some(to.clone()),
            device: Some(source.device.clone()),
            model: Some(source.model.clone()),
            ..Behind::default()
        };
        Window { period: Period { from, to }, n, studies: behind.link() }
    };
    let (reference, current) = (window(0), window(1));
    let enough = reference.n.min(current.n) >= FEWEST;
    let tenths = drift::tenths(&scores[0]);
    let psi = enough
        .then(|| drift::psi(&drift::coarser(&scores[0], &tenths), &drift::coarser(&scores[1], &tenths)))
        .flatten();
    Ok(Drift {
        state: state(collecting, psi),
        psi,
        ks: enough.then(|| drift::ks(&scores[0], &scores[1])).flatten(),
        histogram: bars(&scores[0], &scores[1]),
        inputs: FACTS.iter().map(|(fact, of)| input(fact, *of, &inputs[0], &inputs[1], collecting)).collect(),
        reference,
        current,
        device: source.device,
        site: source.site,
        model: source.model,
    })
}

fn state(collecting: bool, psi: Option<Psi>) -> State {
    match psi {
        _ if collecting => State::CollectingReference,
        None => State::TooFew,
        Some(psi) if psi.value < CHANGED || psi.value <= psi.chance => State::Steady,
        Some(psi) if psi.value < CHANGED_MUCH => State::Changed,
        Some(_) => State::ChangedMuch,
    }
}

fn permilles(rows: &[(i64, i64)]) -> Vec<u64> {
    let mut counts = vec![0; PERMILLES];
    for (permille, n) in rows {
        if let Some(bin) = usize::try_from(*permille).ok().and_then(|place| counts.get_mut(place)) {
            *bin += count(*n);
        }
    }
    counts
}

fn bars(reference: &[u64], current: &[u64]) -> Vec<Bar> {
    let starts: Vec<usize> = (0..BARS).map(|bar| bar * PERMILLES / BARS).collect();
    let (was, is) = (drift::coarser(reference, &starts), drift::coarser(current, &starts));
    let (n, m) = (was.iter().sum(), is.iter().sum());
    let bar = |((start, was), is): ((&usize, &u64), &u64)| Bar {
        from: crate::quality::interval::float(*start as u64) / crate::quality::interval::float(PERMILLES as u64),
        reference: Share::of(*was, n),
        current: Share::of(*is, m),
    };
    starts.iter().zip(&was).zip(&is).map(bar).collect()
}

/// Where a fact stands in a row.
type Fact = fn(&InputRow) -> &str;

/// What is looked at of the images.
const FACTS: [(&str, Fact); 7] = [
    ("outcome", |row| row.reason.as_deref().unwrap_or(&row.outcome)),
    ("modality", |row| &row.modality),
    ("view", |row| &row.view),
    ("photometric", |row| &row.photometric),
    ("bits_stored", |row| &row.bits_stored),
    ("sex", |row| &row.sex),
    ("age_band", |row| &row.age_band),
];

fn input(fact: &'static str, of: Fact, reference: &[InputRow], current: &[InputRow], collecting: bool) -> Input {
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    reference.iter().for_each(|row| counts.entry(of(row)).or_default().0 += count(row.n));
    current.iter().for_each(|row| counts.entry(of(row)).or_default().1 += count(row.n));
    let (was, is): (Vec<u64>, Vec<u64>) = counts.values().copied().unzip();
    let (n, m): (u64, u64) = (was.iter().sum(), is.iter().sum());
    let psi = (n.min(m) >= FEWEST).then(|| drift::psi(&was, &is)).flatten();
    let value = |(value, (was, is)): (&&str, &(u64, u64))| Value {
        value: (*value).to_owned(),
        reference: Share::of(*was, n),
        current: Share::of(*is, m),
    };
    Input { fact, state: state(collecting, psi), psi, values: counts.iter().map(value).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_one_only_where_chance_does_not_make_it() {
        let psi = |value, chance| Some(Psi { value, chance });
        for (collecting, psi, expected) in [
            (true, psi(9.0, 0.0), State::CollectingReference),
            (false, None, State::TooFew),
            (false, psi(0.09, 0.0), State::Steady),
            (false, psi(0.4, 0.5), State::Steady),
            (false, psi(0.12, 0.05), State::Changed),
            (false, psi(0.3, 0.05), State::ChangedMuch),
        ] {
            assert_eq!(state(collecting, psi), expected);
        }
    }
}
