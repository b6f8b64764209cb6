//! Where the next page begins, as an opaque text. Pure.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::problem::Problem;
use crate::domain::when::UnixMs;
use crate::domain::work_list::{Order, Sort};
use crate::store::refusals::AfterLetter;
use crate::store::work_list::After;

/// Entries on a page where the client doesn't say.
pub const DEFAULT_LIMIT: u32 = 50;

/// Most entries on a page.
pub const MAX_LIMIT: u32 = 200;

/// The number of entries asked for.
///
/// # Errors
/// 400 outside 1 to [`MAX_LIMIT`].
pub fn limit(asked: Option<u32>) -> Result<i64, Problem> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit.into()),
        _ => Err(Problem::bad_request(format!("limit must be 1 to {MAX_LIMIT}."))),
    }
}

/// Writes a result's place in an order; numbers bit for bit, since "after" must mean after exactly this one.
#[must_use]
pub fn after_result(order: Order, after: &After) -> String {
    let way = if order.reverse { "reverse" } else { "" };
    let text =
        [order.sort.as_str(), way, &after.received_at.to_string(), &after.id, &Sort::write(&after.key)].join("/");
    URL_SAFE_NO_PAD.encode(text)
}

/// Reads [`after_result`] back.
///
/// # Errors
/// 400 for a text of another origin or order.
pub fn result(order: Order, cursor: &str) -> Result<After, Problem> {
    let parse = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let mut parts = text.splitn(5, '/');
        let (sort, reverse) = (parts.next()?, parts.next()? == "reverse");
        let received_at = parts.next()?.parse().ok()?;
        let id: uuid::Uuid = parts.next()?.parse().ok()?;
        let key = order.sort.read(parts.next()?)?;
        let same = sort == order.sort.as_str() && reverse == order.reverse;
        same.then(|| After { key, received_at, id: id.to_string() })
    };
    parse().ok_or_else(foreign)
}

/// Writes the place of a study in a list that is sorted by when it was received.
#[must_use]
pub fn after_study(received_at: UnixMs, id: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{received_at}.{id}"))
}

/// Reads [`after_study`] back.
///
/// # Errors
/// 400 for a text of another origin.
pub fn study(cursor: &str) -> Result<(UnixMs, String), Problem> {
    let parse = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (received_at, id) = text.split_once('.')?;
        let id: uuid::Uuid = id.parse().ok()?;
        Some((received_at.parse().ok()?, id.to_string()))
    };
    parse().ok_or_else(foreign)
}

/// Writes an audit entry's place.
#[must_use]
pub fn after_entry(sequence: i64) -> String {
    URL_SAFE_NO_PAD.encode(sequence.to_string())
}

/// Reads [`after_entry`] back.
///
/// # Errors
/// 400 for a text of another origin.
pub fn entry(cursor: &str) -> Result<i64, Problem> {
    let parse = || String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?.parse().ok();
    parse().ok_or_else(foreign)
}

/// Writes a refusal's place.
#[must_use]
pub fn after_letter(last_at: i64, fingerprint: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{last_at}.{fingerprint}"))
}

/// Reads [`after_letter`] back.
///
/// # Errors
/// 400 for a text of another origin.
pub fn letter(cursor: &str) -> Result<AfterLetter, Problem> {
    let parse = || {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (last_at, fingerprint) = text.split_once('.')?;
        let is_plain = fingerprint.chars().all(|c| c.is_ascii_hexdigit());
        let after = AfterLetter { last_at: last_at.parse().ok()?, fingerprint: fingerprint.to_owned() };
        is_plain.then_some(after)
    };
    parse().ok_or_else(foreign)
}

fn foreign() -> Problem {
    Problem::bad_request("cursor must be a next_cursor of this list; begin again without one.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::work_list::Key;

    proptest::proptest! {
        #[test]
        fn every_place_survives_the_round_trip(number in -1.0..=1.0f64, whole: i64, text in "[^\\x00]*", id: u128, reverse: bool) {
            for sort in Sort::ALL {
                let key = match sort {
                    Sort::Priority | Sort::Probability => Key::Number(number),
                    Sort::Age | Sort::Received => Key::Whole(whole),
                    Sort::Site | Sort::Model => Key::Text(text.clone()),
                };
                let (order, id) = (Order { sort, reverse }, uuid::Uuid::from_u128(id).to_string());
                let after = After { key, received_at: whole, id };
                assert_eq!(result(order, &after_result(order, &after)).unwrap(), after);
                let turned = Order { sort, reverse: !reverse };
                assert!(result(turned, &after_result(order, &after)).is_err(), "a place of another order");
            }
            let id = uuid::Uuid::from_u128(id).to_string();
            assert_eq!(study(&after_study(whole, &id)).unwrap(), (whole, id));
        }

        #[test]
        fn any_text_is_answered_without_a_panic(text: String) {
            let _ = (result(Order::default(), &text), entry(&text), study(&text), letter(&text));
        }
    }

    #[test]
    fn the_limit_is_bounded() {
        assert_eq!(limit(None).unwrap(), 50);
        assert_eq!(limit(Some(200)).unwrap(), 200);
        assert!(limit(Some(0)).is_err());
        assert!(limit(Some(201)).is_err());
        assert_eq!(entry(&after_entry(7)).unwrap(), 7);
    }
}
