//! What is carried by hand goes through the same desk as what the broker brings: once each, and every folder that is not a known
//! device's, whole and for this gateway, is refused with an audit record and changes nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gateway::auth::sites::Sites;
use gateway::carry::{self as desk_side, CarryError, Imported};
use gateway::domain::when;
use gateway::identity;
use gateway::ingest::desk::Desk;
use gateway::live::Live;
use gateway::objects::Objects;
use gateway::store::work_list::Filter;
use uuid::Uuid;
use wire::carry::{self, Carried, CarriedReceipts, MANIFEST_FILE, Manifest, Part, PartEntry, RECEIPTS_FILE};
use wire::codec;
use wire::envelope::Envelope;
use wire::ids::{DeviceId, MessageId};
use wire::seal::{self, PrivateKey, PublicKey, Sealed};
use wire::topics::Up;
use wire::v1::{ReceiptStatus, ReceiptV1, ResultV1};

use super::samples;
use super::world::World;

/// A device without a network.
struct Island {
    name: DeviceId,
    keys: (PrivateKey, PublicKey),
    gateway: PublicKey,
}

impl Island {
    fn new(world: &World, name: &str) -> Self {
        let keys = seal::generate(&mut rand::rng());
        world.add_device(name, &keys.1.to_hex());
        let gateway = identity::load(&world.config.identity.hpke_key).unwrap().public();
        Self { name: name.parse().unwrap(), keys, gateway }
    }

    fn message(&self, number: u128, reading: &ResultV1) -> Carried {
        let envelope = Envelope {
            id: MessageId(Uuid::from_u128(number)),
            device: self.name.clone(),
            kind: Up::Result,
            time: time::OffsetDateTime::UNIX_EPOCH,
            traceparent: None,
        };
        let plain = codec::encode(reading).unwrap();
        let keys = (&self.keys.0, &self.keys.1);
        let sealed = seal::seal(&plain, &envelope.binding(), &self.gateway, keys, &mut rand::rng()).unwrap();
        let payload = sealed.to_bytes().unwrap().into();
        Carried { kind: "result".into(), properties: envelope.to_properties().unwrap(), payload }
    }

    /// A folder of two parts: two messages and one.
    fn export(&self, folder: &Path, messages: &[Carried]) -> PathBuf {
        let folder = folder.join(format!("hilum-{}", self.name));
        fs::create_dir_all(&folder).unwrap();
        let mut parts = Vec::new();
        for (index, messages) in messages.chunks(2).enumerate() {
            let bytes = carry::to_bytes(&Part { messages: messages.to_vec() }).unwrap();
            fs::write(folder.join(carry::part_file(index)), &bytes).unwrap();
            parts.push(PartEntry::of(messages.len().try_into().unwrap(), &bytes));
        }
        let manifest = Manifest { made_ms: 0, messages: messages.len() as u64, parts };
        let keys = (&self.keys.0, &self.keys.1);
        let cover = manifest.seal(&self.name, &self.gateway, keys, &mut rand::rng()).unwrap();
        fs::write(folder.join(MANIFEST_FILE), carry::to_bytes(&cover).unwrap()).unwrap();
        folder
    }

    fn three(&self, folder: &Path) -> PathBuf {
        let messages = [1, 2, 3].map(|number| self.message(number, &samples::read(0.9, 0)));
        self.export(folder, &messages)
    }

    /// Ids that the receipts in a folder say are stored.
    fn receipts(&self, folder: &Path) -> Vec<u128> {
        let carried: CarriedReceipts = carry::from_bytes(&fs::read(folder.join(RECEIPTS_FILE)).unwrap()).unwrap();
        assert_eq!(carried.device, self.name);
        let mut stored = Vec::new();
        for batch in carried.batches {
            let sealed = Sealed::from_bytes(&batch).unwrap();
            let binding = seal::receipt_binding(&self.name);
            let plain = seal::open(&sealed, &binding, &self.keys.0, &self.gateway).unwrap();
            let receipts = codec::decode::<ReceiptV1>(&plain).unwrap().receipts;
            stored.extend(receipts.iter().filter(|one| one.status == ReceiptStatus::Stored).map(|r| r.id.0.as_u128()));
        }
        stored
    }
}

fn import(world: &World, folder: &Path) -> Result<Imported, CarryError> {
    let keys = Arc::new(identity::LiveKeys::open(&world.config.identity.hpke_key).unwrap());
    let objects = Objects::open(&world.config.objects.dir).unwrap();
    let desk = Arc::new(Desk::new(world.store.clone(), objects, keys.clone(), Arc::new(Live::alone(0))));
    world.runtime.block_on(desk_side::import(&world.store, &desk, &keys.current(), folder, when::now()))
}

fn count(world: &World) -> i64 {
    world.runtime.block_on(world.store.count_results(&Sites::All, &Filter::default())).unwrap()
}

fn audit(world: &World) -> Vec<(String, String, String)> {
    let rows = world.runtime.block_on(world.store.audit_page(&Sites::All, None, 100)).unwrap();
    rows.into_iter().map(|row| (row.action, row.subject, row.detail)).collect()
}

#[test]
fn what_is_carried_is_stored_once_and_each_import_gives_the_same_receipts() {
    let world = World::stopped();
    let island = Island::new(&world, "island-1");
    let folder = island.three(world.folder.path());
    let expected =
        |stored, replays| Imported { device: island.name.clone(), stored, replays, refused: 0, unreceipted: None };
    assert_eq!(import(&world, &folder).unwrap(), expected(3, 0));
    assert_eq!(island.receipts(&folder), [1, 2, 3]);
    fs::remove_file(folder.join(RECEIPTS_FILE)).unwrap();
    assert_eq!(import(&world, &folder).unwrap(), expected(0, 3));
    assert_eq!(island.receipts(&folder), [1, 2, 3]);
    assert_eq!(count(&world), 3);
    let said = audit(&world);
    assert_eq!(said.len(), 2);
    assert_eq!((said[1].0.as_str(), said[1].1.as_str()), ("carry.imported", "island-1"));
    assert!(said[1].2.contains("3 stored, 0 known before, 0 refused"), "{}", said[1].2);
}

#[test]
fn a_folder_that_is_not_whole_or_not_ours_is_refused_and_changes_nothing() {
    type Damage = fn(&mut World, &Island, &Path);
    let flip: Damage = |_, _, folder| {
        let file = folder.join("part-00002.cbor");
        let mut bytes = fs::read(&file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(file, bytes).unwrap();
    };
    let table: [(&str, Damage); 9] = [
        ("altered", flip),
        ("altered", |_, _, folder| fs::write(folder.join("part-00001.cbor"), "short").unwrap()),
        ("altered", |_, _, folder| {
            fs::copy(folder.join("part-00001.cbor"), folder.join("part-00002.cbor")).map(drop).unwrap();
        }),
        ("incomplete", |_, _, folder| fs::remove_file(folder.join("part-00002.cbor")).unwrap()),
        ("not_carried", |_, _, folder| fs::remove_file(folder.join(MANIFEST_FILE)).unwrap()),
        ("not_carried", |_, _, folder| fs::write(folder.join(MANIFEST_FILE), "text").unwrap()),
        ("other_gateway", |world, _, _| {
            fs::remove_file(&world.config.identity.hpke_key).unwrap();
            identity::init(&world.config.identity.hpke_key).map(drop).unwrap();
        }),
        ("altered", |world, island, folder| {
            // Another device's folder under this device's name.
            let other = Island { name: island.name.clone(), ..Island::new(world, "island-2") };
            let made = other.three(&world.folder.path().join("other"));
            for entry in fs::read_dir(made).unwrap().flatten() {
                fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
            }
        }),
        ("unknown_device", |world, _, _| {
            world.runtime.block_on(sqlx::query("DELETE FROM devices").execute(world.store.pool())).map(drop).unwrap();
        }),
    ];
    for (code, damage) in table {
        let mut world = World::stopped();
        let island = Island::new(&world, "island-1");
        let folder = island.three(world.folder.path());
        damage(&mut world, &island, &folder);
        let refused = import(&world, &folder).unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
        assert_eq!(count(&world), 0, "{code}: half a folder was stored");
        assert!(!folder.join(RECEIPTS_FILE).exists(), "{code}");
        let said = audit(&world);
        assert_eq!(said.len(), 1, "{code}");
        assert!(said[0].0 == "carry.refused" && said[0].2.starts_with(code), "{said:?}");
    }
}

#[test]
fn a_message_in_another_devices_name_is_refused_and_the_rest_is_taken() {
    let world = World::stopped();
    let (island, other) = (Island::new(&world, "island-1"), Island::new(&world, "island-2"));
    let messages = [
        island.message(1, &samples::read(0.9, 0)),
        other.message(2, &samples::read(0.9, 0)),
        Carried { kind: "anything".into(), ..island.message(3, &samples::read(0.9, 0)) },
    ];
    let folder = island.export(world.folder.path(), &messages);
    let imported = import(&world, &folder).unwrap();
    assert_eq!((imported.stored, imported.refused), (1, 2));
    assert_eq!(island.receipts(&folder), [1]);
    let said: Vec<String> = audit(&world).into_iter().map(|(_, _, detail)| detail).collect();
    assert!(said.iter().any(|detail| detail.starts_with("other_device")), "{said:?}");
    assert!(said.iter().any(|detail| detail.starts_with("unknown_topic")), "{said:?}");
}
