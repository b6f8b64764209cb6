//! No question about quality walks all there is: each one goes by an index to its period.

use sqlx::AssertSqlSafe;

use super::*;

/// What SQLite says it would do, step by step, but for what it does within one row.
async fn plan(text: String) -> String {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("sqlite:{}", folder.path().join("plan.sqlite").display())).await.unwrap();
    store.migrate().await.unwrap();
    let text = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"));
    let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(text).fetch_all(store.pool()).await.unwrap();
    let outer = steps.into_iter().filter(|(_, parent, _, _)| *parent == 0);
    outer.map(|(_, _, _, step)| step).collect::<Vec<_>>().join("\n")
}

fn period() -> Which {
    Which { from: Some(1), to: Some(2), ..Which::default() }
}

async fn steps(which: &Which, text: impl FnOnce(&mut Narrowed) -> String) -> String {
    plan(text(&mut Narrowed::of(&Sites::All, which))).await
}

#[tokio::test]
async fn a_count_goes_by_the_index_of_what_it_is_narrowed_to() {
    for (which, index) in [
        (period(), "readings_by_time (received_at>? AND received_at<?)"),
        (
            Which { device: Some("a".into()), ..period() },
            "readings_by_device (device=? AND received_at>? AND received_at<?)",
        ),
        (Which { site: Some("a".into()), ..period() }, "readings_by_site (site=? AND received_at>? AND received_at<?)"),
        (
            Which { device: Some("a".into()), model: Some("m".into()), ..period() },
            "readings_by_model (device=? AND model=? AND received_at>? AND received_at<?)",
        ),
    ] {
        let steps = steps(&which, |narrowed| groups_text(&narrowed.text)).await;
        assert!(steps.contains(index), "{which:?}:\n{steps}");
    }
}

#[tokio::test]
async fn the_judged_are_found_without_looking_at_the_others() {
    let which = period();
    let steps = steps(&which, |narrowed| judged_text(JUDGED_COLUMNS, narrowed, &which, 5)).await;
    assert!(steps.contains("results USING INDEX results_judged (received_at>? AND received_at<?)"), "{steps}");
    assert!(!steps.contains("SCAN") && !steps.contains("ORDER BY"), "{steps}");
}

#[tokio::test]
async fn a_devices_first_reading_is_the_first_of_its_index() {
    let which = Which { device: Some("a".into()), model: Some("m".into()), ..Which::default() };
    let steps = steps(&which, |narrowed| first_text(&narrowed.text)).await;
    assert!(steps.contains("readings_by_model (device=? AND model=?)") && !steps.contains("ORDER BY"), "{steps}");
}

#[tokio::test]
async fn a_list_of_studies_walks_an_index_and_sorts_nothing() {
    for after in [None, Some((5, "a".to_owned()))] {
        for which in
            [period(), Which { device: Some("a".into()), ..period() }, Which { site: Some("a".into()), ..period() }]
        {
            let after = after.clone();
            let steps = steps(&which, |narrowed| studies_text(narrowed, after, 5)).await;
            assert!(steps.contains("INDEX readings_by_") && !steps.contains("SCAN"), "{which:?}:\n{steps}");
            assert!(!steps.contains("FOR ORDER BY"), "{which:?}:\n{steps}");
        }
    }
}
