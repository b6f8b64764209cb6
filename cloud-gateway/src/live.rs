//! What has just changed, told to whoever is watching: this process's streams, and through Redis those of the other replicas.
//! It never holds anything clinical, only which thing changed and where, and nobody waits for it: a watcher who is too slow,
//! or was away for too long, is told to look at everything again.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::{broadcast, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::auth::roles::Act;

pub mod place;

use place::Place;

/// Messages that are remembered for watchers who come back, and that one may lag behind: a morning's ordinary traffic, and
/// some 200 kB.
const REMEMBERED: usize = 1_024;

/// Messages that wait for Redis. More than a burst of ingest tells while Redis answers once; beyond it the other replicas are
/// told to look at everything.
const WAITING: usize = 1_024;

/// What kind of thing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A result was stored, or another one stands in its place; the subject is the result.
    Result,
    /// A result's picture has come; the subject is the result.
    Image,
    /// A verdict was given; the subject is the result.
    Verdict,
    /// A device told of itself; the subject is the device.
    Device,
}

impl Kind {
    /// What a person must be allowed to do to hear of it.
    #[must_use]
    pub fn act(self) -> Act {
        match self {
            Self::Result | Self::Image | Self::Verdict => Act::ReadResults,
            Self::Device => Act::ReadDevices,
        }
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Of what kind of thing.
    pub kind: Kind,
    /// Which one.
    pub subject: String,
    /// At which site: only who sees that site hears of it.
    pub site: String,
    /// The account that changed it, if one did: its own page knows already.
    pub by: Option<String>,
}

impl Event {
    /// A change that no person made.
    pub fn new(kind: Kind, subject: impl Into<String>, site: impl Into<String>) -> Self {
        Self { kind, subject: subject.into(), site: site.into(), by: None }
    }

    /// The same, made by this account.
    #[must_use]
    pub fn by(self, username: &str) -> Self {
        Self { by: Some(username.to_owned()), ..self }
    }
}

/// What goes from replica to replica, and to each stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Message {
    /// Something changed.
    Changed(Event),
    /// Changes may have been missed.
    Missed,
    /// A session is over; its streams end.
    SessionOver {
        /// See [`crate::auth::token::Token::hash`].
        session: String,
    },
}

/// A message on its way to the other replicas.
#[derive(Debug, Serialize, Deserialize)]
pub struct Letter {
    /// The replica that wrote it.
    from: String,
    #[serde(flatten)]
    message: Message,
}

/// What a stream hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message, and where it stands.
    Message(Place, Message),
    /// It is not known what came since this stream last heard something; where it stands now, if that is known.
    Lost(Option<Place>),
    /// Whether what changes at other replicas is heard here.
    Whole(bool),
    /// There will be nothing more.
    Closed,
}

/// The one of this process.
pub struct Live {
    /// This replica's name; new at each start, since what it remembers is.
    epoch: String,
    memory: Mutex<Memory>,
    voice: broadcast::Sender<(Place, Message)>,
    whole: watch::Sender<bool>,
    others: Option<mpsc::Sender<String>>,
    overflown: AtomicBool,
    closed: CancellationToken,
}

#[derive(Default)]
struct Memory {
    told: u64,
    last: VecDeque<(Place, Message)>,
}

/// What a replica has to tell the others.
pub struct Letters(pub(crate) mpsc::Receiver<String>);

impl Live {
    /// For one gateway alone. `random` is its name.
    #[must_use]
    pub fn alone(random: u64) -> Self {
        Self::new(random, None)
    }

    /// For one of several; what it tells them is to be read from the other half.
    #[must_use]
    pub fn together(random: u64) -> (Self, Letters) {
        let (others, letters) = mpsc::channel(WAITING);
        (Self::new(random, Some(others)), Letters(letters))
    }

    fn new(random: u64, others: Option<mpsc::Sender<String>>) -> Self {
        Self {
            epoch: format!("{random:016x}"),
            memory: Mutex::default(),
            voice: broadcast::Sender::new(REMEMBERED),
            whole: watch::Sender::new(others.is_none()),
            others,
            overflown: AtomicBool::new(false),
            closed: CancellationToken::new(),
        }
    }

    /// Tells of a change, which is committed. It never waits and never fails.
    pub fn announce(&self, event: Event) {
        self.say(Message::Changed(event));
    }

    /// Ends the streams of a session that is over.
    pub fn session_over(&self, session: String) {
        self.say(Message::SessionOver { session });
    }

    /// Ends every stream, those to come too.
    pub fn close(&self) {
        self.closed.cancel();
    }

    /// Listens from after `last` on, where that is known and remembered.
    #[must_use]
    pub fn watch(&self, last: Option<&Place>) -> Watch {
        let memory = self.memory();
        let missed = last.and_then(|last| last.after(&self.epoch, memory.told)).and_then(|missed| {
            // Nothing before the oldest that is remembered may be wanted.
            let from = memory.last.len().checked_sub(usize::try_from(missed).ok()?)?;
            Some(memory.last.iter().skip(from).cloned().map(|(place, message)| Heard::Message(place, message)))
        });
        let mut waiting = VecDeque::from([Heard::Whole(*self.whole.borrow())]);
        match missed {
            Some(missed) => waiting.extend(missed),
            None => waiting.push_back(Heard::Lost(Some(Place::new(&self.epoch, memory.told)))),
        }
        let mut whole = self.whole.subscribe();
        whole.mark_unchanged();
        Watch { waiting, voice: self.voice.subscribe(), whole, closed: self.closed.clone() }
    }

    fn say(&self, message: Message) {
        if let Some(others) = &self.others {
            let letter = Letter { from: self.epoch.clone(), message: message.clone() };
            let sent = serde_json::to_string(&letter).ok().and_then(|letter| others.try_send(letter).ok());
            self.overflown.fetch_or(sent.is_none(), Ordering::Relaxed);
        }
        self.tell(message);
    }

    fn tell(&self, message: Message) {
        let mut memory = self.memory();
        memory.told += 1;
        let place = Place::new(&self.epoch, memory.told);
        if memory.last.len() == REMEMBERED {
            memory.last.pop_front();
        }
        memory.last.push_back((place.clone(), message.clone()));
        // Under the lock, so that all hear in one order. Nobody listening is no error.
        let _ = self.voice.send((place, message));
    }

    /// Takes in what came from Redis; what this replica sent itself, or what nobody can read, is passed over.
    pub(crate) fn hear(&self, letter: &[u8]) {
        match serde_json::from_slice(letter) {
            Ok(Letter { from, message }) if from != self.epoch => self.tell(message),
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "a message of another replica is not understood"),
        }
    }

    /// The other replicas are heard from now on: what they told before is not known here, nor what this one told there.
    pub(crate) fn joined(&self) -> String {
        self.reach(true);
        self.tell(Message::Missed);
        self.missed()
    }

    /// The other replicas are not heard any more.
    pub(crate) fn parted(&self) {
        self.reach(false);
    }

    /// Says it where it is new: who tries again in vain has nothing to tell.
    fn reach(&self, whole: bool) {
        self.whole.send_if_modified(|said| std::mem::replace(said, whole) != whole);
    }

    /// What the others have to be told where something for them found no room.
    pub(crate) fn overflow(&self) -> Option<String> {
        self.overflown.swap(false, Ordering::Relaxed).then(|| self.missed())
    }

    fn missed(&self) -> String {
        let letter = Letter { from: self.epoch.clone(), message: Message::Missed };
        serde_json::to_string(&letter).unwrap_or_default()
    }

    // A counter and a list of texts have no invariant that a panic could break.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One listener.
pub struct Watch {
    waiting: VecDeque<Heard>,
    voice: broadcast::Receiver<(Place, Message)>,
    whole: watch::Receiver<bool>,
    closed: CancellationToken,
}

impl Watch {
    /// What comes next. It may be given up while it waits, and nothing is lost.
    pub async fn next(&mut self) -> Heard {
        if self.closed.is_cancelled() {
            return Heard::Closed;
        }
        if let Some(heard) = self.waiting.pop_front() {
            return heard;
        }
        tokio::select! {
            biased;
            () = self.closed.cancelled() => Heard::Closed,
            changed = self.whole.changed() => match changed {
                Ok(()) => Heard::Whole(*self.whole.borrow_and_update()),
                Err(_) => Heard::Closed,
            },
            heard = self.voice.recv() => match heard {
                Ok((place, message)) => Heard::Message(place, message),
                Err(broadcast::error::RecvError::Lagged(_)) => Heard::Lost(None),
                Err(broadcast::error::RecvError::Closed) => Heard::Closed,
            },
        }
    }
}

#[cfg(test)]
mod tests;
