//! Whom the broker turned away, in our audit trail: mosquitto's own log, read line by line, over its topic
//! `$SYS/broker/log/#` or from a pipe. It never asks the broker anything, and never keeps a line.
//!
//! [`line`] knows mosquitto's words, [`watch`] who was connected when they were said, [`refusal`] what they mean; [`fold`]
//! sees to it that nobody can fill the audit trail by being refused.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::domain::when;
use crate::store::{Store, StoreError, commit, refusals};

pub mod fold;
pub mod line;
pub mod refusal;
pub mod watch;

use fold::{Fold, Record};
use watch::Watch;

/// How long after the last line it is looked whether a window has ended: a count is written that much after its window.
const LOOK: Duration = Duration::from_secs(30);

/// Lines that may wait while the database is slow; what comes beyond is dropped and counted. A line is at most
/// [`line::LONGEST`] bytes.
pub const WAITING: usize = 512;

/// Records that are kept while the database is away: those of six windows, an hour. Older ones make room.
const KEPT: usize = 6 * 2 * (fold::SOURCES + 1);

/// Says what this room measures, once a recorder is there.
pub fn describe_metrics() {
    metrics::describe_counter!("broker_log_lines_total", "Lines of the broker's log that were read");
    metrics::describe_counter!("broker_log_dropped_total", "Lines of the broker's log that found no room here");
    metrics::describe_counter!("broker_refused_total", "Callers and messages that the broker refused, by reason");
}

/// Hands a line over without waiting: the broker's log must never hold up devices' messages.
pub fn hand_over(lines: &mpsc::Sender<String>, text: &[u8]) {
    let text = &text[..text.len().min(line::LONGEST)];
    if lines.try_send(String::from_utf8_lossy(text).into_owned()).is_err() {
        metrics::counter!("broker_log_dropped_total").increment(1);
    }
}

/// Reads lines and writes down what they tell, until their source ends.
pub async fn keep(mut lines: mpsc::Receiver<String>, store: Store) {
    let (mut watch, mut fold, mut unwritten) = (Watch::default(), Fold::default(), VecDeque::new());
    loop {
        // While lines come, their own stamps say how late it is: they may be those of an old log.
        match tokio::time::timeout(LOOK, lines.recv()).await {
            Ok(Some(line)) => {
                metrics::counter!("broker_log_lines_total").increment(1);
                let at = line::parse(&line).at.unwrap_or_else(when::now);
                unwritten.extend(fold.due(at));
                unwritten.extend(watch.read(&line, at).iter().flat_map(|seen| fold.note(seen)));
            }
            Ok(None) => break,
            Err(_) => unwritten.extend(fold.due(when::now())),
        }
        write(&store, &mut unwritten).await;
    }
    unwritten.extend(fold.close(when::now()));
    write(&store, &mut unwritten).await;
    if !unwritten.is_empty() {
        tracing::error!(records = unwritten.len(), "the database did not take the last refusals of the broker");
    }
}

/// Writes what it can; the rest waits for the next line or look.
async fn write(store: &Store, unwritten: &mut VecDeque<Record>) {
    while let Some(record) = unwritten.front() {
        if let Err(error) = enter(store, record).await {
            tracing::error!(error = vitals::exit::chain(&error), "a refusal of the broker could not be written down");
            break;
        }
        unwritten.pop_front();
    }
    while unwritten.len() > KEPT {
        unwritten.pop_front();
    }
}

/// Once, however many replicas read the same log.
async fn enter(store: &Store, record: &Record) -> Result<(), StoreError> {
    let mut work = store.begin().await?;
    let statement = record.statement();
    let is_new = refusals::record(&mut work, &record.row(), &statement).await?;
    commit(work).await?;
    if is_new {
        tracing::warn!(who = statement.actor, what = statement.detail, "the broker refused");
    }
    Ok(())
}
