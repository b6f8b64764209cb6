//! The last words about a batch: how many arrived, what came of them, how well the classes were told apart, and which
//! image is missing and where it stopped.

use std::collections::BTreeMap;

use lab::journal::Waiting;

use super::ledger::{Account, Place};
use super::table;
use super::watch::Outcome;
use crate::quality::auc;

/// Whether every image's result is receipted, in the store, and visible.
#[must_use]
pub(crate) fn is_complete(outcome: &Outcome) -> bool {
    let arrived = |account: &Account| account.place() == Place::Arrived;
    outcome.left == Waiting::default() && !outcome.accounts.is_empty() && outcome.accounts.iter().all(arrived)
}

/// Prints it.
pub(crate) fn print(outcome: &Outcome) {
    let accounts = &outcome.accounts;
    let arrived = accounts.iter().filter(|account| account.place() == Place::Arrived).count();
    println!("\n{arrived} of {} images have their result in the cloud, receipted and visible:", accounts.len());
    for words in ["pneumonia suspected", "no pneumonia seen", "not assessed", "unreadable"] {
        let count =
            accounts.iter().filter_map(|account| account.result.as_ref()).filter(|r| table::finding(r) == words);
        println!("  {:>5}  {words}", count.count());
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in accounts.iter().filter_map(|account| account.result.as_ref()?.reason.as_ref()) {
        *reasons.entry(&reason.words).or_default() += 1;
    }
    for (words, count) in reasons {
        println!("  {count:>5} × {words}");
    }
    let scores = scores(accounts);
    if let Some(area) = auc(&scores) {
        let positives = scores.iter().filter(|(_, positive)| *positive).count();
        let negatives = scores.len() - positives;
        println!("  AUC {area:.4} between {positives} named pneumonia and {negatives} named normal");
    }
    let missing: Vec<&Account> = accounts.iter().filter(|account| account.place() != Place::Arrived).collect();
    for account in &missing {
        println!("✗ {}: {}", account.film.name, account.whereabouts());
    }
    let left = outcome.left;
    if left != Waiting::default() {
        println!("✗ the outbox holds {} unsent messages and {} that the gateway refused", left.waiting, left.rejected);
    }
}

/// Probability and class of every image that was read and whose name tells its class.
fn scores(accounts: &[Account]) -> Vec<(f64, bool)> {
    let read = accounts.iter().filter_map(|account| account.result.as_ref().zip(account.film.truth));
    read.filter_map(|(result, truth)| result.probability.map(|probability| (probability, truth))).collect()
}
