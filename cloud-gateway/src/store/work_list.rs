//! The work list's pages: which results, in which order, from where. Each order walks one index of `results`, so that a page costs
//! the same among a million.

use sqlx::AssertSqlSafe;

use super::results::{ResultRow, SELECT};
use super::sites::{bound, within};
use super::{Store, StoreError, failed};
use crate::auth::sites::Sites;
use crate::domain::work_list::{Key, Order, Sort};

/// Results are counted up to here and no further: counting a million rows for each page would cost more than the page, and
/// nobody works off a list by such a number.
pub const COUNTED: i64 = 1_000;

/// Lines of the page that a plan is asked for: the dashboard's.
const PLANNED: i64 = 50;

/// Where a page begins: after the result with exactly these keys.
#[derive(Clone, Debug, PartialEq)]
pub struct After {
    /// First key, of the order's kind.
    pub key: Key,
    /// Second key.
    pub received_at: i64,
    /// Third key.
    pub id: String,
}

/// Which results are wanted.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// `positive`, `negative` or `none`.
    pub finding: Option<String>,
    /// Whether a verdict stands.
    pub reviewed: Option<bool>,
    /// Whose verdict that stands says this.
    pub verdict: Option<String>,
    /// Of one device.
    pub device: Option<String>,
    /// Of one site.
    pub site: Option<String>,
    /// Read by this model, `ID@VERSION`.
    pub model: Option<String>,
    /// Whose second reading is this far.
    pub second_reading: Option<String>,
    /// A person who may give verdicts: another's that she must not see are not found by what they say, and what awaits a second
    /// reading does not await hers where she was the first.
    pub reader: Option<String>,
}

/// A statement that grows by conditions, each with its own parameter.
struct Statement {
    text: String,
    bound: Vec<Key>,
}

impl Statement {
    fn new(text: &str) -> Self {
        Self { text: text.to_owned(), bound: Vec::new() }
    }

    /// Binds the next parameter and says its name.
    fn bind(&mut self, value: Key) -> String {
        self.bound.push(value);
        format!("${}", self.bound.len())
    }

    fn and(&mut self, condition: &str) {
        self.text.push_str(" AND ");
        self.text.push_str(condition);
    }

    fn and_is(&mut self, column: &str, value: Option<&String>) {
        if let Some(value) = value {
            let place = self.bind(Key::Text(value.clone()));
            self.and(&format!("{column} = {place}"));
        }
    }

    fn and_open_to(&mut self, reader: &str, filter: &Filter) {
        if filter.verdict.is_some() {
            let place = self.bind(Key::Text(reader.to_owned()));
            self.and(&format!(
                "(COALESCE(results.second_reading, '') <> 'awaiting' OR results.first_reader = {place})"
            ));
        }
        if filter.second_reading.as_deref() == Some("awaiting") {
            let place = self.bind(Key::Text(reader.to_owned()));
            self.and(&format!("COALESCE(results.first_reader, '') <> {place}"));
        }
    }

    fn and_matches(&mut self, sites: &Sites, filter: &Filter) {
        match filter.finding.as_deref() {
            Some("none") => self.and("results.finding IS NULL"),
            _ => self.and_is("results.finding", filter.finding.as_ref()),
        }
        match filter.reviewed {
            Some(true) => self.and("results.verdict IS NOT NULL"),
            Some(false) => self.and("results.verdict IS NULL"),
            None => {}
        }
        self.and_is("results.verdict", filter.verdict.as_ref());
        self.and_is("results.device", filter.device.as_ref());
        self.and_is("results.site", filter.site.as_ref());
        self.and_is("results.model", filter.model.as_ref());
        self.and_is("results.second_reading", filter.second_reading.as_ref());
        if let Some(reader) = filter.reader.as_ref() {
            self.and_open_to(reader, filter);
        }
        self.and(&within(sites, "results.site", self.bound.len() + 1));
        self.bound.extend(bound(sites).map(Key::Text));
    }
}

/// What another result stands in the place of is left out, whichever of the two came first; it is kept, and found by its id.
const STANDS: &str = "WHERE NOT EXISTS (SELECT 1 FROM results AS newer WHERE newer.supersedes = results.id)";

fn page(sites: &Sites, filter: &Filter, order: Order, after: Option<&After>, limit: i64) -> Statement {
    let mut statement = Statement::new(&format!("{SELECT} {STANDS}"));
    statement.and_matches(sites, filter);
    let keys = keys(order.sort);
    if let Some(after) = after {
        let mut places = vec![statement.bind(after.key.clone())];
        if order.sort != Sort::Received {
            places.push(statement.bind(Key::Whole(after.received_at)));
        }
        places.push(statement.bind(Key::Text(after.id.clone())));
        let than = if order.descends() { "<" } else { ">" };
        statement.and(&format!("({}) {than} ({})", keys.join(", "), places.join(", ")));
    }
    let way = if order.descends() { " DESC" } else { "" };
    let sorted: Vec<String> = keys.iter().map(|key| format!("{key}{way}")).collect();
    let limit = statement.bind(Key::Whole(limit));
    statement.text.push_str(&format!(" ORDER BY {} LIMIT {limit}", sorted.join(", ")));
    statement
}

/// All keys of an order go one way, so that one index serves it and its reverse.
fn keys(sort: Sort) -> Vec<&'static str> {
    let first = match sort {
        Sort::Priority => "results.urgency",
        Sort::Probability => "results.probability",
        Sort::Age => "results.age_years",
        Sort::Site => "results.site",
        Sort::Model => "results.model",
        Sort::Received => return vec!["results.received_at", "results.id"],
    };
    vec![first, "results.received_at", "results.id"]
}

fn count(sites: &Sites, filter: &Filter) -> Statement {
    let mut statement = Statement::new(&format!("SELECT COUNT(*) FROM (SELECT 1 AS one FROM results {STANDS}"));
    statement.and_matches(sites, filter);
    let limit = statement.bind(Key::Whole(COUNTED + 1));
    statement.text.push_str(&format!(" LIMIT {limit}) AS counted"));
    statement
}

/// Binds a statement's parameters to a query of it.
macro_rules! query {
    ($statement:expr) => {{
        let Statement { text, bound } = $statement;
        let mut query = sqlx::query_as(AssertSqlSafe(text));
        for value in bound {
            query = match value {
                Key::Number(value) => query.bind(value),
                Key::Whole(value) => query.bind(value),
                Key::Text(value) => query.bind(value),
            };
        }
        query
    }};
}

impl Store {
    /// One page.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn results(
        &self,
        sites: &Sites,
        filter: &Filter,
        order: Order,
        after: Option<&After>,
        limit: i64,
    ) -> Result<Vec<ResultRow>, StoreError> {
        let query = query!(page(sites, filter, order, after, limit));
        query.fetch_all(&self.pool).await.map_err(failed("list results"))
    }

    /// What the database would do for such a page, step by step, but for what it does within one row: for whoever asks why a list
    /// is slow.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn plan_of_results(
        &self,
        sites: &Sites,
        filter: &Filter,
        order: Order,
        after: Option<&After>,
    ) -> Result<Vec<String>, StoreError> {
        let mut statement = page(sites, filter, order, after, PLANNED);
        let failed = failed("plan a page of results");
        statement.text.insert_str(0, if self.is_sqlite() { "EXPLAIN QUERY PLAN " } else { "EXPLAIN " });
        if self.is_sqlite() {
            let steps: Result<Vec<(i64, i64, i64, String)>, _> = query!(statement).fetch_all(&self.pool).await;
            let outer = steps.map_err(failed)?.into_iter().filter(|(_, parent, _, _)| *parent == 0);
            return Ok(outer.map(|(_, _, _, step)| step).collect());
        }
        let lines: Vec<(String,)> = query!(statement).fetch_all(&self.pool).await.map_err(failed)?;
        Ok(lines.into_iter().map(|(line,)| line).take_while(|line| !line.contains("SubPlan")).collect())
    }

    /// How many there are; [`COUNTED`] + 1 where they are more.
    ///
    /// # Errors
    /// [`StoreError::Query`].
    pub async fn count_results(&self, sites: &Sites, filter: &Filter) -> Result<i64, StoreError> {
        let (count,): (i64,) =
            query!(count(sites, filter)).fetch_one(&self.pool).await.map_err(failed("count results"))?;
        Ok(count)
    }
}

impl ResultRow {
    /// Its place in an order.
    #[must_use]
    pub fn place(&self, sort: Sort) -> After {
        let key = match sort {
            Sort::Priority => Key::Number(self.urgency),
            Sort::Probability => Key::Number(self.probability),
            Sort::Age => Key::Whole(self.age_years),
            Sort::Site => Key::Text(self.site.clone()),
            Sort::Model => Key::Text(self.model.clone()),
            Sort::Received => Key::Whole(self.received_at),
        };
        After { key, received_at: self.received_at, id: self.id.clone() }
    }
}
