//! A receipt deletes a row, so whoever can forge one can make a device forget a finding. Here somebody has the gateway's
//! certificate, and with it every right at the broker, but not the key that receipts are sealed with.

#![cfg(test)]

use std::path::PathBuf;

use lab::courier::{Courier, Papers, Parcel};
use lab::house::House;
use lab::modality::{self, Modality};
use lab::{api, journal, patience};
use uuid::Uuid;
use wire::ids::{DeviceId, MessageId};
use wire::seal;
use wire::topics::{Down, Topic};
use wire::v1::receipt::{Receipt, ReceiptStatus, ReceiptV1};

const FILMS: usize = 2;

#[test]
fn a_receipt_that_the_gateway_did_not_seal_deletes_nothing() {
    let mut house = House::for_test("forged-receipts").unwrap();
    house.hospital.start_appliance().unwrap();
    house.hospital.start_agent().unwrap();
    let files = modality::draw(&house.folder.join("images"), FILMS, 17).unwrap();
    let answers = Modality::known(house.hospital.plan.dicom_port).send_all(&files).unwrap();
    assert!(answers.iter().all(modality::Answer::is_accepted));
    let outbox = house.hospital.outbox();
    let entries = patience::until("both films to be read", patience::BATCH, || {
        let entries = journal::entries(&outbox)?;
        Ok((entries.len() == FILMS && entries.iter().all(|entry| entry.result.is_some())).then_some(entries))
    })
    .unwrap();
    let waiting = journal::waiting(&outbox).unwrap();

    let device: DeviceId = house.hospital.plan.device.parse().unwrap();
    let ids = entries.iter().map(|entry| Uuid::try_parse(entry.result.as_deref().unwrap()).unwrap());
    let receipts = ids.map(|id| Receipt { id: MessageId(id), status: ReceiptStatus::Stored }).collect();
    let plain = wire::codec::encode(&ReceiptV1 { receipts, gateway_key: None }).unwrap();
    let forgeries = [plain.clone(), sealed_by_a_stranger(&plain, &device, &house), b"{}".to_vec()];
    for forgery in &forgeries {
        publish(&house, &Topic::Down(device.clone(), Down::Receipt).to_string(), forgery);
    }
    patience::until("the sync-agent to refuse all of them", patience::START, || {
        let (_, metrics) = api::text(&format!("http://127.0.0.1:{}/metrics", house.hospital.plan.agent_port))?;
        let refused = format!("sync_receipts_refused_total {}", forgeries.len());
        Ok(metrics.lines().any(|line| line == refused).then_some(()))
    })
    .unwrap();
    assert_eq!(journal::waiting(&outbox).unwrap(), waiting, "a forged receipt moved the outbox");

    // The real gateway's receipts still count.
    house.cloud.start().unwrap();
    house.wait_until_drained(FILMS).unwrap();
}

/// Everything right but the key: sealed to this very device, bound as receipts are.
fn sealed_by_a_stranger(plain: &[u8], device: &DeviceId, house: &House) -> Vec<u8> {
    let identity = std::fs::read_dir(house.hospital.identity()).unwrap().flatten().map(|entry| entry.path());
    let of_sealing = |file: &PathBuf| file.file_name().unwrap().to_string_lossy().starts_with("sealing-");
    let key = std::fs::read_to_string(identity.into_iter().find(of_sealing).unwrap()).unwrap();
    let to = seal::PrivateKey::from_hex(&key).unwrap().public();
    let mut rng = rand::rng();
    let (private, public) = seal::generate(&mut rng);
    let sealed = seal::seal(plain, &seal::receipt_binding(device), &to, (&private, &public), &mut rng);
    sealed.unwrap().to_bytes().unwrap()
}

/// Publishes with the gateway's own certificate.
fn publish(house: &House, topic: &str, payload: &[u8]) {
    let courier = Courier::new(house, "forger", Some(Papers::of(&house.authority, "gateway")));
    let parcel = Parcel { payload: payload.to_vec(), ..Parcel::empty(topic) };
    let done = courier.publish(&parcel).unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
