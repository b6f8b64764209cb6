//! Enrolment, configurations and rows of a device's database.

use rcgen::string::Ia5String;
use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ED25519, SanType};
use wire::enrolment::sealing_key_name;
use wire::{est, seal};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::models::repository;
use super::{Seeds, viewed};

pub(crate) fn config() -> Seeds {
    vec![
        ("appliance", viewed(0, repository("packaging/systemd/appliance.toml"))),
        ("gateway", viewed(1, repository("cloud-gateway/gateway.example.toml"))),
        ("sync_agent", viewed(2, repository("packaging/systemd/sync-agent.toml"))),
        ("no_table", viewed(0, "[dicom\nlisten = \n[[dicom.allow]]\nae_title = \"TOO-LONG-FOR-A-TITLE\"\n")),
    ]
}

pub(crate) fn est() -> Seeds {
    let (_, public) = seal::generate(&mut ChaCha20Rng::seed_from_u64(1));
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::CommonName, "demo-1");
    parameters.subject_alt_names = vec![SanType::URI(Ia5String::try_from(sealing_key_name(&public.to_hex())).unwrap())];
    let request = parameters.serialize_request(&key).unwrap();
    let certificate = parameters.self_signed(&key).unwrap();
    let bag = est::certs_only([certificate.der().as_ref()]).unwrap();
    // GeneralNames with one URI, RFC 5280 section 4.2.1.6.
    let name = sealing_key_name(&public.to_hex());
    let names = [&[0x30, name.len() as u8 + 2, 0x86, name.len() as u8][..], name.as_bytes()].concat();
    vec![
        ("body", viewed(0, est::to_body(request.der()))),
        ("certificates", viewed(1, bag)),
        ("request_der", viewed(2, request.der())),
        ("request_pem", viewed(3, request.pem().unwrap())),
        ("request_signed", viewed(4, [&b"demo-1\0"[..], &names].concat())),
        ("token", viewed(5, "abcde-fghij-kmnpq-rstuv-wxyz2")),
        ("basic", viewed(5, "Basic ZGVtby0xOmFiY2RlLWZnaGlqLWttbnBxLXJzdHV2LXd4eXoy")),
        ("bearer", viewed(5, "Bearer abcde-fghij-kmnpq-rstuv-wxyz2")),
    ]
}

/// Rows in the target's own form: the table's number, then for each column a byte and what that byte asks for.
pub(crate) fn outbox() -> Seeds {
    // Small integers are written 8 over; texts by the number of their word; ids and digests by length and one byte.
    let (one, result, image, pacs, text, read) = (9, 10, 11, 13, 14, 15);
    let instance = |state| [0, one, text, 32, 1, text, pacs, 18, 20, 0, state, 9, 16, 1, text, 8, 10].to_vec();
    let message = |kind, state| [1, one, 16, 1, kind, 9, 20, 0, state, 0, 8, one, 2, one, 4, 1, 2, 3, 4].to_vec();
    let rejected = [7, one, 16, 1, image, 9, one, 20, 0, 8, text, 4, 1, 2, 3, 4].to_vec();
    let delivery = |state| [5, one, one, pacs, read, text, 9, state, 18, 19, 8, 8, 8, text, 0].to_vec();
    let ledger = [6, one, 20, text, text, text, read, text, 18, 0].to_vec();
    let commitment = [3, one, text, pacs, text, 36, b'1', b' ', b'2', b'\n', 18, 8, 8].to_vec();
    vec![
        ("images", [instance(3), instance(4)].concat()),
        ("messages", message(result, 0)),
        ("leased", message(image, 1)),
        ("rejected", rejected),
        ("unknown_kind", message(text, 0)),
        ("deliveries", [instance(4), delivery(6), ledger].concat()),
        ("commitments", commitment),
    ]
}
