//! Which readings a question is about, as SQL. It asks nothing itself.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, FromRow};

use super::super::sites::{bound, within};
use super::super::{Store, StoreError, failed};
use crate::auth::sites::Sites;
use crate::domain::when::UnixMs;

/// Which readings are meant. Everything that is given has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Which {
    /// Received then or later.
    pub from: Option<UnixMs>,
    /// Received before.
    pub to: Option<UnixMs>,
    /// By this device.
    pub device: Option<String>,
    /// By this model, `id@version`.
    pub model: Option<String>,
    /// At this site.
    pub site: Option<String>,
    /// `read`, `abstained` or `unreadable`.
    pub outcome: Option<String>,
    /// Not read for this reason.
    pub reason: Option<String>,
    /// Read by a model, or not.
    pub read: Option<bool>,
    /// Called positive, or not.
    pub positive: Option<bool>,
    /// Judged, or not yet, by the result's verdict.
    pub judged: Option<bool>,
    /// Whose verdict is this.
    pub verdict: Option<String>,
    /// Of this sex.
    pub sex: Option<String>,
    /// Of this age band.
    pub age_band: Option<String>,
    /// Of this view.
    pub view: Option<String>,
    /// Of at least so many thousandths.
    pub permille_from: Option<i64>,
    /// Of fewer thousandths.
    pub permille_to: Option<i64>,
}

/// A condition and what is bound in it.
pub(super) struct Narrowed {
    pub(super) text: String,
    binds: Vec<Bind>,
}

pub(super) enum Bind {
    Text(String),
    Number(i64),
}

impl Narrowed {
    /// The sites and whatever of `which` is given, as `WHERE` of a query over `readings`.
    pub(super) fn of(sites: &Sites, which: &Which) -> Self {
        let mut narrowed =
            Self { text: within(sites, "readings.site", 1), binds: bound(sites).map(Bind::Text).collect() };
        for (condition, value) in [
            ("readings.received_at >=", which.from),
            ("readings.received_at <", which.to),
            ("readings.permille >=", which.permille_from),
            ("readings.permille <", which.permille_to),
            ("readings.positive =", which.positive.map(i64::from)),
        ] {
            narrowed.and(condition, value.map(Bind::Number));
        }
        for (condition, value) in [
            ("readings.device =", &which.device),
            ("readings.model =", &which.model),
            ("readings.site =", &which.site),
            ("readings.outcome =", &which.outcome),
            ("readings.reason =", &which.reason),
            ("readings.sex =", &which.sex),
            ("readings.age_band =", &which.age_band),
            ("readings.view =", &which.view),
            ("results.verdict =", &which.verdict),
        ] {
            narrowed.and(condition, value.clone().map(Bind::Text));
        }
        match which.read {
            Some(true) => narrowed.text.push_str(" AND readings.model IS NOT NULL"),
            Some(false) => narrowed.text.push_str(" AND readings.model IS NULL"),
            None => {}
        }
        match which.judged {
            Some(true) => narrowed.text.push_str(" AND results.verdict IN ('agree', 'disagree')"),
            Some(false) => narrowed.text.push_str(" AND results.verdict IS NULL"),
            None => {}
        }
        narrowed
    }

    pub(super) fn and(&mut self, condition: &str, value: Option<Bind>) {
        if let Some(value) = value {
            let place = self.place(value);
            self.text.push_str(&format!(" AND {condition} {place}"));
        }
    }

    /// Where the value is bound.
    pub(super) fn place(&mut self, value: Bind) -> String {
        self.binds.push(value);
        format!("${}", self.binds.len())
    }

    pub(super) async fn all<T>(self, store: &Store, text: String, attempt: &'static str) -> Result<Vec<T>, StoreError>
    where
        T: for<'r> FromRow<'r, AnyRow> + Send + Unpin,
    {
        let mut query = sqlx::query_as(AssertSqlSafe(text));
        for bind in self.binds {
            query = match bind {
                Bind::Text(text) => query.bind(text),
                Bind::Number(number) => query.bind(number),
            };
        }
        query.fetch_all(store.pool()).await.map_err(failed(attempt))
    }
}
