//! The whole way from a text to its mistakes.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read by serde")]
struct House {
    door: Door,
    model: Model,
    #[serde(default)]
    lamp: Lamp,
    #[serde(default)]
    colours: BTreeMap<String, u8>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Door {
    listen: SocketAddr,
    name: Name,
    #[serde(default)]
    guests: u16,
    #[serde(default)]
    allow: Vec<Guest>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read by serde")]
struct Guest {
    name: Name,
    address: Option<std::net::IpAddr>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "read by serde")]
struct Model {
    bundle: PathBuf,
    library: PathBuf,
    #[serde(default)]
    provider: Provider,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Provider {
    #[default]
    Auto,
    Cuda,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(dead_code, reason = "read by serde")]
struct Lamp {
    bright: bool,
    watts: f64,
}

#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
struct Name(String);

impl TryFrom<String> for Name {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() == 1 { Ok(Self(text)) } else { Err("a name has one letter") }
    }
}

impl Checked for House {
    fn mistakes(&self, mistakes: &mut Mistakes<'_>) {
        let mut door = mistakes.table("door");
        door.require((1..=9).contains(&self.door.guests), "guests", "use 1 to 9");
        if self.door.listen.ip().is_unspecified() {
            door.warning("listen", "anybody can come in");
        }
        for (index, guest) in self.door.allow.iter().enumerate() {
            door.item("allow", index).require(guest.name.0 != self.door.name.0, "name", "this is the door's own name");
        }
    }
}

/// Each mistake without the file's name.
fn mistakes(text: &str) -> Vec<String> {
    match parse::<House>(Path::new("h.toml"), text) {
        Err(ConfigError::Mistakes(list)) => {
            list.as_slice().iter().map(|mistake| mistake.to_string().replacen("h.toml", "", 1)).collect()
        }
        other => panic!("{other:?}"),
    }
}

const GOOD: &str = "[door]
listen = \"127.0.0.1:1\"
name = \"d\"
guests = 2
[[door.allow]]
name = \"a\"
[model]
bundle = \"b\"
library = \"l\"
[lamp]
watts = 40
";

#[test]
fn a_good_file_is_taken_as_it_is() {
    let house: House = parse(Path::new("h.toml"), GOOD).unwrap();
    assert_eq!((house.door.allow.len(), house.lamp.watts, house.door.guests), (1, 40.0, 2));
}

#[test]
fn everything_wrong_is_told_at_once_by_line() {
    let text = "[door]
listen = \"everywhere\"
name = \"dd\"
guests = 99999
colour = 1
[[door.allow]]
name = \"a\"
[[door.allow]]
nmae = \"b\"
address = 7
[model]
bundle = true
provider = \"cudo\"
[lamp]
bright = \"yes\"
guests = 3
";
    assert_eq!(
        mistakes(text),
        [
            ":2: [door] listen: not ADDRESS:PORT, such as \"127.0.0.1:9464\" or \"[::1]:9464\"",
            ":3: [door] name: a name has one letter",
            ":4: [door] guests: 99999 is out of range; use a whole number from 0 to 65535",
            ":5: [door] colour: unknown key; remove it, or use one of listen, name, guests and allow",
            ":9: [[door.allow]] nmae: unknown key, did you mean name?",
            ":10: [[door.allow]] address: this is a whole number; use an IP address in quotation marks, such as \"10.1.2.3\"",
            ":11: [model] library: missing; add it",
            ":12: [model] bundle: this is true or false; use a path in quotation marks",
            ":13: [model] provider: \"cudo\" is not known, did you mean cuda?; use \"auto\" or \"cuda\"",
            ":15: [lamp] bright: this is a text in quotation marks; use true or false",
            ":16: [lamp] guests: unknown key here; it belongs in [door]",
        ]
    );
}

#[test]
fn the_rules_are_checked_although_something_else_is_missing() {
    let text = GOOD.replace("guests = 2", "guests = 0").replace("name = \"a\"", "name = \"d\"");
    let text = text.replace("library = \"l\"\n", "").replace("listen = \"127.0.0.1:1\"\n", "");
    assert_eq!(
        mistakes(&text),
        [
            ":1: [door] listen: missing; add it",
            ":3: [door] guests: use 1 to 9",
            ":5: [[door.allow]] name: this is the door's own name",
            ":6: [model] library: missing; add it",
        ]
    );
}

#[test]
fn a_missing_table_is_one_mistake_that_says_what_it_needs() {
    assert_eq!(
        mistakes(""),
        [": [door]: missing; add it with listen and name", ": [model]: missing; add it with bundle and library"]
    );
    let text = GOOD.replace("[model]", "[modle]");
    assert_eq!(mistakes(&text), [":7: [modle]: unknown key, did you mean model?"]);
}

#[test]
fn lines_that_are_no_toml_are_told_with_the_mistakes_that_are_certain() {
    let text = GOOD.replace("guests = 2", "guests = = 2").replace("bundle = \"b\"", "bundle = 3");
    let found = mistakes(&text);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with(":4: cannot be understood"), "{found:?}");
    assert!(found[1].starts_with(":8: [model] bundle: this is a whole number"), "{found:?}");
    // Below a broken header nobody can tell what belongs where.
    let found = mistakes(&GOOD.replace("[model]", "[model").replace("watts = 40", "watt = 40"));
    assert!(found.len() == 1 && found[0].starts_with(":7: cannot be understood"), "{found:?}");
    let found = mistakes(&format!("{GOOD}bright = true\nbright = false\n[door]\n"));
    assert!(
        found.iter().any(|line| line.starts_with(":13:")) && found.iter().any(|line| line.starts_with(":14:")),
        "{found:?}"
    );
}

#[test]
fn values_are_not_repeated() {
    let found =
        mistakes(&GOOD.replace("guests = 2", "guests = \"s3cret\"").replace("name = \"d\"", "name = \"s3cret\""));
    assert!(found.len() == 2 && !found.concat().contains("s3cret"), "{found:?}");
}

#[test]
fn what_is_unwise_is_no_mistake() {
    let text = GOOD.replace("127.0.0.1", "0.0.0.0");
    let (_, warnings) = Reading::<House>::of_text(Path::new("h.toml"), &text).finish().unwrap();
    assert_eq!(warnings.as_slice()[0].to_string(), "h.toml:2: [door] listen: anybody can come in");
}

#[test]
fn no_text_at_all_brings_the_reader_down() {
    for text in [
        "\u{0}",
        "[[[",
        "a.b.c.d = {x = [1,{y=",
        "door = 1",
        "door = []",
        "[[door]]\nlisten = 1",
        "[door]\nallow = [1, 2, {}]",
    ] {
        assert!(!mistakes(text).is_empty(), "{text:?}");
    }
}
