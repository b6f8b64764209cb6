//! Follows every image from the scanner to the API and prints each as it arrives, until all have or nothing moves.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use lab::api::Api;
use lab::house::House;
use lab::journal;
use lab::modality::{Modality, dataset_digest};

use super::ledger::{Account, Place, assign};
use super::sending::Sending;
use super::{GLANCE, images::Batch, table};

/// Nothing having moved for so long, nothing will: over the sync-agent's longest wait for a broker (30 s), and over the
/// time that a queue of full-size films may need for one on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Sends the batch and returns what became of each image.
///
/// # Errors
/// Where a part of the house dies, or can't be asked.
pub(crate) fn until_done(
    house: &mut House,
    api: &Api,
    batch: Batch,
    stop: &AtomicBool,
) -> anyhow::Result<Vec<Account>> {
    for (file, why) in &batch.others {
        println!("  left out: {}: {why}", file.display());
    }
    let mut accounts: Vec<Account> = batch.films.into_iter().map(open_account).collect();
    let files = accounts.iter().map(|account| account.film.file.clone()).collect();
    let mut sending = Sending::begin(Modality::known(house.hospital.plan.dicom_port), files);
    let bar = progress_bar(accounts.len())?;
    bar.suspend(|| println!("{}", table::head()));
    let (mut shown, mut moved, mut before, mut sent) = (vec![false; accounts.len()], Instant::now(), Vec::new(), false);
    loop {
        listen(&mut accounts, &sending);
        look(house, api, &mut accounts)?;
        show(&bar, &accounts, &mut shown);
        if let Some(ended) = sending.ended() {
            sent = true;
            listen(&mut accounts, &sending);
            if let Err(error) = ended {
                bar.suspend(|| println!("  the scanner stopped: {error:#}"));
            }
        }
        let places: Vec<Place> = accounts.iter().map(Account::place).collect();
        if places != before {
            (moved, before) = (Instant::now(), places);
        }
        let settled = |place: &Place| matches!(place, Place::Arrived | Place::Refused | Place::Scanner);
        let complete = sent && before.iter().all(settled);
        if stop.load(Ordering::Relaxed) || complete || moved.elapsed() > PATIENCE {
            break;
        }
        if let Some((name, words)) = house.casualty() {
            bar.finish_and_clear();
            bail!("{name} ended by itself: {words}");
        }
        std::thread::sleep(GLANCE);
    }
    bar.finish_and_clear();
    Ok(accounts)
}

fn open_account(film: super::images::Film) -> Account {
    // Without a meta group there is no digest to compare with; the order of sending serves instead.
    let digest = dataset_digest(&film.file).ok();
    Account { film, digest, answer: None, entry: None, result: None }
}

/// Takes in what the scanner was answered. Answers come in the order of sending, also for files of one name.
fn listen(accounts: &mut [Account], sending: &Sending) {
    for answer in sending.answers.try_iter() {
        let next = accounts.iter_mut().find(|account| account.answer.is_none() && account.film.file == answer.file);
        if let Some(account) = next {
            account.answer = Some(answer);
        }
    }
}

/// Asks the device's journal and the gateway.
fn look(house: &House, api: &Api, accounts: &mut [Account]) -> anyhow::Result<()> {
    assign(accounts, &journal::entries(&house.hospital.outbox())?);
    let mut results: HashMap<String, _> =
        api.results()?.into_iter().map(|result| (result.id.clone(), result)).collect();
    for account in accounts {
        let id = account.entry.as_ref().map(|entry| entry.result_id(&house.hospital.plan.device));
        let Some(id) = id.transpose()?.flatten() else { continue };
        // Two files of the same bytes share one result.
        account.result = results.get(&id).cloned().or(account.result.take());
    }
    results.clear();
    Ok(())
}

fn show(bar: &ProgressBar, accounts: &[Account], shown: &mut [bool]) {
    for (number, (account, shown)) in accounts.iter().zip(shown.iter_mut()).enumerate() {
        if !*shown && (account.result.is_some() || account.place() == Place::Refused) {
            *shown = true;
            bar.suspend(|| println!("{}", table::row(number + 1, account)));
        }
    }
    bar.set_position(shown.iter().filter(|shown| **shown).count() as u64);
    bar.set_message(table::progress(accounts));
}

fn progress_bar(length: usize) -> anyhow::Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {elapsed}  {msg:.dim}");
    let bar = ProgressBar::new(length as u64).with_style(style.context("the progress bar's template is wrong")?);
    bar.enable_steady_tick(Duration::from_millis(200));
    Ok(bar)
}
