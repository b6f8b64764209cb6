//! From a sealed message to a row and a receipt, over a real broker.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use gateway::auth::sites::Sites;
use gateway::domain::result;
use gateway::domain::work_list::Order;
use gateway::store::work_list::Filter;
use rcgen::ExtendedKeyUsagePurpose;
use uuid::Uuid;
use wire::ids::MessageId;
use wire::seal::{self, PrivateKey, PublicKey};
use wire::topics::Up;
use wire::v1::receipt::{Receipt, ReceiptStatus};
use wire::v1::{ResultV1, TelemetryV1};

use super::broker::{Broker, Device, PATIENCE};
use super::papers::Papers;
use super::samples;
use super::world::{World, fresh_postgres};

/// Long enough for a receipt that must not come to have come.
const SILENCE: Duration = Duration::from_secs(2);

pub struct Chain {
    pub world: World,
    broker: Broker,
}

pub fn id(number: u128) -> MessageId {
    MessageId(Uuid::from_u128(number))
}

fn stored(number: u128) -> Receipt {
    Receipt { id: id(number), status: ReceiptStatus::Stored }
}

impl Chain {
    pub fn start() -> Self {
        Self::start_in(World::stopped())
    }

    fn start_in(mut world: World) -> Self {
        let broker = Broker::start(world.folder.path());
        world.config.mqtt.port = broker.port;
        world.start();
        let chain = Self { world, broker };
        chain.wait_ready();
        chain
    }

    fn wait_ready(&self) {
        let until = Instant::now() + PATIENCE;
        while !self.world.health().is_ready() {
            assert!(Instant::now() < until, "{:?}", self.world.health().report());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A device with papers, enrolled with the key that is returned.
    pub fn device(&self, name: &str) -> Device {
        let keys = seal::generate(&mut rand::rng());
        self.world.add_device(name, &keys.1.to_hex());
        self.connect(name, keys)
    }

    fn connect(&self, name: &str, keys: (PrivateKey, PublicKey)) -> Device {
        self.world.papers.issue(name, ExtendedKeyUsagePurpose::ClientAuth);
        let gateway = gateway::identity::load(&self.world.config.identity.hpke_key).unwrap().public();
        let connect = Device::connect(&self.world.papers, name, self.broker.port, keys, gateway);
        self.world.runtime.block_on(connect)
    }

    fn count(&self) -> i64 {
        self.world.runtime.block_on(self.world.store.count_results(&Sites::All, &Filter::default())).unwrap()
    }

    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.world.runtime.block_on(future)
    }

    fn sql(&self, statement: &'static str) {
        self.run(sqlx::query(statement).execute(self.world.store.pool())).unwrap();
    }

    /// Reason, message, and 1 where it was stored since.
    fn dead_letters(&self) -> Vec<(String, Option<String>, i64)> {
        let rows = self.run(self.world.store.dead_letters(&Sites::All, None, 10)).unwrap();
        rows.into_iter().map(|row| (row.reason, row.message, row.stored)).collect()
    }

    fn rejections(&self) -> Vec<(String, String)> {
        let rows = self.run(self.world.store.audit_page(&Sites::All, None, 100)).unwrap();
        rows.into_iter().filter(|row| row.action == "message.rejected").map(|row| (row.actor, row.detail)).collect()
    }
}

#[test]
fn a_sealed_result_becomes_one_row_and_one_receipt_and_a_replay_gets_the_same() {
    let chain = Chain::start();
    let mut device = chain.device("demo-1");
    let message = device.prepare(Up::Result, id(1), &samples::read(0.9, 0));
    for attempt in 1..=3 {
        chain.run(device.publish(&message));
        assert_eq!(chain.run(device.receipt()), stored(1), "attempt {attempt}");
        assert_eq!(chain.count(), 1, "attempt {attempt}");
    }
    let name = result::id(&"demo-1".parse().unwrap(), id(1));
    let row = chain.run(chain.world.store.result(&Sites::All, name)).unwrap().unwrap();
    assert_eq!(row.decoded().unwrap(), samples::read(0.9, 0));
    let metrics = chain.world.stranger().get("/metrics").text();
    for line in [
        r#"pneumonia_predictions_total{finding="positive"}"#,
        r#"predictions_total{model_version="1.0.0",status="read"}"#,
        "model_inference_duration_seconds_bucket",
        "ingest_replays_total",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[test]
fn a_result_in_the_place_of_another_hides_it_whichever_comes_first_and_no_device_hides_anothers() {
    let chain = Chain::start();
    let (mut device, mut other) = (chain.device("demo-1"), chain.device("demo-2"));
    let read = |supersedes| ResultV1 { supersedes: Some(id(supersedes)), ..samples::read(0.9, 0) };
    // 2 stands in the place of 1, 4 in that of 3, which is slower; 5 would stand in its own.
    for (number, result) in
        [(1, samples::abstained(0)), (2, read(1)), (4, read(3)), (3, samples::abstained(0)), (5, read(5))]
    {
        chain.run(device.send(Up::Result, id(number), &result));
        assert_eq!(chain.run(device.receipt()), stored(number));
    }
    chain.run(other.send(Up::Result, id(6), &read(2)));
    assert_eq!(chain.run(other.receipt()), stored(6));
    let name = |device: &str, number| result::id(&device.parse().unwrap(), id(number)).to_string();
    let shown =
        chain.run(chain.world.store.results(&Sites::All, &Filter::default(), Order::default(), None, 10)).unwrap();
    let shown: HashSet<String> = shown.into_iter().map(|row| row.id).collect();
    let expected = [("demo-1", 2), ("demo-1", 4), ("demo-1", 5), ("demo-2", 6)];
    assert_eq!(shown, expected.into_iter().map(|(device, number)| name(device, number)).collect());
    assert_eq!(chain.count(), 4);
    let hidden = result::id(&"demo-1".parse().unwrap(), id(1));
    assert!(chain.run(chain.world.store.result(&Sites::All, hidden)).unwrap().is_some(), "it is kept");
    let client = chain.world.client("ada", gateway::auth::roles::Role::Reviewer);
    let page = |number| client.get(&format!("/api/v1/results/{}", name("demo-1", number))).json();
    let (before, after) = (page(1), page(2));
    assert_eq!((&before["replaced_by"], &after["replaces"]), (&after["id"], &before["id"]));
    assert_eq!((&before["replaces"], &after["replaced_by"]), (&serde_json::Value::Null, &serde_json::Value::Null));
}

#[test]
fn an_image_may_arrive_before_its_result() {
    let chain = Chain::start();
    let mut device = chain.device("demo-1");
    chain.run(device.send(Up::Image, id(2), &samples::image(id(1))));
    assert_eq!(chain.run(device.receipt()), stored(2));
    chain.run(device.send(Up::Result, id(1), &samples::read(0.9, 0)));
    assert_eq!(chain.run(device.receipt()), stored(1));
    let name = result::id(&"demo-1".parse().unwrap(), id(1));
    let client = chain.world.client("ada", gateway::auth::roles::Role::Reviewer);
    let shown = client.get(&format!("/api/v1/results/{name}")).json();
    assert_eq!((&shown["has_image"], &shown["image"]["offset"]), (&true.into(), &(-1024).into()));
    assert_eq!(shown["image"]["voi"]["lut_first"], -5);
    assert_eq!(client.get(&format!("/api/v1/results/{name}/image")).bytes, [1, 0, 2, 0, 3, 0, 255, 15]);
    assert_eq!(client.get(&format!("/api/v1/results/{name}/saliency")).bytes, [0, 128, 255]);
    assert_eq!(client.get(&format!("/api/v1/results/{name}/voi-lut")).bytes, [0, 0, 255, 15]);
}

#[test]
fn a_device_cannot_give_a_picture_to_another_devices_result() {
    let chain = Chain::start();
    let (mut victim, mut other) = (chain.device("demo-1"), chain.device("demo-2"));
    chain.run(victim.send(Up::Result, id(1), &samples::read(0.9, 0)));
    assert_eq!(chain.run(victim.receipt()), stored(1));
    chain.run(other.send(Up::Image, id(2), &samples::image(id(1))));
    assert_eq!(chain.run(other.receipt()), stored(2));
    let name = result::id(&"demo-1".parse().unwrap(), id(1));
    assert_eq!(chain.run(chain.world.store.image(&Sites::All, name)).unwrap(), None);
}

#[test]
fn only_what_was_opened_is_rejected_and_what_is_wrong_is_audited_once_and_blocks_nobody() {
    let chain = Chain::start();
    let mut device = chain.device("demo-1");
    let good = |number| device.prepare(Up::Result, id(number), &samples::read(0.9, 0));
    let mut tampered = good(1);
    let last = tampered.payload.len() - 1;
    tampered.payload[last] ^= 1;
    let mut impostor = good(2);
    impostor.properties[2].1 = "/devices/demo-2".into();
    let mut moved = good(3);
    moved.properties[1].1 = id(4).to_string();
    let implausible = device.prepare(Up::Result, id(5), &ResultV1 { site: "a\0b".into(), ..samples::read(0.9, 0) });
    let not_a_result = device.prepare(Up::Result, id(6), &"nonsense");
    // The last is what the device sends again after somebody on the way damaged the first: it must still be welcome.
    let messages = [tampered.clone(), impostor, moved, implausible, not_a_result, tampered, good(7), good(1)];
    chain.run(async {
        for message in &messages {
            device.publish(message).await;
        }
    });
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(chain.run(device.receipt()));
    }
    assert_eq!(chain.run(device.receipt_within(SILENCE)), None, "what did not open was answered");
    let rejected: HashSet<MessageId> = answers
        .iter()
        .filter(|receipt| matches!(&receipt.status, ReceiptStatus::Rejected { reason } if !reason.is_empty()))
        .map(|receipt| receipt.id)
        .collect();
    assert_eq!(rejected, HashSet::from([id(5)]));
    assert!(answers.contains(&stored(7)) && answers.contains(&stored(1)));
    assert_eq!(chain.count(), 2);
    let mut reasons: Vec<_> = chain
        .rejections()
        .into_iter()
        .map(|(actor, detail)| {
            assert_eq!(actor, "device:demo-1");
            detail.split(':').next().unwrap().to_owned()
        })
        .collect();
    reasons.sort();
    assert_eq!(reasons, ["implausible", "other_device", "seal", "seal", "undecodable"]);
    assert!(chain.run(chain.world.store.verify_audit()).unwrap().is_ok());
}

#[test]
fn a_device_that_is_not_enrolled_gets_no_receipt_until_it_is() {
    let chain = Chain::start();
    let keys = seal::generate(&mut rand::rng());
    let mut device = chain.connect("demo-9", keys.clone());
    let message = device.prepare(Up::Result, id(1), &samples::read(0.9, 0));
    chain.run(device.publish(&message));
    assert_eq!(chain.run(device.receipt_within(SILENCE)), None);
    assert_eq!(chain.count(), 0);
    assert_eq!(chain.rejections().len(), 1);
    chain.world.add_device("demo-9", &keys.1.to_hex());
    chain.run(device.publish(&message));
    assert_eq!(chain.run(device.receipt()), stored(1));
}

#[test]
fn the_broker_keeps_a_device_to_its_own_topics() {
    let chain = Chain::start();
    let mut device = chain.device("demo-1");
    chain.world.add_device("demo-2", "00");
    let mut message = device.prepare(Up::Result, id(1), &samples::read(0.9, 0));
    message.topic = "hilum/v1/demo-2/up/result".into();
    chain.run(device.publish(&message));
    assert_eq!(chain.run(device.receipt_within(SILENCE)), None);
    assert!(chain.rejections().is_empty(), "it reached the gateway");
}

#[test]
fn there_is_no_receipt_before_the_commit() {
    let chain = Chain::start();
    let mut device = chain.device("demo-1");
    chain.sql("CREATE TRIGGER full BEFORE INSERT ON results BEGIN SELECT RAISE(ABORT, 'disk full'); END");
    let message = device.prepare(Up::Result, id(1), &samples::read(0.9, 0));
    chain.run(device.publish(&message));
    assert_eq!(chain.run(device.receipt_within(SILENCE)), None);
    assert_eq!(chain.count(), 0);
    let aside = chain.dead_letters();
    assert_eq!(aside, [("not_stored".to_owned(), Some(id(1).to_string()), 0)], "it is told, and nothing is lost");

    chain.sql("DROP TRIGGER full");
    // What the device does when no receipt comes.
    chain.run(device.publish(&message));
    assert_eq!(chain.run(device.receipt()), stored(1));
    assert_eq!(chain.count(), 1);
    assert_eq!(chain.dead_letters(), [("not_stored".to_owned(), Some(id(1).to_string()), 1)], "stored since");
}

#[test]
fn one_message_that_the_database_will_not_have_holds_up_nobody_elses() {
    let chain = Chain::start();
    let mut device = chain.device("demo-1");
    chain.sql(
        "CREATE TRIGGER poison BEFORE INSERT ON results WHEN new.payload LIKE '%poison%'
         BEGIN SELECT RAISE(ABORT, 'no'); END",
    );
    let poison = ResultV1 { site: "poison".into(), ..samples::read(0.9, 0) };
    let (poison, sound) =
        (device.prepare(Up::Result, id(1), &poison), device.prepare(Up::Result, id(2), &samples::read(0.9, 0)));
    chain.run(async {
        device.publish(&poison).await;
        device.publish(&sound).await;
    });
    assert_eq!(chain.run(device.receipt()), stored(2));
    assert_eq!(chain.run(device.receipt_within(SILENCE)), None);
    assert_eq!(chain.count(), 1);
    // As a device does; each time it is the same letter, and the connection to the broker stays.
    for number in 3..=5 {
        chain.run(async {
            device.publish(&poison).await;
            device.send(Up::Result, id(number), &samples::read(0.9, 0)).await;
        });
        assert_eq!(chain.run(device.receipt()), stored(number));
    }
    assert_eq!(chain.dead_letters(), [("not_stored".to_owned(), Some(id(1).to_string()), 0)]);
    assert_eq!(chain.rejections().len(), 1, "once in the audit trail");
    let metrics = chain.world.stranger().get("/metrics").text();
    assert!(!metrics.contains("ingest_sessions_lost_total"), "others had to wait for a new connection");
}

#[test]
fn replicas_share_the_work_and_no_message_has_two_effects() {
    const N: u128 = 100;
    let database = tokio::runtime::Runtime::new().unwrap().block_on(fresh_postgres());
    let mut chain = Chain::start_in(World::stopped_on(Some(database)));
    chain.world.start_replica();
    let mut device = chain.device("demo-1");
    let mut waiting: HashSet<MessageId> = (1..=N).map(id).collect();
    chain.run(async {
        // Each message twice, so that both replicas are likely to hold the same one at the same time.
        for number in (1..=N).chain(1..=N) {
            device.send(Up::Result, id(number), &samples::read(0.9, 0)).await;
        }
    });
    // As a device does: what has no receipt after a while is sent again, for a connection that ends takes with it what it
    // had not acknowledged.
    let until = Instant::now() + PATIENCE;
    while !waiting.is_empty() {
        assert!(Instant::now() < until, "{} have no receipt", waiting.len());
        if let Some(receipt) = chain.run(device.receipt_within(Duration::from_secs(5))) {
            waiting.remove(&receipt.id);
            continue;
        }
        chain.run(async {
            for id in &waiting {
                device.send(Up::Result, *id, &samples::read(0.9, 0)).await;
            }
        });
    }
    assert_eq!(chain.count(), i64::try_from(N).unwrap());
}

#[test]
fn papers_that_the_broker_and_we_do_not_share_are_explained() {
    for (stranger, words) in [
        ("ca", "[mqtt] ca is not the authority of the broker's certificate"),
        ("pair", "the broker does not accept [mqtt] certificate"),
    ] {
        let mut world = World::stopped();
        let broker = Broker::start(world.folder.path());
        let elsewhere = tempfile::tempdir().unwrap();
        let theirs = Papers::new(elsewhere.path()).mqtt("gateway", broker.port);
        world.config.mqtt.port = broker.port;
        if stranger == "ca" {
            world.config.mqtt.ca = theirs.ca;
        } else {
            (world.config.mqtt.certificate, world.config.mqtt.key) = (theirs.certificate, theirs.key);
        }
        world.start();
        let until = Instant::now() + PATIENCE;
        loop {
            let told = world.health().report().parts["broker"].clone();
            if told.contains(words) {
                break;
            }
            assert!(Instant::now() < until, "{stranger}: {told}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn telemetry_is_kept_on_the_device() {
    let chain = Chain::start();
    let mut device = chain.device("demo-1");
    let state = TelemetryV1 { at_ms: 1, queue_depth: 7, ..TelemetryV1::default() };
    chain.run(device.send(Up::Telemetry, id(1), &state));
    assert_eq!(chain.run(device.receipt()), stored(1));
    let row = chain.run(chain.world.store.devices(&Sites::All)).unwrap().remove(0);
    assert_eq!(row.queue_depth, Some(7));
    assert!(row.last_seen_at.is_some());
}

#[test]
fn a_shadow_window_is_stored_once_and_one_that_does_not_add_up_is_refused_for_good() {
    let chain = Chain::start();
    let mut device = chain.device("demo-1");
    for _ in 0..2 {
        chain.run(device.send(Up::Shadow, id(1), &samples::shadow(10)));
        assert_eq!(chain.run(device.receipt()), stored(1));
    }
    let lie = wire::v1::ShadowV1 { both_positive: 2, ..samples::shadow(20) };
    chain.run(device.send(Up::Shadow, id(2), &lie));
    let refused = chain.run(device.receipt());
    assert!(matches!(&refused.status, ReceiptStatus::Rejected { reason } if reason.contains("pairs")), "{refused:?}");
    let windows = chain.run(chain.world.store.shadow_windows(&Sites::All, "demo-1", 10)).unwrap();
    assert_eq!(windows.len(), 1);
    assert_eq!(windows[0].decoded().unwrap(), samples::shadow(10));
}

#[test]
fn n_in_is_n_out_while_the_gateway_comes_and_goes() {
    const N: u128 = 200;
    let mut chain = Chain::start();
    let mut device = chain.device("demo-1");
    let mut waiting: HashSet<MessageId> = (1..=N).map(id).collect();
    for round in 0.. {
        assert!(round < 50, "{} messages never got their receipt", waiting.len());
        chain.run(async {
            for number in &waiting {
                device.send(Up::Result, *number, &samples::read(0.9, 0)).await;
            }
            while let Some(receipt) = device.receipt_within(Duration::from_millis(300)).await {
                assert_eq!(receipt.status, ReceiptStatus::Stored);
                waiting.remove(&receipt.id);
                // The first two rounds end in the middle.
                if round < 2 && waiting.len() < 150 - 50 * round {
                    break;
                }
            }
        });
        if waiting.is_empty() {
            break;
        }
        if round < 2 {
            chain.world.stop();
            chain.world.start();
            chain.wait_ready();
        }
    }
    assert_eq!(chain.count(), i64::try_from(N).unwrap());
}
