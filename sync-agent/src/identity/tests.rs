use super::*;
use rcgen::{CertificateParams, DistinguishedName, DnType, SanType};
use std::os::unix::fs::PermissionsExt;
use wire::enrolment::sealing_key_name;

/// An answer to this folder's waiting keys; `sealing` where the certificate keeps the old sealing key.
fn answer(folder: &IdentityFolder, sealing: Option<&PublicKey>) -> Enrolment {
    let pair = folder.next_tls().unwrap();
    let waiting = sealing.is_none().then(|| folder.next_sealing().unwrap().public());
    let key = sealing.or(waiting.as_ref()).unwrap().to_hex();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "demo-1");
    params.subject_alt_names = vec![SanType::URI(sealing_key_name(&key).try_into().unwrap())];
    let certificate = params.self_signed(&pair).unwrap().pem();
    Enrolment {
        schema: SCHEMA,
        device: "demo-1".parse().unwrap(),
        site: "lab".into(),
        authorities: certificate.clone(),
        certificate,
        gateway_sealing_key: key,
        renewal: None,
    }
}

fn fresh() -> (tempfile::TempDir, IdentityFolder) {
    let place = tempfile::tempdir().unwrap();
    let folder = IdentityFolder(place.path().join("identity"));
    (place, folder)
}

/// Whether key and certificate in force belong together, and who it is.
fn in_force(folder: &IdentityFolder) -> String {
    let identity = folder.load().unwrap();
    let pair = KeyPair::from_pem(&identity.tls_key).unwrap();
    assert_eq!(pair.der_bytes(), identity.certificate.public_key);
    assert_eq!(identity.sealing_public.to_hex(), identity.certificate.sealing_key);
    identity.enrolment.certificate
}

fn files(folder: &Path) -> Vec<String> {
    let mut found = names(folder).unwrap();
    found.sort();
    found
}

#[test]
fn waiting_keys_are_made_once_and_kept_private() {
    let (_place, folder) = fresh();
    let (tls, sealing) = (folder.next_tls().unwrap(), folder.next_sealing().unwrap());
    assert_eq!(folder.next_tls().unwrap().der_bytes(), tls.der_bytes());
    assert_eq!(*folder.next_sealing().unwrap().to_hex(), *sealing.to_hex());
    let waiting = files(&folder.0.join("next"));
    assert_eq!(waiting.len(), 2);
    for name in waiting {
        let mode = std::fs::metadata(folder.0.join("next").join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_new_certificate_takes_its_keys_along_and_the_old_ones_go() {
    let (_place, folder) = fresh();
    let first = answer(&folder, None);
    folder.put_in_force(&first).unwrap();
    assert_eq!(in_force(&folder), first.certificate);
    let sealing = folder.load().unwrap().sealing_public;
    let renewed = answer(&folder, Some(&sealing));
    folder.put_in_force(&renewed).unwrap();
    assert_eq!(in_force(&folder), renewed.certificate);
    assert_eq!(folder.load().unwrap().sealing_public.to_hex(), sealing.to_hex());
    assert!(files(&folder.0.join("next")).is_empty());
    assert_eq!(files(&folder.0).iter().filter(|name| is_key(name)).count(), 2);
    for name in files(&folder.0).iter().filter(|name| *name != "next") {
        assert_eq!(std::fs::metadata(folder.0.join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn another_devices_certificate_changes_nothing() {
    let ((_mine, mine), (_others, others)) = (fresh(), fresh());
    let theirs = answer(&others, None);
    assert!(matches!(mine.put_in_force(&theirs), Err(IdentityError::Foreign { .. })));
    assert!(mine.load().is_err());
    let own = answer(&mine, None);
    mine.put_in_force(&own).unwrap();
    assert!(matches!(mine.put_in_force(&theirs), Err(IdentityError::Foreign { .. })));
    assert_eq!(in_force(&mine), own.certificate);
}

/// What a power cut can leave of a change from one certificate to the next, in the order in which the steps are made
/// durable: after each of them one whole identity is in force, and asking again ends with the new one and nothing else.
#[test]
fn after_a_power_cut_at_any_step_one_whole_identity_is_in_force() {
    type Step = fn(&IdentityFolder, &Enrolment);
    let half = |folder: &IdentityFolder, name: &str| std::fs::write(folder.0.join(name), "{\"sche").unwrap();
    let steps: [(&str, bool, Step); 6] = [
        ("the key was made", false, |_, _| ()),
        ("a key is half laid ready", false, |folder, _| {
            std::fs::write(folder.0.join("tls-0011223344556677.new"), "-----BEG").unwrap();
        }),
        ("the keys are laid ready", false, |folder, new| folder.lay_keys_ready(new).unwrap()),
        ("the answer is half written", false, |folder, new| {
            folder.lay_keys_ready(new).unwrap();
            std::fs::write(folder.0.join("enrolment.new"), "{\"sche").unwrap();
        }),
        ("the answer is in its place", true, |folder, new| {
            folder.lay_keys_ready(new).unwrap();
            write_private(&folder.enrolment(), &serde_json::to_string(new).unwrap()).unwrap();
        }),
        ("everything is swept", true, |folder, new| folder.put_in_force(new).unwrap()),
    ];
    for (step, switched, until) in steps {
        let (_place, folder) = fresh();
        folder.put_in_force(&answer(&folder, None)).unwrap();
        let old = in_force(&folder);
        let sealing = folder.load().unwrap().sealing_public;
        let new = answer(&folder, Some(&sealing));
        until(&folder, &new);
        assert_eq!(in_force(&folder) == new.certificate, switched, "{step}");
        assert_eq!(in_force(&folder) == old, !switched, "{step}");
        // Started again, the device asks again: with the key that waits, unless its certificate is in force already.
        half(&folder, "tls-8899aabbccddeeff.new");
        let again = answer(&folder, Some(&sealing));
        let same_key = |a: &Enrolment, b: &Enrolment| {
            Certificate::read(&a.certificate).unwrap().public_key
                == Certificate::read(&b.certificate).unwrap().public_key
        };
        assert_eq!(same_key(&again, &new), !switched, "{step}");
        folder.put_in_force(&again).unwrap();
        assert_eq!(in_force(&folder), again.certificate, "{step}");
        assert_eq!(files(&folder.0).len(), 4, "{step}: {:?}", files(&folder.0));
        assert!(files(&folder.0.join("next")).is_empty(), "{step}");
    }
}

#[test]
fn a_request_that_was_carried_away_survives_a_renewal_in_between() {
    let (_place, folder) = fresh();
    folder.put_in_force(&answer(&folder, None)).unwrap();
    let sealing = folder.load().unwrap().sealing_public;
    let carried = answer(&folder, None);
    folder.put_in_force(&answer(&folder, Some(&sealing))).unwrap();
    folder.put_in_force(&carried).unwrap();
    assert_eq!(in_force(&folder), carried.certificate);
}

#[test]
fn a_missing_answer_names_the_command_that_brings_it() {
    let (_place, folder) = fresh();
    let words = folder.load().err().unwrap().to_string();
    assert!(words.contains("hilum-sync-agent enrol"), "{words}");
}

#[test]
fn a_key_is_taken_up_on_the_word_of_the_one_before_it_and_on_no_older_ones() {
    let (_place, folder) = fresh();
    let first = answer(&folder, None);
    folder.put_in_force(&first).unwrap();
    let [second, third] = [(); 2].map(|()| seal::generate(&mut rand::rng()).1);
    let enrolled = PublicKey::from_hex(&first.gateway_sealing_key).unwrap();
    assert!(folder.take_up(&enrolled, "no key").is_err());
    assert!(
        folder.take_up(&enrolled, &second.to_hex()).unwrap() && !folder.take_up(&enrolled, &third.to_hex()).unwrap()
    );
    let believes = |newest: &PublicKey, before: Option<&PublicKey>| {
        let identity = folder.load().unwrap();
        identity.gateway == *newest && identity.gateway_before.as_ref() == before
    };
    assert!(believes(&second, Some(&enrolled)));
    assert!(folder.take_up(&second, &third.to_hex()).unwrap() && !folder.take_up(&third, &third.to_hex()).unwrap());
    assert!(believes(&third, Some(&second)));
    // A renewal at a replica that does not know better changes nothing; one that does speaks for itself.
    let sealing = folder.load().unwrap().sealing_public;
    let of = |key: &PublicKey| Enrolment { gateway_sealing_key: key.to_hex(), ..answer(&folder, Some(&sealing)) };
    folder.put_in_force(&of(&enrolled)).unwrap();
    assert!(believes(&third, Some(&second)));
    folder.put_in_force(&of(&third)).unwrap();
    assert!(believes(&third, None));
    std::fs::write(folder.0.join("gateway-key.json"), "half").unwrap();
    assert!(believes(&third, None));
}
