//! Where each image is on its way, from what was seen of it outside: the scanner's answer, the device's journal, the
//! gateway's API. Pure: it is shown facts and draws conclusions.

use std::collections::{BTreeMap, BTreeSet};

use lab::api::ResultSummary;
use lab::journal::Entry;
use lab::modality::Answer;

use super::images::Film;

/// One image and all that is known of it.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// The image.
    pub film: Film,
    /// SHA-256 of its dataset, where it has one.
    pub digest: Option<String>,
    /// What the device answered.
    pub answer: Option<Answer>,
    /// Its place in the journal.
    pub entry: Option<Entry>,
    /// Its result in the cloud.
    pub result: Option<ResultSummary>,
}

/// How far an image has come; later is further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Not answered yet.
    Scanner,
    /// Answered, and refused.
    Refused,
    /// Acknowledged; there is no reading yet.
    Journal,
    /// Read; there is no receipt yet.
    Outbox,
    /// Receipted; the API does not show it.
    Gateway,
    /// Receipted and visible.
    Arrived,
}

impl Account {
    /// How far it has come.
    #[must_use]
    pub(crate) fn place(&self) -> Place {
        let state = self.entry.as_ref().map(|entry| entry.state.as_str());
        match (&self.answer, state, &self.result) {
            (None, _, _) => Place::Scanner,
            (Some(answer), _, _) if !answer.is_accepted() => Place::Refused,
            (_, Some("receipted"), Some(_)) => Place::Arrived,
            (_, Some("receipted"), None) => Place::Gateway,
            (_, Some("concluded"), _) => Place::Outbox,
            _ => Place::Journal,
        }
    }

    /// Where it stopped, in words.
    #[must_use]
    pub(crate) fn whereabouts(&self) -> String {
        match self.place() {
            Place::Scanner => "it was not sent".to_owned(),
            Place::Refused => {
                let words = self.answer.as_ref().map_or("", |answer| &answer.words);
                format!("the device did not accept it: {words}")
            }
            Place::Journal => "it is in the device's journal, acknowledged and not read yet".to_owned(),
            Place::Outbox => "its result is in the outbox, without a receipt from the gateway".to_owned(),
            Place::Gateway => "the gateway gave a receipt, but its API does not show the result".to_owned(),
            Place::Arrived => "it arrived".to_owned(),
        }
    }
}

/// Gives each accepted image its journal row.
///
/// Images may share a SOP Instance UID, so the dataset's digest tells them apart; where the sender had to encode it
/// anew (a file without a meta group), the order of acknowledgement does.
pub(crate) fn assign<'a>(accounts: &mut [Account], entries: &'a [Entry]) {
    let mut claimed: BTreeSet<i64> = accounts.iter().filter_map(|a| a.entry.as_ref().map(|entry| entry.id)).collect();
    let key = |entry: &'a Entry| (entry.sop_instance.as_str(), entry.digest.as_str());
    let by_digest: BTreeMap<(&str, &str), &Entry> = entries.iter().map(|entry| (key(entry), entry)).collect();
    let by_id: BTreeMap<i64, &Entry> = entries.iter().map(|entry| (entry.id, entry)).collect();
    for account in accounts.iter_mut() {
        if let Some(entry) = &mut account.entry {
            by_id.get(&entry.id).iter().for_each(|now| (**now).clone_into(entry));
            continue;
        }
        let Some(uid) = accepted(account) else { continue };
        // The same bytes sent twice are one row: both images are it.
        let exact = account.digest.as_deref().and_then(|digest| by_digest.get(&(uid, digest)));
        account.entry = exact.map(|entry| (*entry).clone());
        claimed.extend(account.entry.iter().map(|entry| entry.id));
    }
    for account in accounts.iter_mut().filter(|account| account.entry.is_none()) {
        let Some(uid) = accepted(account) else { continue };
        let of_uid = || entries.iter().filter(|entry| entry.sop_instance == uid);
        let next = of_uid().find(|entry| !claimed.contains(&entry.id)).or_else(|| of_uid().next_back());
        account.entry = next.cloned();
        claimed.extend(account.entry.iter().map(|entry| entry.id));
    }
}

fn accepted(account: &Account) -> Option<&str> {
    account.answer.as_ref().filter(|answer| answer.is_accepted())?.sop_instance.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str, digest: Option<&str>, accepted: Option<bool>) -> Account {
        let answer = accepted.map(|accepted| Answer {
            file: name.into(),
            sop_instance: Some("1.2".to_owned()),
            status: if accepted { "0x0000" } else { "0xA700" }.to_owned(),
            words: "no room".to_owned(),
        });
        let film = Film { name: name.to_owned(), file: name.into(), truth: None };
        Account { film, digest: digest.map(str::to_owned), answer, entry: None, result: None }
    }

    fn entry(id: i64, digest: &str, state: &str) -> Entry {
        Entry { id, sop_instance: "1.2".to_owned(), digest: digest.to_owned(), state: state.to_owned(), result: None }
    }

    fn rows(accounts: &[Account]) -> Vec<Option<i64>> {
        accounts.iter().map(|account| account.entry.as_ref().map(|entry| entry.id)).collect()
    }

    #[test]
    fn images_of_one_uid_are_told_apart_by_digest_then_by_order() {
        let mut accounts = [
            account("x", Some("dx"), Some(true)),
            account("encoded anew", None, Some(true)),
            account("y", Some("dy"), Some(true)),
            account("x again", Some("dx"), Some(true)),
            account("refused", Some("dz"), Some(false)),
            account("unsent", Some("dz"), None),
        ];
        assign(&mut accounts, &[entry(1, "dx", "accepted"), entry(2, "other", "accepted"), entry(3, "dy", "accepted")]);
        assert_eq!(rows(&accounts), [Some(1), Some(2), Some(3), Some(1), None, None]);
        assign(&mut accounts, &[entry(1, "dx", "receipted"), entry(2, "other", "concluded")]);
        let places = accounts.each_ref().map(Account::place);
        let wanted = [Place::Gateway, Place::Outbox, Place::Journal, Place::Gateway, Place::Refused, Place::Scanner];
        assert_eq!(places, wanted);
        assert!(accounts[4].whereabouts().contains("no room"));
    }
}
