//! Time and randomness, handed to the rooms as values so that what they decide can be tested.

use time::OffsetDateTime;
use uuid::Uuid;

/// Where the clock and the dice come from. Two function pointers: cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct World {
    /// Milliseconds since the Unix epoch.
    pub now_ms: fn() -> i64,
    /// 128 random bits.
    pub random: fn() -> [u8; 16],
}

impl World {
    /// The machine's own clock and generator.
    #[must_use]
    pub fn real() -> Self {
        Self { now_ms, random: rand::random }
    }

    /// A new `UUIDv7`: sorts by time of making.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        uuid_v7((self.now_ms)(), (self.random)())
    }

    /// The start of a new trace.
    #[must_use]
    pub fn trace(&self) -> String {
        traceparent((self.random)(), (self.random)())
    }
}

fn now_ms() -> i64 {
    // Within i64 for the next 292 million years.
    (OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000) as i64
}

/// RFC 9562, 5.7: 48 bits of milliseconds, then random bits.
fn uuid_v7(ms: i64, random: [u8; 16]) -> Uuid {
    let [a, b, c, d, e, f, g, h, i, j, ..] = random;
    uuid::Builder::from_unix_timestamp_millis(ms.unsigned_abs(), &[a, b, c, d, e, f, g, h, i, j]).into_uuid()
}

/// W3C Trace Context, 3.2: version 00, a trace, a parent, sampled. Ids of all zeros are invalid, hence the last bit.
fn traceparent(mut trace: [u8; 16], mut parent: [u8; 16]) -> String {
    trace[15] |= 1;
    parent[7] |= 1;
    format!("00-{}-{}-01", hex::encode(trace), hex::encode(&parent[..8]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_carry_their_time_and_are_not_all_zero() {
        let id = uuid_v7(0x0001_0203_0405, [0xff; 16]);
        assert_eq!(id.to_string(), "00010203-0405-7fff-bfff-ffffffffffff");
        assert_eq!(traceparent([0; 16], [0; 16]), "00-00000000000000000000000000000001-0000000000000001-01");
    }
}
