//! The work list among many results: every order pages through all of them once, and walks an index on both databases.

use gateway::auth::sites::Sites;
use gateway::domain::work_list::{Order, Sort};
use gateway::store::Store;
use gateway::store::work_list::{After, COUNTED, Filter};
use sqlx::Executor;

use super::world::{add_device, fresh_postgres};

/// Enough that no planner would rather sort, few enough to be there in a second.
const MANY: i64 = 20_000;

/// Two sites, three models, two results of each moment; every fifth was reviewed, every seventh not read.
const FILL: &str = "INSERT INTO results (id, device, message, site, received_at, stored_at, finding, urgency, verdict,
        verdicts, payload, probability, age_years, model, reviewed_at)
    SELECT 'r' || n, 'demo-1', 'm' || n, CASE WHEN n % 50 = 0 THEN 'st-john' ELSE 'st-mary' END, n / 2, n,
        CASE WHEN n % 7 = 0 THEN NULL WHEN n % 3 = 0 THEN 'positive' ELSE 'negative' END,
        CASE WHEN n % 3 = 0 AND n % 7 <> 0 AND n % 5 <> 0 THEN (n % 1000) / 1000.0 ELSE -1 END,
        CASE WHEN n % 5 = 0 THEN 'agree' END, 0, '{}',
        CASE WHEN n % 7 = 0 THEN -1 ELSE (n % 1000) / 1000.0 END, n % 19 - 1,
        CASE WHEN n % 7 = 0 THEN '' ELSE 'pneumonia-cxr@1.' || (n % 3) END, CASE WHEN n % 5 = 0 THEN n + 60000 END
    FROM numbers";

async fn fill(store: &Store, numbers: &str) {
    add_device(store, "demo-1", "00").await;
    let text = format!("WITH RECURSIVE {numbers} {FILL}");
    // SQLite takes its WITH before the INSERT as PostgreSQL does.
    store.pool().execute(sqlx::AssertSqlSafe(text)).await.unwrap();
    store.pool().execute("ANALYZE").await.unwrap();
}

async fn on_sqlite() -> (Store, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("sqlite:{}", folder.path().join("store.sqlite").display())).await.unwrap();
    store.migrate().await.unwrap();
    fill(&store, &format!("numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {MANY})")).await;
    (store, folder)
}

async fn on_postgres() -> Store {
    let store = Store::open(&fresh_postgres().await).await.unwrap();
    store.migrate().await.unwrap();
    fill(&store, &format!("numbers AS (SELECT n FROM generate_series(1, {MANY}) AS n)")).await;
    store
}

fn orders() -> impl Iterator<Item = Order> {
    Sort::ALL.into_iter().flat_map(|sort| [false, true].map(|reverse| Order { sort, reverse }))
}

fn index(sort: Sort) -> &'static str {
    match sort {
        Sort::Priority => "results_work_list",
        Sort::Probability => "results_by_probability",
        Sort::Age => "results_by_age",
        Sort::Site => "results_by_site",
        Sort::Model => "results_by_model",
        Sort::Received => "results_by_time",
    }
}

/// Filters that a page is asked for with, and another index that serves the first order as well.
fn filters() -> [(Filter, &'static str); 4] {
    let some = |text: &str| Some(text.to_owned());
    [
        (Filter::default(), "results_work_list"),
        (Filter { finding: some("positive"), ..Filter::default() }, "results_work_list"),
        (Filter { reviewed: Some(false), ..Filter::default() }, "results_to_review"),
        (Filter { reviewed: Some(false), finding: some("positive"), ..Filter::default() }, "results_to_review"),
    ]
}

/// Nothing is sorted: an index is walked from where the page begins.
async fn every_order_walks_its_index(store: &Store) {
    for order in orders() {
        let first = store.results(&Sites::All, &Filter::default(), order, None, 40).await.unwrap();
        let place = first[39].place(order.sort);
        for (filter, better) in filters() {
            for after in [None, Some(&place)] {
                let plan = store.plan_of_results(&Sites::All, &filter, order, after).await.unwrap().join("\n");
                let walked =
                    plan.contains(index(order.sort)) || (order.sort == Sort::Priority && plan.contains(better));
                let sorted = plan.contains("Sort") || plan.contains("ORDER BY");
                assert!(walked && !sorted, "{order:?}, {filter:?}, on from a place: {}\n{plan}", after.is_some());
            }
        }
    }
}

#[tokio::test]
async fn every_order_walks_its_index_on_sqlite() {
    let (store, _folder) = on_sqlite().await;
    every_order_walks_its_index(&store).await;
}

#[tokio::test]
async fn every_order_walks_its_index_on_postgres() {
    every_order_walks_its_index(&on_postgres().await).await;
}

/// All of one site's, page by page.
async fn walk(store: &Store, order: Order) -> Vec<String> {
    let sites = Sites::granted(["st-john".to_owned()]);
    let (mut found, mut after): (Vec<String>, Option<After>) = (Vec::new(), None);
    loop {
        let page = store.results(&sites, &Filter::default(), order, after.as_ref(), 170).await.unwrap();
        let Some(last) = page.last() else { return found };
        after = Some(last.place(order.sort));
        found.extend(page.into_iter().map(|row| row.id));
    }
}

async fn pages_meet_exactly_in_every_order(store: &Store) {
    for sort in Sort::ALL {
        let mut there = walk(store, Order { sort, reverse: false }).await;
        let back = walk(store, Order { sort, reverse: true }).await;
        there.reverse();
        assert_eq!(there, back, "{sort:?} is not its reverse turned round");
        there.sort_unstable();
        there.dedup();
        assert_eq!(there.len() as i64, MANY / 50, "{sort:?}");
    }
}

#[tokio::test]
async fn pages_meet_exactly_in_every_order_on_sqlite() {
    let (store, _folder) = on_sqlite().await;
    pages_meet_exactly_in_every_order(&store).await;
    it_counts_so_far_and_no_further(&store).await;
    a_sites_latest_reviews_are_found(&store).await;
}

#[tokio::test]
async fn pages_meet_exactly_in_every_order_on_postgres() {
    let store = on_postgres().await;
    pages_meet_exactly_in_every_order(&store).await;
    it_counts_so_far_and_no_further(&store).await;
    a_sites_latest_reviews_are_found(&store).await;
}

async fn it_counts_so_far_and_no_further(store: &Store) {
    let all = Filter::default();
    assert_eq!(store.count_results(&Sites::All, &all).await.unwrap(), COUNTED + 1);
    let of = |site: &str| Sites::granted([site.to_owned()]);
    assert_eq!(store.count_results(&of("st-john"), &all).await.unwrap(), MANY / 50);
    let one = Filter { model: Some("pneumonia-cxr@1.9".into()), ..Filter::default() };
    assert_eq!(store.count_results(&Sites::All, &one).await.unwrap(), 0);
}

async fn a_sites_latest_reviews_are_found(store: &Store) {
    let found = store.turnaround(&Sites::All, 3).await.unwrap();
    // The three newest go down in steps of five from the last, but for those of the other site.
    let took = |n: i64| n + 60_000 - n / 2;
    assert_eq!(found, [("st-mary".to_owned(), vec![took(MANY - 5), took(MANY - 10), took(MANY - 15)])]);
    let other = Sites::granted(["st-john".to_owned()]);
    assert_eq!(store.turnaround(&other, 3).await.unwrap(), [], "no device stands there");
}
