//! Codes of an authenticator app (TOTP, RFC 6238) and the codes that stand in for a lost one. Pure: time and randomness
//! come in. It never stores a secret, and says of a code only whether it is right, and which one it is.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use data_encoding::{BASE32_NOPAD, Encoding};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::domain::when::UnixMs;

/// Bytes of a secret: what RFC 4226 section 4 recommends, and every app takes.
pub const SECRET_BYTES: usize = 20;

/// How long a code is shown, RFC 6238's default and the only one that every app takes.
const STEP_MS: i64 = 30_000;

/// Steps before and after the present one whose codes are taken, too: for a phone's clock and for slow typing (RFC 6238,
/// section 5.2).
const SLACK: i64 = 1;

/// 10 to the number of a code's digits.
const CODES: u32 = 1_000_000;

/// How many codes stand in for a lost app.
pub const RECOVERY_CODES: usize = 10;

/// Bytes of one: 80 bits, out of reach of guessing, so that a fast hash keeps it.
pub const RECOVERY_BYTES: usize = 10;

/// Characters between two hyphens, for the eye.
const GROUP: usize = 4;

/// What a phone and the gateway share. No `Debug`, so that it can't be logged.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Makes one of `random`.
    #[must_use]
    pub fn new(random: [u8; SECRET_BYTES]) -> Self {
        Self(Zeroizing::new(random.to_vec()))
    }

    /// Takes one that was kept; `None` where it can't be one.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let bytes = Zeroizing::new(bytes);
        (bytes.len() == SECRET_BYTES).then_some(Self(bytes))
    }

    /// To be kept, sealed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As it is typed into an app by hand: base32 (RFC 4648), 32 characters.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE32_NOPAD.encode(&self.0))
    }

    /// As an app reads it from a QR code, in the form that Google's app began with; `account` and `issuer` are shown there.
    #[must_use]
    pub fn uri(&self, issuer: &str, account: &str) -> Zeroizing<String> {
        let (issuer, account) = (escaped(issuer), escaped(account));
        let secret = self.text();
        Zeroizing::new(format!("otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}", *secret))
    }

    /// The step whose code this is, among those of now that come after `used`.
    #[must_use]
    pub fn step_of(&self, code: &str, now: UnixMs, used: i64) -> Option<i64> {
        let present = now.div_euclid(STEP_MS);
        (present - SLACK..=present + SLACK).filter(|step| *step > used && *step >= 0).find(|step| {
            let right = format!("{:06}", self.value(step.unsigned_abs()) % CODES);
            verify_slices_are_equal(right.as_bytes(), code.as_bytes()).is_ok()
        })
    }

    /// HOTP's number before it is cut to its digits (RFC 4226, section 5.3).
    fn value(&self, counter: u64) -> u32 {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &counter.to_be_bytes());
        let bytes = tag.as_ref();
        let offset = usize::from(bytes.last().copied().unwrap_or_default() & 0x0f);
        let four = bytes.iter().skip(offset).take(4);
        four.fold(0_u32, |value, byte| value << 8 | u32::from(*byte)) & 0x7fff_ffff
    }
}

/// A code that stands in for the app once, as it is shown: 16 characters of base32 in groups of four.
#[must_use]
pub fn recovery_code(random: [u8; RECOVERY_BYTES]) -> Zeroizing<String> {
    let text = Zeroizing::new(BASE32_NOPAD.encode(&random).to_lowercase());
    let groups: Vec<&str> = (0..text.len()).step_by(GROUP).filter_map(|at| text.get(at..at + GROUP)).collect();
    Zeroizing::new(groups.join("-"))
}

/// What is kept of one; `None` for what can't be one. Hyphens, spaces and case are a matter of taste.
#[must_use]
pub fn recovery_hash(username: &str, code: &str) -> Option<String> {
    let plain = Zeroizing::new(code.replace(['-', ' '], "").to_uppercase());
    let encoding: &Encoding = &BASE32_NOPAD;
    let bytes = Zeroizing::new(encoding.decode(plain.as_bytes()).ok()?);
    (bytes.len() == RECOVERY_BYTES).then(|| {
        let mut sha = Sha256::new();
        sha.update(b"recovery\0");
        sha.update(username.as_bytes());
        sha.update(b"\0");
        sha.update(&*bytes);
        hex::encode(sha.finalize())
    })
}

/// RFC 3986: everything but the unreserved characters.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_the_rfcs() -> Secret {
        Secret::new(*b"12345678901234567890")
    }

    /// RFC 4226, appendix D: "Truncated" in decimal.
    #[test]
    fn hotp_gives_the_numbers_of_its_rfc() {
        let numbers = [
            1_284_755_224,
            1_094_287_082,
            137_359_152,
            1_726_969_429,
            1_640_338_314,
            868_254_676,
            1_918_287_922,
            82_162_583,
            673_399_871,
            645_520_489,
        ];
        for (counter, number) in numbers.into_iter().enumerate() {
            assert_eq!(of_the_rfcs().value(counter as u64), number, "{counter}");
        }
    }

    /// RFC 6238, appendix B, SHA1: its eight digits' last six, and eight from the same number.
    #[test]
    fn totp_gives_the_codes_of_its_rfc() {
        for (second, code) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            let step: i64 = second / 30;
            assert_eq!(format!("{:08}", of_the_rfcs().value(step.unsigned_abs()) % 100_000_000), code);
            assert_eq!(of_the_rfcs().step_of(&code[2..], second * 1_000, 0), Some(step), "{second}");
        }
    }

    #[test]
    fn a_code_is_good_for_a_step_around_its_own_and_never_again_once_it_was_used() {
        let secret = of_the_rfcs();
        let (step, code) = (1_111_111_111 / 30, "050471");
        let at = step * STEP_MS;
        for (now, used, found) in [
            (at, 0, Some(step)),
            (at - STEP_MS, 0, Some(step)),
            (at + 2 * STEP_MS - 1, 0, Some(step)),
            (at - STEP_MS - 1, 0, None),
            (at + 2 * STEP_MS, 0, None),
            (at, step - 1, Some(step)),
            (at, step, None),
            (at, step + 1, None),
        ] {
            assert_eq!(secret.step_of(code, now, used), found, "{now} {used}");
        }
        for wrong in ["050472", "50471", "0050471", "050471 ", "", "٠٥٠٤٧١"] {
            assert_eq!(secret.step_of(wrong, at, 0), None, "{wrong:?}");
        }
        assert_eq!(secret.step_of(code, -1, i64::MIN), None, "before the epoch there is no step");
    }

    #[test]
    fn an_app_is_told_what_it_needs_in_its_own_form() {
        let secret = of_the_rfcs();
        assert_eq!(*secret.text(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(
            *secret.uri("Hilum", "ada@st mary"),
            "otpauth://totp/Hilum:ada%40st%20mary?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Hilum"
        );
        assert!(Secret::from_bytes(secret.as_bytes().to_vec()).is_some() && Secret::from_bytes(vec![1; 19]).is_none());
    }

    #[test]
    fn a_recovery_code_is_known_again_however_it_is_typed_and_only_of_its_account() {
        let code = recovery_code([7; RECOVERY_BYTES]);
        assert_eq!(*code, "a4dq-obyh-a4dq-obyh");
        let hash = recovery_hash("ada", &code);
        assert!(hash.is_some());
        for same in ["A4DQ-OBYH-A4DQ-OBYH", "a4dqobyha4dqobyh", " a4dq obyh a4dq obyh "] {
            assert_eq!(recovery_hash("ada", same), hash, "{same}");
        }
        assert_ne!(recovery_hash("eve", &code), hash);
        for none in ["", "123456", "a4dq-obyh-a4dq-oby", "a4dq-obyh-a4dq-oby1", "a4dq-obyh-a4dq-obyh-a4dq"] {
            assert_eq!(recovery_hash("ada", none), None, "{none}");
        }
    }
}
