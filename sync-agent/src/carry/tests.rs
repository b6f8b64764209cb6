//! An outbox in a real folder, a folder for a stick, and the gateway's half played with its own key.

use outbox::{NewMessage, Priority};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use uuid::Uuid;
use wire::carry::Cover;
use wire::codec;
use wire::enrolment::{Enrolment, SCHEMA};
use wire::envelope::Envelope;
use wire::ids::MessageId;
use wire::seal::{self, PrivateKey, PublicKey, Sealed};
use wire::topics::Up;
use wire::v1::receipt::Receipt;
use wire::v1::{ReceiptStatus, ReceiptV1};

use super::*;
use crate::identity::certificate::Certificate;

struct Bench {
    place: tempfile::TempDir,
    outbox: Outbox,
    identity: Identity,
    gateway: (PrivateKey, PublicKey),
    rng: ChaCha20Rng,
}

fn id(number: u128) -> MessageId {
    MessageId(Uuid::from_u128(number))
}

fn bench() -> Bench {
    let place = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(&place.path().join("outbox.sqlite"), &[9; 32].into()).unwrap();
    fs::create_dir(place.path().join("stick")).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let ((sealing, sealing_public), gateway) = (seal::generate(&mut rng), seal::generate(&mut rng));
    let certificate = Certificate {
        name: "ward-1".into(),
        public_key: Vec::new(),
        sealing_key: sealing_public.to_hex(),
        from_ms: 0,
        until_ms: i64::MAX,
        hash: [0; 32],
    };
    let enrolment = Enrolment {
        schema: SCHEMA,
        device: "ward-1".parse().unwrap(),
        site: "lab".into(),
        authorities: String::new(),
        certificate: String::new(),
        gateway_sealing_key: gateway.1.to_hex(),
        renewal: None,
    };
    let tls_key = String::new();
    let identity = Identity {
        enrolment,
        certificate,
        tls_key,
        sealing,
        sealing_public,
        gateway: gateway.1.clone(),
        gateway_before: None,
    };
    Bench { place, outbox, identity, gateway, rng }
}

impl Bench {
    fn stick(&self) -> PathBuf {
        self.place.path().join("stick")
    }

    fn post(&mut self, numbers: impl IntoIterator<Item = u128>) {
        for number in numbers {
            let message = NewMessage {
                id: id(number),
                kind: Up::Result,
                priority: Priority::Live,
                created_ms: 1_000,
                traceparent: None,
                payload: &number.to_be_bytes(),
            };
            self.outbox.post(&message).unwrap();
        }
    }

    fn export(&mut self, now_ms: i64) -> Result<Option<Exported>, CarryError> {
        export(&self.outbox, &self.identity, &self.place.path().join("stick"), now_ms, &mut self.rng)
    }

    /// What the gateway reads in a folder: each id with its opened payload.
    fn read(&self, folder: &Path) -> Vec<(u128, u128)> {
        let cover: Cover = carry::from_bytes(&fs::read(folder.join(MANIFEST_FILE)).unwrap()).unwrap();
        let manifest = cover.open(&self.gateway.0, &self.identity.sealing_public).unwrap();
        let mut all = Vec::new();
        for (index, entry) in manifest.parts.iter().enumerate() {
            let bytes = fs::read(folder.join(carry::part_file(index))).unwrap();
            assert!(entry.is(&bytes));
            let part: Part = carry::from_bytes(&bytes).unwrap();
            assert_eq!(part.messages.len(), entry.messages as usize);
            for message in part.messages {
                let envelope = Envelope::from_properties(&message.properties).unwrap();
                let sealed = Sealed::from_bytes(&message.payload).unwrap();
                let (ours, theirs) = (&self.gateway.0, &self.identity.sealing_public);
                let plain = seal::open(&sealed, &envelope.binding(), ours, theirs).unwrap();
                all.push((envelope.id.0.as_u128(), u128::from_be_bytes(plain.try_into().unwrap())));
            }
        }
        assert_eq!(manifest.messages, all.len() as u64);
        all
    }

    /// What the gateway writes into a folder.
    fn receive(&mut self, folder: &Path, device: &str, receipts: Vec<Receipt>) {
        let device: DeviceId = device.parse().unwrap();
        let plain = codec::encode(&ReceiptV1 { receipts, gateway_key: None }).unwrap();
        let sender = (&self.gateway.0, &self.gateway.1);
        let binding = seal::receipt_binding(&device);
        let sealed = seal::seal(&plain, &binding, &self.identity.sealing_public, sender, &mut self.rng).unwrap();
        let batches = vec![sealed.to_bytes().unwrap().into()];
        let carried = CarriedReceipts { schema: carry::SCHEMA, device, batches };
        fs::write(folder.join(RECEIPTS_FILE), carry::to_bytes(&carried).unwrap()).unwrap();
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_waits_is_carried_sealed_and_waits_on() {
    let mut bench = bench();
    assert_eq!(bench.export(0).unwrap(), None, "nothing to carry");
    assert!(names(&bench.stick()).is_empty());
    bench.post(1..=150);
    bench.outbox.lease(40, 0, 1_000).unwrap();
    bench.outbox.settle(id(7), &ReceiptStatus::Rejected { reason: "no".into() }).unwrap();
    bench.outbox.settle(id(8), &ReceiptStatus::Stored).unwrap();
    let exported = bench.export(1_767_322_845_678).unwrap().unwrap();
    assert_eq!(exported.messages, 148);
    assert!(exported.folder.ends_with("hilum-ward-1-20260102T030045Z"), "{exported:?}");
    let expected: Vec<(u128, u128)> = (1..=150).filter(|n| ![7, 8].contains(n)).map(|n| (n, n)).collect();
    assert_eq!(bench.read(&exported.folder), expected);
    let parts = ["README.txt", "manifest.cbor", "part-00001.cbor", "part-00002.cbor", "part-00003.cbor"];
    assert_eq!(names(&exported.folder), parts);
    assert_eq!(names(&bench.stick()).len(), 1);
    assert_eq!(bench.outbox.depth().unwrap().waiting, 148, "carrying is no receipt");
}

#[test]
fn a_folder_is_whole_or_not_there_and_half_of_one_is_swept_up() {
    let mut bench = bench();
    bench.post(1..=3);
    let half = bench.stick().join("hilum-ward-1-20250101T000000Z.part");
    fs::create_dir(&half).unwrap();
    fs::write(half.join("part-00001.cbor"), "half").unwrap();
    fs::create_dir(bench.stick().join("hilum-ward-2-20250101T000000Z.part")).unwrap();
    fs::write(bench.stick().join("holiday.part"), "not ours").unwrap();
    let exported = bench.export(0).unwrap().unwrap();
    let name = exported.folder.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(names(&bench.stick()), [name.as_str(), "hilum-ward-2-20250101T000000Z.part", "holiday.part"]);
    assert!(matches!(bench.export(0), Err(CarryError::Taken { .. })));
    let stick = bench.stick();
    assert!(matches!(
        export(&bench.outbox, &bench.identity, &stick.join("nowhere"), 0, &mut bench.rng),
        Err(CarryError::NoFolder { .. })
    ));
}

#[test]
fn what_a_stick_says_becomes_what_to_do() {
    for (kind, words) in [
        (ErrorKind::StorageFull, "the stick is full"),
        (ErrorKind::ReadOnlyFilesystem, "write-protected"),
        (ErrorKind::NotFound, "pulled out"),
    ] {
        let said = written(Path::new("/media/stick/x"), kind.into()).to_string();
        assert!(said.contains(words) && said.contains("/media/stick/x"), "{said}");
    }
}

#[test]
fn receipts_that_come_back_settle_once_and_nobody_elses_do() {
    let mut bench = bench();
    bench.post(1..=3);
    let folder = bench.export(0).unwrap().unwrap().folder;
    assert!(matches!(import_receipts(&mut bench.outbox, &bench.identity, &folder), Err(CarryError::NoReceipts { .. })));
    let stored = |number| Receipt { id: id(number), status: ReceiptStatus::Stored };
    let rejected = Receipt { id: id(3), status: ReceiptStatus::Rejected { reason: "no".into() } };
    bench.receive(&folder, "ward-1", vec![stored(1), stored(2), rejected]);
    let first = import_receipts(&mut bench.outbox, &bench.identity, &folder).unwrap();
    assert_eq!(first, Settled { stored: 2, rejected: 1, known: 0, gateway_key: None });
    assert_eq!(bench.outbox.depth().unwrap().waiting, 0);
    let again = import_receipts(&mut bench.outbox, &bench.identity, &folder).unwrap();
    assert_eq!(again, Settled { stored: 0, rejected: 1, known: 2, gateway_key: None });

    bench.post(4..=4);
    bench.receive(&folder, "ward-2", vec![stored(4)]);
    let other = import_receipts(&mut bench.outbox, &bench.identity, &folder).unwrap_err().to_string();
    assert!(other.contains("ward-2") && other.contains("this is ward-1"), "{other}");
    bench.gateway = seal::generate(&mut bench.rng);
    bench.receive(&folder, "ward-1", vec![stored(4)]);
    let forged = import_receipts(&mut bench.outbox, &bench.identity, &folder).unwrap_err();
    assert!(matches!(forged, CarryError::Receipts { .. }), "{forged}");
    fs::write(folder.join(RECEIPTS_FILE), "text").unwrap();
    assert!(import_receipts(&mut bench.outbox, &bench.identity, &folder).is_err());
    assert_eq!(bench.outbox.depth().unwrap().waiting, 1, "a receipt that is not the gateway's deletes nothing");
}
