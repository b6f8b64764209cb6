//! Where messages become rows: opened together, committed together, receipted only then. It never talks to the broker.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use fail_points::Point;
use metrics::{counter, histogram};
use wire::ids::DeviceId;
use wire::seal::{KeyId, PublicKey};
use wire::topics::{Down, Topic, Up};
use wire::v1::result::{OutcomeV1, ResultV1};
use wire::v1::{ImageV1, image::VoiV1};

use super::judge::{self, Addressed, Arrived, Body, Opened, Refusal, Refused};
use super::receipt::Receipts;
use crate::domain::audit::{Action, Statement};
use crate::domain::image::Voi;
use crate::domain::reading::Reading;
use crate::domain::result;
use crate::domain::when::UnixMs;
use crate::identity::{LiveKeys, SealingKeys};
use crate::live::{Event, Kind, Live};
use crate::objects::{Objects, ObjectsError, Part};
use crate::store::images::ImageRow;
use crate::store::refusals::RefusedRow;
use crate::store::results::NewResult;
use crate::store::{Connection, Store, StoreError, commit, devices, images, messages, refusals, results, shadow};

/// What it works with.
pub struct Desk {
    store: Store,
    objects: Objects,
    keys: Arc<LiveKeys>,
    live: Arc<Live>,
}

/// What became of some messages.
#[derive(Debug, Default)]
pub struct Taken {
    /// Sealed receipts that may leave: topic and payload for each device.
    pub receipts: Vec<(String, Vec<u8>)>,
    /// Messages that came for the first time.
    pub stored: u64,
    /// Messages that were here before.
    pub replays: u64,
    /// Messages that were refused.
    pub refused: u64,
}

impl Taken {
    /// Together with what was taken in after it.
    pub fn add(&mut self, later: Self) {
        self.receipts.extend(later.receipts);
        self.stored += later.stored;
        self.replays += later.replays;
        self.refused += later.refused;
    }
}

/// The devices that a batch claims to be from, as far as they are known.
#[derive(Default)]
struct Senders {
    keys: HashMap<DeviceId, PublicKey>,
    sites: HashMap<DeviceId, String>,
    revoked: HashSet<DeviceId>,
}

/// A message that was opened and can be stored.
struct Accepted {
    addressed: Addressed,
    body: Body,
    sealed_to: KeyId,
}

impl Desk {
    /// Sets it up.
    #[must_use]
    pub fn new(store: Store, objects: Objects, keys: Arc<LiveKeys>, live: Arc<Live>) -> Self {
        Self { store, objects, keys, live }
    }

    /// Takes messages in. When this returns they are committed, and their receipts may leave.
    ///
    /// # Errors
    /// [`DeskError`]; then nothing was committed and nothing may be acknowledged.
    pub async fn take_in(self: &Arc<Self>, arrived: Vec<Arrived>, now: UnixMs) -> Result<Taken, DeskError> {
        let addressed: Vec<_> = arrived.into_iter().map(judge::address).collect();
        let senders = Arc::new(self.senders(&addressed).await?);
        // One ring for the whole batch, whoever changes it meanwhile.
        let keys = self.keys.current();
        // Opening seals and syncing files would hold up every other task of this thread.
        let (desk, known, ours) = (self.clone(), senders.clone(), keys.clone());
        let (mut accepted, mut refused) = tokio::task::spawn_blocking(move || {
            let (accepted, refused) = Self::open(addressed, &ours, &known);
            fail_points::reach(Point::IngestOpened);
            accepted.iter().try_for_each(|accepted| desk.keep_image(accepted))?;
            fail_points::reach(Point::IngestKept);
            Ok((accepted, refused))
        })
        .await
        .map_err(|_| DeskError::Interrupted)??;
        // One order for every replica, so that two of them that hold the same messages can't wait for each other.
        accepted.sort_by(|a, b| a.key().cmp(&b.key()));
        refused.sort_by(|a, b| a.fingerprint.cmp(&b.fingerprint));
        let (receipts, fresh) = self.commit(&accepted, &refused, now).await.map_err(DeskError::Store)?;
        self.announce(&fresh, &senders.sites);
        let mut receipts =
            receipts.into_messages(&keys, &senders.keys, &mut rand::rng()).map_err(DeskError::Receipt)?;
        receipts.extend(self.announcements(&refused).await.map_err(DeskError::Store)?);
        let replays = (accepted.len() - fresh.len()) as u64;
        Ok(Taken { receipts, stored: fresh.len() as u64, replays, refused: refused.len() as u64 })
    }

    /// Puts a message aside that the database will not have: told in the list of dead letters and not receipted, so that its
    /// device keeps it and sends it again.
    ///
    /// # Errors
    /// [`DeskError::Store`]; then it may not be acknowledged.
    pub async fn put_aside(&self, arrived: Arrived, now: UnixMs) -> Result<(), DeskError> {
        let refused = match judge::address(arrived) {
            Ok(addressed) => judge::refuse_unstored(&addressed),
            Err(refused) => refused,
        };
        let mut work = self.store.begin().await.map_err(DeskError::Store)?;
        record(&mut work, &refused, now).await.map_err(DeskError::Store)?;
        commit(work).await.map_err(DeskError::Store)?;
        count(0, &[], &[refused]);
        Ok(())
    }

    /// What devices that seal to a key whose time is over are told: the next one, as that key itself said before it went.
    async fn announcements(&self, refused: &[Refused]) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let late = refused.iter().filter(|refusal| matches!(refusal.reason, Refusal::OldKey));
        let late: BTreeSet<(&str, &DeviceId)> = late
            .filter_map(|refusal| Some((refusal.sealed_to.as_ref()?.0.as_str(), refusal.device.as_ref()?)))
            .collect();
        let mut told = Vec::with_capacity(late.len());
        for (key, device) in late {
            if let Some(sealed) = self.store.announcement(key, device).await? {
                told.push((Topic::Down(device.clone(), Down::Receipt).to_string(), sealed));
            }
        }
        Ok(told)
    }

    async fn senders(&self, addressed: &[Result<Addressed, Refused>]) -> Result<Senders, DeskError> {
        let mut senders = Senders::default();
        for device in addressed.iter().flatten().map(|addressed| &addressed.envelope.device) {
            if senders.keys.contains_key(device) || senders.revoked.contains(device) {
                continue;
            }
            let Some(standing) = self.store.standing(device).await.map_err(DeskError::Store)? else { continue };
            if standing.revoked_at.is_some() {
                senders.revoked.insert(device.clone());
            } else if let Ok(key) = PublicKey::from_hex(&standing.sealing_key) {
                senders.keys.insert(device.clone(), key);
                senders.sites.insert(device.clone(), standing.site);
            }
        }
        Ok(senders)
    }

    fn open(
        addressed: Vec<Result<Addressed, Refused>>,
        ours: &SealingKeys,
        senders: &Senders,
    ) -> (Vec<Accepted>, Vec<Refused>) {
        let (mut accepted, mut refused) = (Vec::new(), Vec::new());
        for addressed in addressed {
            let opened = addressed.and_then(|addressed| {
                let device = &addressed.envelope.device;
                if senders.revoked.contains(device) {
                    return Err(judge::refuse_revoked(&addressed));
                }
                let Opened { body, sealed_to } = judge::open(&addressed, ours, senders.keys.get(device))?;
                Ok(Accepted { addressed, body, sealed_to })
            });
            match opened {
                Ok(message) => accepted.push(message),
                Err(refusal) => refused.push(refusal),
            }
        }
        (accepted, refused)
    }

    /// Objects first, row second: a row never names an object that is not there. An object whose row then fails, or is
    /// a result's second picture, is a file that nobody names and costs only its room on the disk.
    fn keep_image(&self, accepted: &Accepted) -> Result<(), DeskError> {
        let Body::Image(image) = &accepted.body else { return Ok(()) };
        let stem = accepted.object();
        let put = |part, bytes: &[u8]| self.objects.put(&stem, part, bytes).map_err(DeskError::Objects);
        put(Part::Preview, &image.preview.samples)?;
        if let Some(saliency) = &image.saliency {
            put(Part::Saliency, &saliency.values)?;
        }
        if let VoiV1::Lut { data, .. } = &image.preview.voi {
            put(Part::VoiLut, data)?;
        }
        Ok(())
    }

    /// The receipts, and the messages that came for the first time.
    async fn commit<'a>(
        &self,
        accepted: &'a [Accepted],
        refused: &[Refused],
        now: UnixMs,
    ) -> Result<(Receipts, Vec<&'a Accepted>), StoreError> {
        let mut work = self.store.begin().await?;
        let mut receipts = Receipts::default();
        let mut fresh = Vec::new();
        for message in accepted {
            if message.store(&mut work, now).await? {
                fresh.push(message);
            }
            let envelope = &message.addressed.envelope;
            receipts.stored(&envelope.device, envelope.id);
            receipts.knows(&envelope.device, &message.sealed_to);
        }
        let mut heard: Vec<_> =
            accepted.iter().map(|message| (&message.addressed.envelope.device, &message.sealed_to)).collect();
        heard.dedup();
        for (device, key) in heard {
            devices::seen(&mut work, device, now, key).await?;
        }
        for refusal in refused {
            record(&mut work, refusal, now).await?;
            if let (Some(device), Some(id), true) = (&refusal.device, refusal.message, refusal.reason.is_final()) {
                receipts.rejected(device, id, refusal.reason.to_string());
                refusal.sealed_to.iter().for_each(|key| receipts.knows(device, key));
            }
        }
        fail_points::reach(Point::IngestBeforeCommit);
        commit(work).await?;
        fail_points::reach(Point::IngestAfterCommit);
        count(accepted.len() - fresh.len(), &fresh, refused);
        Ok((receipts, fresh))
    }

    /// Tells open pages of what is committed.
    fn announce(&self, fresh: &[&Accepted], sites: &HashMap<DeviceId, String>) {
        for message in fresh {
            let device = &message.addressed.envelope.device;
            let Some(site) = sites.get(device) else { continue };
            for (kind, subject) in message.changes() {
                self.live.announce(Event::new(kind, subject, site));
            }
        }
    }
}

impl Accepted {
    fn key(&self) -> (&DeviceId, wire::ids::MessageId) {
        (&self.addressed.envelope.device, self.addressed.envelope.id)
    }

    /// The stem of this message's objects; not the result's id, since a device may send a second image for one result.
    fn object(&self) -> String {
        let (device, message) = self.key();
        result::id(device, message).to_string()
    }

    /// True where this was its first time.
    async fn store(&self, connection: &mut Connection, now: UnixMs) -> Result<bool, StoreError> {
        let envelope = &self.addressed.envelope;
        if envelope.kind != Up::Telemetry
            && !messages::enter(connection, &envelope.device, envelope.id, envelope.kind, now).await?
        {
            return Ok(false);
        }
        match &self.body {
            Body::Result(reading) => results::insert(connection, &self.result_row(reading, now)?).await?,
            Body::Image(picture) => images::insert(connection, &self.image_row(picture, now)?).await?,
            Body::Telemetry(state) => devices::telemetry(connection, &envelope.device, state).await?,
            Body::Shadow(window) => shadow::insert(connection, &envelope.device, envelope.id, window, now).await?,
        }
        Ok(true)
    }

    /// What is different once it is stored.
    fn changes(&self) -> Vec<(Kind, String)> {
        let (device, message) = self.key();
        let result = |message| result::id(device, message).to_string();
        match &self.body {
            Body::Result(reading) => {
                let changed = [Some(message), reading.supersedes].into_iter().flatten();
                changed.map(|message| (Kind::Result, result(message))).collect()
            }
            Body::Image(picture) => vec![(Kind::Image, result(picture.result))],
            Body::Telemetry(_) | Body::Shadow(_) => vec![(Kind::Device, device.to_string())],
        }
    }

    fn result_row(&self, reading: &ResultV1, now: UnixMs) -> Result<NewResult, StoreError> {
        let (device, message) = self.key();
        Ok(NewResult {
            id: result::id(device, message),
            device: device.to_string(),
            message: message.to_string(),
            received_at: reading.received_at_ms,
            stored_at: now,
            finding: result::finding(reading),
            urgency: result::urgency(reading),
            keys: result::keys(reading),
            payload: serde_json::to_string(reading).map_err(|_| StoreError::Content { what: "result" })?,
            reading: Reading::of(reading),
            // Named after the sender, so a device can replace its own results only; none can hide itself.
            supersedes: reading
                .supersedes
                .filter(|earlier| *earlier != message)
                .map(|earlier| result::id(device, earlier)),
        })
    }

    fn image_row(&self, picture: &ImageV1, now: UnixMs) -> Result<ImageRow, StoreError> {
        let (device, message) = self.key();
        let preview = &picture.preview;
        let voi = serde_json::to_string(&Voi::from(&preview.voi)).map_err(|_| StoreError::Content { what: "VOI" })?;
        Ok(ImageRow {
            // Named after the sender, so a device can give pictures to its own results only.
            result: result::id(device, picture.result).to_string(),
            device: device.to_string(),
            message: message.to_string(),
            stored_at: now,
            image_rows: preview.rows.into(),
            image_columns: preview.columns.into(),
            sample_offset: preview.offset.into(),
            inverted: preview.invert.into(),
            voi,
            saliency_rows: picture.saliency.as_ref().map(|saliency| saliency.rows.into()),
            saliency_columns: picture.saliency.as_ref().map(|saliency| saliency.columns.into()),
            object: self.object(),
        })
    }
}

async fn record(connection: &mut Connection, refused: &Refused, now: UnixMs) -> Result<(), StoreError> {
    let row = RefusedRow {
        fingerprint: refused.fingerprint.clone(),
        device: refused.device.as_ref().map(ToString::to_string),
        message: refused.message.as_ref().map(ToString::to_string),
        reason: refused.reason.code(),
        words: refused.reason.to_string(),
    };
    let statement = Statement {
        at: now,
        actor: row.device.as_ref().map_or_else(|| "broker".to_owned(), |device| format!("device:{device}")),
        action: Action::MessageRejected,
        subject: row.message.clone().unwrap_or_else(|| row.fingerprint.clone()),
        detail: format!("{}: {}", row.reason, row.words),
    };
    refusals::record(connection, &row, &statement).await.map(drop)
}

fn count(replays: usize, fresh: &[&Accepted], refused: &[Refused]) {
    counter!("ingest_replays_total").increment(replays as u64);
    for refusal in refused {
        tracing::warn!(reason = refusal.reason.code(), device = ?refusal.device, "refused a message");
        counter!("ingest_refused_total", "reason" => refusal.reason.code()).increment(1);
    }
    for message in fresh {
        counter!("ingest_stored_total", "kind" => message.addressed.envelope.kind.as_str()).increment(1);
        if let Body::Result(reading) = &message.body {
            count_reading(reading);
        }
    }
}

fn count_reading(reading: &ResultV1) {
    let (status, version) = match &reading.outcome {
        OutcomeV1::Read(read) => ("read", read.model.version.clone()),
        OutcomeV1::Abstained { .. } => ("abstained", "none".to_owned()),
        OutcomeV1::Unreadable { .. } => ("unreadable", "none".to_owned()),
    };
    counter!("predictions_total", "model_version" => version, "status" => status).increment(1);
    if let Some(finding) = result::finding(reading) {
        counter!("pneumonia_predictions_total", "finding" => finding).increment(1);
        histogram!("model_inference_duration_seconds").record(reading.stages.infer_ms / 1_000.0);
    }
}

impl DeskError {
    /// Whether the database refused what it was told, and would take something else.
    #[must_use]
    pub fn is_about_content(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_about_content())
    }

    /// Whether one of several messages may be the cause, so that the others are worth trying by themselves.
    #[must_use]
    pub fn may_be_one_messages(&self) -> bool {
        match self {
            Self::Store(error) => error.is_about_content(),
            // Results need no object store.
            Self::Objects(_) | Self::Receipt(_) => true,
            Self::Interrupted => false,
        }
    }
}

/// Messages that could not be taken in; they are not lost, since nothing was acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The database did not commit.
    #[error("messages could not be committed, so they were not acknowledged and will come again")]
    Store(#[source] StoreError),
    /// The object store did not take an image.
    #[error("images could not be stored, so they were not acknowledged and will come again")]
    Objects(#[source] ObjectsError),
    /// The receipts could not be written.
    #[error("messages were committed but their receipts could not be written; they will come again and be receipted")]
    Receipt(#[source] wire::codec::CodecError),
    /// The program is stopping.
    #[error("messages were not taken in because the gateway is stopping; they will come again")]
    Interrupted,
}
