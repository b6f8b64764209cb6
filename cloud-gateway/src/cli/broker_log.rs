//! `cloud-gateway audit broker-log`: the broker's log from a pipe, for what mosquitto does not say over its topic.

use std::io::{BufRead, Read};

use anyhow::{Context, bail};
use tokio::sync::mpsc;

use crate::app;
use crate::broker_log::{keep, line};
use crate::config::Config;

/// Most bytes of a line before the input is taken for something else than a log: a topic may have 64 KiB.
const MOST: u64 = 256 * 1024;

/// Reads until standard input ends. The service may read the same log over its topic meanwhile: nothing is written twice.
///
/// # Errors
/// A chain of causes whose first sentence is for whoever typed the command.
pub async fn run(config: &Config) -> anyhow::Result<()> {
    let store = app::open_store(config).await?;
    let (lines, reading) = mpsc::channel(1);
    let read = tokio::task::spawn_blocking(move || hand_on(std::io::stdin().lock(), &lines));
    keep(reading, store.clone()).await;
    store.close().await;
    read.await.context("the broker's log could not be read to its end")?
}

/// Each line, cut short, while somebody takes them.
fn hand_on(mut input: impl BufRead, lines: &mpsc::Sender<String>) -> anyhow::Result<()> {
    loop {
        let mut text = Vec::new();
        let read = (&mut input).take(MOST).read_until(b'\n', &mut text);
        if read.context("standard input cannot be read")? == 0 {
            return Ok(());
        }
        // Cut in two, its second half could say what its writer likes.
        if !text.ends_with(b"\n") && text.len() as u64 == MOST {
            bail!("standard input is no log of mosquitto: it has a line of more than {MOST} bytes");
        }
        text.truncate(line::LONGEST);
        if lines.blocking_send(String::from_utf8_lossy(&text).into_owned()).is_err() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_line_by_line_and_nothing_else_is_read() {
        let (lines, mut reading) = mpsc::channel(8);
        let long = "x".repeat(3 * line::LONGEST);
        hand_on(format!("one\n{long}\nlast").as_bytes(), &lines).unwrap();
        let read: Vec<String> = std::iter::from_fn(|| reading.try_recv().ok()).collect();
        assert_eq!(read.iter().map(String::len).collect::<Vec<_>>(), [4, line::LONGEST, 4]);
        let endless = vec![b'x'; usize::try_from(MOST).unwrap() + 1];
        assert!(hand_on(endless.as_slice(), &lines).unwrap_err().to_string().contains("no log of mosquitto"));
    }
}
