//! Who is connected to the broker, as its log tells, and so who it was that a line speaks of. Pure; time is passed in.
//!
//! mosquitto's line about a failed handshake names nobody. It is one of those who were calling at that moment: where they all
//! have one address, that is it; else the address is not known.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use super::line::{Says, Tls, parse};
use super::refusal::{Refusal, Seen};
use crate::domain::when::UnixMs;

/// Callers that may be in the middle of their handshake at once; more, and the oldest is forgotten.
const CALLING: usize = 256;

/// How long a handshake may take, milliseconds; mosquitto itself waits some 30 s for a caller's first word.
const HANDSHAKE_MS: i64 = 30_000;

/// Clients that are remembered: more than one broker's devices. Beyond, a new one is not remembered, and told of without its name.
const CLIENTS: usize = 20_000;

/// The gateway's own name; its replicas share one certificate.
const GATEWAY: &str = "gateway";

/// Who is connected.
#[derive(Default)]
pub struct Watch {
    calling: VecDeque<(IpAddr, UnixMs)>,
    clients: HashMap<String, Client>,
    /// By address, the device that was last let in from there.
    last: HashMap<IpAddr, String>,
}

struct Client {
    from: IpAddr,
    name: String,
}

impl Watch {
    /// Takes a line in; what it tells of a refusal, if anything.
    pub fn read(&mut self, text: &str, now: UnixMs) -> Option<Seen> {
        let line = parse(text);
        let at = line.at.unwrap_or(now);
        self.calling.retain(|(_, since)| (at - since).abs() <= HANDSHAKE_MS);
        match line.says {
            Says::Calls(from) => {
                self.calling.push_back((from, at));
                if self.calling.len() > CALLING {
                    self.calling.pop_front();
                }
                None
            }
            Says::Enters { from, id, name } => self.enter(from, id, name, at),
            Says::Masked(from) => {
                self.came_through(from);
                Some(Seen { at, from: Some(from), device: None, refusal: Refusal::Masked })
            }
            Says::Handshake { why, from } => Some(self.handshake(why, from, at)),
            Says::Stranger(spoke_nonsense) => {
                let from = self.caller();
                self.calling.pop_front();
                spoke_nonsense.then_some(Seen { at, from, device: None, refusal: Refusal::Protocol })
            }
            Says::Leaves(rest) => {
                if let Some(id) = self.client(rest, " ").map(|(id, _)| id.to_owned()) {
                    self.clients.remove(&id);
                }
                None
            }
            Says::Denies(rest) => Some(self.denied(rest, at)),
            Says::Other(text) => self.subscribed(text, at),
        }
    }

    fn enter(&mut self, from: IpAddr, id: &str, name: &str, at: UnixMs) -> Option<Seen> {
        self.came_through(from);
        // The same client from the same place is one whose line broke.
        let twin = |(other, client): &(&String, &Client)| client.name == name && (*other != id || client.from != from);
        let first = self.clients.iter().find(twin).map(|(_, client)| client.from);
        if self.clients.len() < CLIENTS {
            self.clients.insert(id.to_owned(), Client { from, name: name.to_owned() });
        }
        if name == GATEWAY {
            return None;
        }
        if self.last.len() < CLIENTS || self.last.contains_key(&from) {
            self.last.insert(from, name.to_owned());
        }
        let refusal = Refusal::Doubled { id: id.to_owned(), first: first? };
        Some(Seen { at, from: Some(from), device: Some(name.to_owned()), refusal })
    }

    fn came_through(&mut self, from: IpAddr) {
        if let Some(place) = self.calling.iter().position(|(caller, _)| *caller == from) {
            self.calling.remove(place);
        }
    }

    fn handshake(&self, why: Tls, from: Option<IpAddr>, at: UnixMs) -> Seen {
        let from = from.or_else(|| self.caller());
        let last = from.and_then(|from| self.last.get(&from)).cloned();
        Seen { at, from, device: None, refusal: Refusal::Handshake { why, last } }
    }

    /// The address of all who are calling, where they have one.
    fn caller(&self) -> Option<IpAddr> {
        let (first, _) = self.calling.front()?;
        self.calling.iter().all(|(other, _)| other == first).then_some(*first)
    }

    /// `ID (d0, q1, r0, m1, 'TOPIC', ... (1 bytes))`
    fn denied(&self, rest: &str, at: UnixMs) -> Seen {
        let found = self.client(rest, " (d");
        let tail = found.map_or(rest, |(id, _)| &rest[id.len()..]);
        let quoted = tail.split_once('\'').and_then(|(_, topic)| topic.rsplit_once("', ..."));
        let topic = quoted.map_or_else(|| tail.to_owned(), |(topic, _)| topic.to_owned());
        let client = found.map(|(_, client)| client);
        Seen {
            at,
            from: client.map(|client| client.from),
            device: client.map(|client| client.name.clone()),
            refusal: Refusal::OtherTopic(topic),
        }
    }

    /// `ID 0 FILTER`, which mosquitto writes with `log_type subscribe`.
    fn subscribed(&self, text: &str, at: UnixMs) -> Option<Seen> {
        let (id, client) = self.client(text, " ")?;
        let (quality, filter) = text[id.len() + 1..].split_once(' ')?;
        let is_own = filter.starts_with(&format!("hilum/v1/{}/", client.name));
        if !matches!(quality, "0" | "1" | "2") || is_own || client.name == GATEWAY {
            return None;
        }
        let refusal = Refusal::OtherSubscription(filter.to_owned());
        Some(Seen { at, from: Some(client.from), device: Some(client.name.clone()), refusal })
    }

    /// The client whose id `text` begins with, followed by `then`. Ids may contain anything, so the longest is meant.
    fn client(&self, text: &str, then: &str) -> Option<(&str, &Client)> {
        // From the right, so that the first that is known is the longest.
        let mut ends = text.rmatch_indices(then).map(|(end, _)| end);
        ends.find_map(|end| self.clients.get_key_value(&text[..end])).map(|(id, client)| (id.as_str(), client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMs = 1_795_294_490_000;

    /// What is told by the last of some lines.
    fn told(lines: &[&str]) -> Option<Seen> {
        let (mut watch, mut told) = (Watch::default(), None);
        for line in lines {
            told = watch.read(line, NOW);
        }
        told
    }

    const VERIFY: &str = "OpenSSL Error[0]: error:0A000086:SSL routines::certificate verify failed";
    const OF_A: &str = "New connection from 192.0.2.1:1001 on port 8883.";
    const OF_B: &str = "New connection from 192.0.2.2:1002 on port 8883.";
    const A_IN: &str = "New client connected from 192.0.2.1:1001 as lab-1 (p5, c1, k60, u'lab-1').";

    #[test]
    fn a_refused_caller_has_an_address_where_there_is_no_doubt() {
        let from = |lines: &[&str]| told(lines).unwrap().from.map(|from| from.to_string());
        assert_eq!(from(&[OF_A, VERIFY]).as_deref(), Some("192.0.2.1"));
        assert_eq!(from(&[OF_A, OF_A, VERIFY]).as_deref(), Some("192.0.2.1"));
        assert_eq!(from(&[OF_A, OF_B, VERIFY]), None);
        assert_eq!(from(&[OF_A, OF_B, A_IN, VERIFY]).as_deref(), Some("192.0.2.2"));
        let gone = "Client <unknown> disconnected: Protocol error.";
        assert_eq!(from(&[OF_A, VERIFY, gone, OF_B, VERIFY]).as_deref(), Some("192.0.2.2"));
        let later = format!("{}: {VERIFY}", NOW / 1_000 + 31);
        assert_eq!(from(&[&format!("{}: {OF_A}", NOW / 1_000), &later]), None, "long gone");
    }

    #[test]
    fn the_last_device_from_there_is_named() {
        let seen = told(&[OF_A, A_IN, "Client lab-1 disconnected.", OF_A, VERIFY]).unwrap();
        let Refusal::Handshake { last, .. } = seen.refusal else { panic!("{seen:?}") };
        assert_eq!(last.as_deref(), Some("lab-1"));
    }

    #[test]
    fn a_second_client_with_the_same_certificate_is_told_and_a_broken_line_is_not() {
        let thief = "New client connected from 192.0.2.9:5 as thief (p5, c1, k60, u'lab-1').";
        let seen = told(&[A_IN, thief]).unwrap();
        assert_eq!((seen.refusal.code(), seen.device.as_deref()), ("identity_doubled", Some("lab-1")));
        assert_eq!(told(&[A_IN, A_IN]), None);
        assert_eq!(told(&[A_IN, "Client lab-1 disconnected.", thief]), None);
        let moved = "New client connected from 192.0.2.9:5 as lab-1 (p5, c1, k60, u'lab-1').";
        assert!(told(&[A_IN, moved]).is_some());
        let replica = |id| format!("New client connected from 192.0.2.7:1 as {id} (p5, c1, k60, u'gateway').");
        assert_eq!(told(&[&replica("gateway-1"), &replica("gateway-2")]), None);
    }

    #[test]
    fn a_denied_message_is_its_senders_whatever_the_sender_calls_itself() {
        let denied =
            |id: &str| format!("Denied PUBLISH from {id} (d0, q1, r0, m1, 'hilum/v1/lab-2/up/result', ... (1 bytes))");
        let seen = told(&[A_IN, &denied("lab-1")]).unwrap();
        assert_eq!(seen.device.as_deref(), Some("lab-1"));
        assert_eq!(seen.refusal, Refusal::OtherTopic("hilum/v1/lab-2/up/result".into()));
        // A client that wants to be taken for lab-1.
        let id = "lab-1 (d0, q1, r0, m1, 'x', ...";
        let enters = format!("New client connected from 192.0.2.3:1 as {id} (p5, c1, k60, u'lab-3').");
        let seen = told(&[A_IN, &enters, &denied(id)]).unwrap();
        assert_eq!(seen.device.as_deref(), Some("lab-3"));
        assert_eq!(told(&[&denied("nobody")]).unwrap().device, None);
    }

    #[test]
    fn a_subscription_to_what_is_anothers_is_told() {
        assert_eq!(told(&[A_IN, "lab-1 1 hilum/v1/lab-1/down/receipt"]), None);
        for filter in ["hilum/v1/lab-2/down/receipt", "hilum/v1/#", "$SYS/#"] {
            let seen = told(&[A_IN, &format!("lab-1 0 {filter}")]).unwrap();
            assert_eq!(seen.refusal, Refusal::OtherSubscription(filter.into()));
        }
        assert_eq!(told(&[A_IN, "lab-1 said something else"]), None);
    }

    #[test]
    fn nobody_can_fill_the_memory() {
        let mut watch = Watch::default();
        for number in 0..3 * CALLING {
            watch.read(&format!("New connection from 192.0.2.1:{number} on port 8883."), NOW);
        }
        assert_eq!(watch.calling.len(), CALLING);
    }

    proptest::proptest! {
        #[test]
        fn no_order_of_lines_is_too_strange(lines in proptest::collection::vec(".{0,80}", 0..20)) {
            let mut watch = Watch::default();
            watch.read(A_IN, NOW);
            for line in lines {
                watch.read(&line, NOW);
                watch.read(&format!("lab-1 {line}"), NOW);
                watch.read(&format!("Denied PUBLISH from lab-1{line}"), NOW);
            }
        }
    }
}
