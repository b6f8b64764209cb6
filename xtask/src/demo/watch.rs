//! Follows every image from the scanner to the API and prints each as it arrives, until all have or nothing moves.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use lab::api::Api;
use lab::house::House;
use lab::journal::{self, Waiting};
use lab::modality::{Modality, dataset_digest};

use super::ledger::{Account, Place, assign};
use super::sending::Sending;
use super::{GLANCE, images::Batch, table};

/// Nothing having moved for so long, nothing will: over the sync-agent's longest wait for a broker (30 s), and over the
/// time that a queue of full-size films may need for one on a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What became of a batch.
pub(crate) struct Outcome {
    /// Each image.
    pub accounts: Vec<Account>,
    /// What was left in the outbox at the end, pictures included.
    pub left: Waiting,
}

/// Sends the batch and returns what became of each image.
///
/// It ends early where a part of the house dies; whoever looks at the images' places then sees where each stopped.
///
/// # Errors
/// Where the device's journal can't be read.
pub(crate) fn until_done(house: &mut House, api: &Api, batch: Batch, stop: &AtomicBool) -> anyhow::Result<Outcome> {
    for (file, why) in &batch.others {
        println!("  left out: {}: {why}", file.display());
    }
    let mut accounts: Vec<Account> = batch.films.into_iter().map(open_account).collect();
    let files = accounts.iter().map(|account| account.film.file.clone()).collect();
    let mut sending = Sending::begin(Modality::known(house.hospital.plan.dicom_port), files);
    let bar = progress_bar(accounts.len())?;
    bar.suspend(|| println!("{}", table::head()));
    let outbox = house.hospital.outbox();
    let (mut shown, mut moved, mut before, mut sent) = (vec![false; accounts.len()], Instant::now(), None, false);
    let left = loop {
        sent |= listen(&mut accounts, &mut sending, &bar);
        assign(&mut accounts, &journal::entries(&outbox)?);
        // A gateway that does not answer now may answer next time; PATIENCE bounds how often it is asked.
        let trouble = visit(api, &house.hospital.plan.device, &mut accounts).err();
        show(&bar, &accounts, &mut shown);
        trouble.iter().for_each(|error| bar.set_message(format!("{error:#}")));
        let left = journal::waiting(&outbox)?;
        let now = Some((accounts.iter().map(Account::place).collect::<Vec<_>>(), left));
        if now != before {
            (moved, before) = (Instant::now(), now);
        }
        let done = sent && left.waiting == 0 && accounts.iter().all(is_settled);
        if done || stop.load(Ordering::Relaxed) || moved.elapsed() > PATIENCE || house.casualty().is_some() {
            break left;
        }
        std::thread::sleep(GLANCE);
    };
    bar.finish_and_clear();
    Ok(Outcome { accounts, left })
}

/// Whether an image is where it stays once all is sent.
fn is_settled(account: &Account) -> bool {
    matches!(account.place(), Place::Arrived | Place::Refused | Place::Scanner)
}

fn open_account(film: super::images::Film) -> Account {
    // Without a meta group there is no digest to compare with; the order of sending serves instead.
    let digest = dataset_digest(&film.file).ok();
    Account { film, digest, answer: None, entry: None, result: None }
}

/// Takes in what the scanner was answered, in the order of sending; true once all is said.
fn listen(accounts: &mut [Account], sending: &mut Sending, bar: &ProgressBar) -> bool {
    let ended = sending.ended();
    for answer in sending.answers.try_iter() {
        let next = accounts.iter_mut().find(|account| account.answer.is_none() && account.film.file == answer.file);
        if let Some(account) = next {
            account.answer = Some(answer);
        }
    }
    if let Some(Err(error)) = &ended {
        bar.suspend(|| println!("  the scanner stopped: {error:#}"));
    }
    ended.is_some()
}

/// Asks the gateway for the results of images that have one.
fn visit(api: &Api, device: &str, accounts: &mut [Account]) -> anyhow::Result<()> {
    let results: HashMap<String, _> = api.results()?.into_iter().map(|result| (result.id.clone(), result)).collect();
    for account in accounts {
        let id = account.entry.as_ref().map(|entry| entry.result_id(device));
        let Some(id) = id.transpose()?.flatten() else { continue };
        // Two files of the same bytes share one result.
        account.result = results.get(&id).cloned().or(account.result.take());
    }
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
