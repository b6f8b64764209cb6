//! Values that stand in for those that are missing or unusable, so that the rest of the file can still be read and judged.
//! Whatever was read with one of them is never given to anybody.

use serde::de::value::SeqDeserializer;
use serde::de::{Error, Visitor};

use super::fault::Fault;

/// One of the values to try.
enum Candidate {
    Text(&'static str),
    Number(i64),
    Truth,
    List,
}

/// What the types of a configuration can be made of. The texts: names, addresses, numbers with dots, a service's address, a
/// URL. 1 suits most rules about numbers; 0 is for those that want nothing.
const CANDIDATES: [Candidate; 11] = [
    Candidate::Text("A"),
    Candidate::Number(1),
    Candidate::Truth,
    Candidate::List,
    Candidate::Text("a"),
    Candidate::Text("127.0.0.1"),
    Candidate::Text("127.0.0.1:1"),
    Candidate::Text("1.2.3"),
    Candidate::Text("A@127.0.0.1:1"),
    Candidate::Text("http://127.0.0.1/"),
    Candidate::Number(0),
];

/// How many there are to try.
pub(super) const TRIES: usize = CANDIDATES.len();

/// Offers the n-th.
pub(super) fn offer<'de, V: Visitor<'de>>(number: usize, visitor: V) -> Result<V::Value, Fault> {
    match CANDIDATES.get(number) {
        Some(Candidate::Text(text)) => visitor.visit_str(text),
        Some(Candidate::Number(number)) => visitor.visit_i64(*number),
        Some(Candidate::Truth) => visitor.visit_bool(false),
        Some(Candidate::List) => visitor.visit_seq(SeqDeserializer::<_, Fault>::new(std::iter::empty::<i64>())),
        None => Err(Fault::custom("nothing suits")),
    }
}
