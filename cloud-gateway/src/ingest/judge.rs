//! Whether a message may be stored, and why not. Pure: it reads no database, no key file and no clock.

use sha2::{Digest, Sha256};
use wire::codec::CodecError;
use wire::envelope::{Envelope, EnvelopeError};
use wire::ids::{DeviceId, MessageId};
use wire::seal::{KeyId, PublicKey, SealError, Sealed};
use wire::topics::{Topic, Up};
use wire::v1::{ImageV1, ResultV1, ShadowV1, TelemetryV1};
use wire::{codec, seal};

use crate::domain::{image, result, shadow};
use crate::identity::SealingKeys;

/// A message as the broker delivered it.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// Its topic, as text.
    pub topic: String,
    /// Its MQTT 5 user properties.
    pub properties: Vec<(String, String)>,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// A message whose labels agree with each other.
#[derive(Clone, Debug)]
pub struct Addressed {
    /// Its labels; the device in them is the topic's, which the broker bound to a certificate.
    pub envelope: Envelope,
    payload: Vec<u8>,
}

/// What a message turned out to be.
#[derive(Clone, Debug)]
pub enum Body {
    /// A reading.
    Result(Box<ResultV1>),
    /// A picture.
    Image(Box<ImageV1>),
    /// The device's state.
    Telemetry(TelemetryV1),
    /// A candidate model beside the one in use.
    Shadow(Box<ShadowV1>),
}

/// A message that was opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What it says.
    pub body: Body,
    /// Which of our keys it was sealed to.
    pub sealed_to: KeyId,
}

/// A message that will not be stored.
#[derive(Debug)]
pub struct Refused {
    /// The device whose topic it came on.
    pub device: Option<DeviceId>,
    /// The id that it claims.
    pub message: Option<MessageId>,
    /// The key that it says it was sealed to.
    pub sealed_to: Option<Box<KeyId>>,
    /// The same for every copy of this message that is refused for the same reason, however often it is sealed anew.
    pub fingerprint: String,
    /// Why.
    pub reason: Refusal,
}

/// Reads the labels and checks that they agree with the topic.
///
/// # Errors
/// [`Refused`].
pub fn address(arrived: Arrived) -> Result<Addressed, Refused> {
    let envelope = Envelope::from_properties(&arrived.properties);
    let message = envelope.as_ref().ok().map(|envelope| envelope.id);
    let refuse = |device, reason: Refusal| {
        let fingerprint = fingerprint(&arrived.topic, message, &reason);
        Err(Refused { device, message, sealed_to: None, fingerprint, reason })
    };
    let Ok(Topic::Up(device, kind)) = arrived.topic.parse() else { return refuse(None, Refusal::Topic) };
    let envelope = match envelope {
        Ok(envelope) => envelope,
        Err(error) => return refuse(Some(device), Refusal::Envelope(error)),
    };
    if envelope.device != device {
        return refuse(Some(device), Refusal::OtherDevice);
    }
    if envelope.kind != kind {
        return refuse(Some(device), Refusal::OtherKind);
    }
    Ok(Addressed { envelope, payload: arrived.payload })
}

/// Opens an addressed message that `device_key` should have sealed to one of `ours`.
///
/// # Errors
/// [`Refused`]; `None` for `device_key` means that the device is not enrolled.
pub fn open(addressed: &Addressed, ours: &SealingKeys, device_key: Option<&PublicKey>) -> Result<Opened, Refused> {
    unseal(addressed, ours, device_key).map_err(|reason| refused(addressed, reason))
}

/// Refuses a message unopened, because its device is shut out.
#[must_use]
pub fn refuse_revoked(addressed: &Addressed) -> Refused {
    refused(addressed, Refusal::Revoked)
}

/// Refuses a message that was good, because the database would not have it.
#[must_use]
pub fn refuse_unstored(addressed: &Addressed) -> Refused {
    refused(addressed, Refusal::NotStored)
}

fn refused(addressed: &Addressed, reason: Refusal) -> Refused {
    Refused {
        device: Some(addressed.envelope.device.clone()),
        message: Some(addressed.envelope.id),
        sealed_to: Sealed::from_bytes(&addressed.payload).ok().map(|sealed| Box::new(sealed.key_id)),
        fingerprint: fingerprint(&addressed.topic(), Some(addressed.envelope.id), &reason),
        reason,
    }
}

fn unseal(addressed: &Addressed, ours: &SealingKeys, device_key: Option<&PublicKey>) -> Result<Opened, Refusal> {
    let device_key = device_key.ok_or(Refusal::UnknownDevice)?;
    let sealed = Sealed::from_bytes(&addressed.payload).map_err(|_| Refusal::NotSealed)?;
    let key = ours.find(&sealed.key_id).ok_or_else(|| match ours.is_retired(&sealed.key_id) {
        true => Refusal::OldKey,
        false => Refusal::OtherKey,
    })?;
    let bytes = seal::open(&sealed, &addressed.envelope.binding(), key, device_key).map_err(Refusal::Seal)?;
    let mut body = match addressed.envelope.kind {
        Up::Result => Body::Result(Box::new(codec::decode(&bytes)?)),
        Up::Image => Body::Image(Box::new(codec::decode(&bytes)?)),
        Up::Telemetry => Body::Telemetry(codec::decode(&bytes)?),
        Up::Shadow => Body::Shadow(Box::new(codec::decode(&bytes)?)),
    };
    if let Body::Image(picture) = &mut body {
        picture.preview.unpack().map_err(|error| Refusal::Implausible(error.to_string()))?;
    }
    match &body {
        Body::Result(reading) => result::check(reading),
        Body::Image(picture) => image::check(picture),
        Body::Telemetry(state) => result::plain("sync_agent_version", &state.sync_agent_version, result::MAX_TEXT),
        Body::Shadow(window) => shadow::check(window),
    }
    .map_err(Refusal::Implausible)?;
    Ok(Opened { body, sealed_to: sealed.key_id })
}

impl Addressed {
    fn topic(&self) -> String {
        Topic::Up(self.envelope.device.clone(), self.envelope.kind).to_string()
    }
}

/// SHA-256 of topic, id and reason, hexadecimal. Not of the payload, which is sealed with new randomness at each resend; and
/// not of telemetry's id, which is new each time: what is refused for ever must not fill the audit trail. Nor of any id of
/// a revoked device's: whoever has its keys could go on making new ones.
fn fingerprint(topic: &str, message: Option<MessageId>, reason: &Refusal) -> String {
    let is_telemetry = matches!(topic.parse(), Ok(Topic::Up(_, Up::Telemetry)));
    let is_endless = is_telemetry || matches!(reason, Refusal::Revoked);
    let id = message.filter(|_| !is_endless).map(|id| id.to_string()).unwrap_or_default();
    // Which label is wrong is told once for each: there are six.
    let label = if let Refusal::Envelope(error) = reason { error.to_string() } else { String::new() };
    hex::encode(Sha256::digest(format!("{topic}\n{id}\n{}{label}", reason.code())))
}

/// Why a message will not be stored; the words are for the technician at the device.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Not one of ours.
    #[error("it came on a topic that this gateway does not know; update the gateway")]
    Topic,
    /// Labels missing or malformed.
    #[error(transparent)]
    Envelope(EnvelopeError),
    /// One device speaks in another's name.
    #[error("it was sent on one device's topic in another device's name")]
    OtherDevice,
    /// Labels contradict the topic.
    #[error("its type is not its topic's")]
    OtherKind,
    /// Nobody enrolled it here.
    #[error("the device is not enrolled at this gateway; make a token for it with `cloud-gateway enrol token`")]
    UnknownDevice,
    /// An operator has shut it out.
    #[error("the device was revoked; ask the operator, who can make a token that lets it in again")]
    Revoked,
    /// Not a sealed payload.
    #[error("its payload is not sealed; the device's software is of another release")]
    NotSealed,
    /// Sealed to somebody else, or to a key this gateway no longer has.
    #[error("it was sealed to another gateway's key; enrol the device again, or restore [identity] hpke_key")]
    OtherKey,
    /// Sealed to a key of ours whose time is over.
    #[error(
        "it was sealed to a key that this gateway has retired; the device is told the newest one and sends again by itself"
    )]
    OldKey,
    /// The seal does not open.
    #[error(transparent)]
    Seal(SealError),
    /// The bytes inside are of another kind.
    #[error(transparent)]
    Decode(#[from] CodecError),
    /// Good, but the database took offence at it.
    #[error("the database would not have it; this gateway's log says why, and the device goes on sending it")]
    NotStored,
    /// It cannot be true.
    #[error("it says what cannot be: {0}")]
    Implausible(String),
}

impl Refusal {
    /// Stable, `snake_case`; a metric's label and the database's column.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Topic => "unknown_topic",
            Self::Envelope(_) => "bad_envelope",
            Self::OtherDevice => "other_device",
            Self::OtherKind => "other_kind",
            Self::UnknownDevice => "unknown_device",
            Self::Revoked => "revoked",
            Self::NotSealed => "not_sealed",
            Self::OtherKey => "other_key",
            Self::OldKey => "old_key",
            Self::Seal(_) => "seal",
            Self::Decode(_) => "undecodable",
            Self::NotStored => "not_stored",
            Self::Implausible(_) => "implausible",
        }
    }

    /// Whether it will be refused for ever, so that the device may be told so and stop sending.
    ///
    /// Only what was found after the seal opened may be: until then every word of the message, its id among them, may be
    /// the broker's, and a rejection would make the device give up a finding that it never sent so. What does not decode
    /// is not final either: the device may be a release ahead of this gateway.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Implausible(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;
    use serde::Serialize;
    use time::macros::datetime;
    use wire::seal::PrivateKey;

    struct World {
        rng: ChaCha20Rng,
        device: (PrivateKey, PublicKey),
        gateway: (PrivateKey, PublicKey),
    }

    fn world() -> World {
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let (device, gateway) = (seal::generate(&mut rng), seal::generate(&mut rng));
        World { rng, device, gateway }
    }

    fn envelope(kind: Up) -> Envelope {
        Envelope {
            id: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
            device: "demo-1".parse().unwrap(),
            kind,
            time: datetime!(2026-01-02 03:04:05 UTC),
            traceparent: None,
        }
    }

    impl World {
        fn message<T: Serialize>(&mut self, kind: Up, body: &T) -> Arrived {
            let envelope = envelope(kind);
            let plain = codec::encode(body).unwrap();
            let pair = (&self.device.0, &self.device.1);
            let sealed = seal::seal(&plain, &envelope.binding(), &self.gateway.1, pair, &mut self.rng).unwrap();
            let topic = Topic::Up(envelope.device.clone(), kind).to_string();
            Arrived { topic, properties: envelope.to_properties().unwrap(), payload: sealed.to_bytes().unwrap() }
        }

        fn judge(&self, arrived: Arrived) -> Result<Body, Refused> {
            let ours = SealingKeys::of(std::slice::from_ref(&self.gateway.0));
            open(&address(arrived)?, &ours, Some(&self.device.1)).map(|opened| opened.body)
        }
    }

    fn reading() -> ResultV1 {
        result::tests::read(0.75)
    }

    #[test]
    fn what_a_device_sealed_under_its_own_labels_is_accepted() {
        let mut world = world();
        let message = world.message(Up::Result, &reading());
        assert!(matches!(world.judge(message), Ok(Body::Result(body)) if *body == reading()));
        let message = world.message(Up::Image, &image::tests::image());
        assert!(matches!(world.judge(message), Ok(Body::Image(_))));
        let message = world.message(Up::Telemetry, &TelemetryV1::default());
        assert!(matches!(world.judge(message), Ok(Body::Telemetry(_))));
        let message = world.message(Up::Shadow, &shadow::tests::window());
        assert!(matches!(world.judge(message), Ok(Body::Shadow(_))));
    }

    #[test]
    fn a_picture_comes_out_as_it_went_in_packed_or_not() {
        let mut world = world();
        let plain = image::tests::image();
        let packed = ImageV1 { preview: plain.preview.clone().pack(), ..plain.clone() };
        for sent in [&plain, &packed] {
            let message = world.message(Up::Image, sent);
            assert!(matches!(world.judge(message), Ok(Body::Image(found)) if *found == plain));
        }
        let mut wider = packed;
        wider.preview.columns += 1;
        let message = world.message(Up::Image, &wider);
        assert_eq!(world.judge(message).unwrap_err().reason.code(), "implausible");
    }

    #[test]
    fn every_way_to_be_wrong_has_its_own_reason() {
        type Damage = fn(&mut World, &mut Arrived);
        let table: [(&str, Damage); 9] = [
            ("unknown_topic", |_, m| m.topic = "hilum/v1/demo-1/down/receipt".into()),
            ("bad_envelope", |_, m| m.properties.clear()),
            ("other_device", |_, m| m.topic = "hilum/v1/demo-2/up/result".into()),
            ("other_kind", |_, m| m.topic = "hilum/v1/demo-1/up/image".into()),
            ("not_sealed", |_, m| m.payload = b"{}".to_vec()),
            ("other_key", |w, _| w.gateway = seal::generate(&mut w.rng)),
            ("seal", |w, _| w.device = seal::generate(&mut w.rng)),
            ("undecodable", |w, m| *m = w.message(Up::Result, &"not a result")),
            ("implausible", |w, m| *m = w.message(Up::Result, &ResultV1 { site: "\0".into(), ..reading() })),
        ];
        for (code, damage) in table {
            let mut world = world();
            let mut message = world.message(Up::Result, &reading());
            damage(&mut world, &mut message);
            let refused = world.judge(message).unwrap_err();
            assert_eq!(refused.reason.code(), code);
            assert_eq!(refused.device.is_some(), code != "unknown_topic", "{code}");
            assert_eq!(refused.reason.is_final(), code == "implausible", "{code}");
        }
    }

    #[test]
    fn what_was_sealed_to_an_older_key_opens_until_that_is_retired_and_is_never_given_up() {
        let mut world = world();
        let message = world.message(Up::Result, &reading());
        let (old, newer) = (world.gateway.0.clone(), seal::generate(&mut world.rng).0);
        let mut ours = SealingKeys::of(&[old.clone(), newer]);
        let judged = |ours: &SealingKeys| open(&address(message.clone()).unwrap(), ours, Some(&world.device.1));
        assert_eq!(judged(&ours).unwrap().sealed_to, old.public().key_id());
        assert!(ours.retire(&old.public().key_id()));
        let refused = judged(&ours).unwrap_err();
        assert_eq!((refused.reason.code(), refused.reason.is_final()), ("old_key", false));
        assert_eq!(refused.sealed_to.as_deref(), Some(&old.public().key_id()));
    }

    #[test]
    fn a_device_that_nobody_enrolled_is_asked_to_wait() {
        let mut world = world();
        let addressed = address(world.message(Up::Result, &reading())).unwrap();
        let ours = SealingKeys::of(std::slice::from_ref(&world.gateway.0));
        let refused = open(&addressed, &ours, None).unwrap_err();
        assert_eq!(refused.reason.code(), "unknown_device");
        assert!(!refused.reason.is_final());
    }

    #[test]
    fn a_revoked_device_is_refused_once_per_topic_and_keeps_what_it_has() {
        let mut world = world();
        let messages = [world.message(Up::Result, &reading()), {
            let mut other = world.message(Up::Result, &reading());
            other.properties[1].1 = "01890a5d-ac96-774b-bcce-b302099a8058".into();
            other
        }];
        let [first, second] = messages.map(|message| refuse_revoked(&address(message).unwrap()));
        assert_eq!(first.reason.code(), "revoked");
        assert!(!first.reason.is_final(), "a device that is let in again would have lost a finding");
        assert_eq!(first.fingerprint, second.fingerprint);
    }

    #[test]
    fn a_copy_that_is_sealed_anew_is_the_same_refusal() {
        let mut world = world();
        let copies: Vec<Arrived> = (0..2).map(|_| world.message(Up::Result, &"not a result")).collect();
        assert_ne!(copies[0].payload, copies[1].payload);
        let telemetry = |world: &mut World, last: u8| {
            let mut message = world.message(Up::Telemetry, &TelemetryV1::default());
            message.properties[1].1 = format!("01890a5d-ac96-774b-bcce-b302099a80{last:02x}");
            message
        };
        let others = [telemetry(&mut world, 1), telemetry(&mut world, 2)];
        let prints: Vec<String> =
            copies.into_iter().chain(others).map(|copy| world.judge(copy).unwrap_err().fingerprint).collect();
        assert_eq!(prints[0], prints[1]);
        assert_eq!(prints[2], prints[3]);
        assert_ne!(prints[0], prints[2]);
    }

    #[test]
    fn a_payload_moved_under_another_id_does_not_open() {
        let mut world = world();
        let mut message = world.message(Up::Result, &reading());
        message.properties[1].1 = "01890a5d-ac96-774b-bcce-b302099a8058".into();
        assert_eq!(world.judge(message).unwrap_err().reason.code(), "seal");
    }
}
