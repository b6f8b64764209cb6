//! One attempt to make a configuration of a document. It stops where serde stops, at the first value that cannot be taken,
//! says where that is, and takes stand-ins for the values that an earlier attempt stopped at.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::vec::IntoIter;

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};
use toml::de::{DeArray, DeTable, DeValue};

use super::document::Document;
use super::fault::Fault;
use super::key_path::KeyPath;
use super::stand_in;

/// What became of a value that could not be taken.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Patch {
    /// The n-th stand-in is there instead.
    StandIn(usize),
    /// No stand-in suits: it is left out.
    LeftOut,
}

/// The values that earlier attempts stopped at.
pub(super) type Patches = BTreeMap<KeyPath, Patch>;

/// The keys of each table that was looked into.
pub(super) type Tables = BTreeMap<KeyPath, &'static [&'static str]>;

/// One attempt.
pub(super) struct Attempt<'d> {
    document: &'d Document<'d>,
    patches: &'d Patches,
    tables: RefCell<Tables>,
    /// Keys that their table does not have.
    unknown: RefCell<BTreeSet<KeyPath>>,
}

impl<'d> Attempt<'d> {
    pub(super) fn new(document: &'d Document<'d>, patches: &'d Patches) -> Self {
        Self { document, patches, tables: RefCell::default(), unknown: RefCell::default() }
    }

    /// The document's root.
    pub(super) fn root(&'d self) -> Value<'d> {
        Value { attempt: self, path: KeyPath::default(), node: Node::Table(self.document.root()) }
    }

    /// Adds what was seen on the way.
    pub(super) fn add_seen(self, tables: &mut Tables, unknown: &mut BTreeSet<KeyPath>) {
        tables.append(&mut self.tables.into_inner());
        unknown.append(&mut self.unknown.into_inner());
    }

    fn value(&'d self, path: KeyPath, written: &'d DeValue<'d>) -> Option<Value<'d>> {
        let node = match (self.patches.get(&path), written) {
            (Some(Patch::LeftOut), _) => return None,
            (Some(Patch::StandIn(number)), _) => Node::StandIn(*number),
            (None, DeValue::Table(table)) => Node::Table(table),
            (None, written) => Node::Written(written),
        };
        Some(Value { attempt: self, path, node })
    }

    /// Stand-ins for keys of the table at `path` that are not written.
    fn added(&'d self, path: &KeyPath, table: Option<&DeTable<'d>>) -> Vec<(String, Value<'d>)> {
        let inside = self.patches.range(path.clone()..).take_while(|(at, _)| at.is_within(path));
        let added = inside.filter_map(|(at, patch)| {
            let key = at.key_in(path).filter(|key| table.is_none_or(|table| !table.contains_key(*key)))?;
            let Patch::StandIn(number) = patch else { return None };
            let value = Value { attempt: self, path: at.clone(), node: Node::StandIn(*number) };
            Some((key.to_owned(), value))
        });
        added.collect()
    }
}

/// A value with its place.
pub(super) struct Value<'d> {
    attempt: &'d Attempt<'d>,
    path: KeyPath,
    node: Node<'d>,
}

enum Node<'d> {
    Table(&'d DeTable<'d>),
    Written(&'d DeValue<'d>),
    StandIn(usize),
}

impl<'d> Value<'d> {
    /// The entries of a table; those that are not among `fields` are noted and left out.
    fn entries(&self, table: Option<&'d DeTable<'d>>, fields: Option<&'static [&'static str]>) -> Entries<'d> {
        if let Some(fields) = fields {
            self.attempt.tables.borrow_mut().insert(self.path.clone(), fields);
        }
        let mut entries = self.attempt.added(&self.path, table);
        for (key, value) in table.into_iter().flatten() {
            let (key, path) = (key.get_ref().as_ref(), self.path.key(key.get_ref()));
            match fields {
                Some(fields) if !fields.contains(&key) => {
                    self.attempt.unknown.borrow_mut().insert(path);
                }
                _ => entries.extend(self.attempt.value(path, value.get_ref()).map(|value| (key.to_owned(), value))),
            }
        }
        Entries { rest: entries.into_iter(), next: None }
    }

    fn items(&self, list: &'d DeArray<'d>) -> Items<'d> {
        let value = |(index, value): (usize, &'d toml::Spanned<DeValue<'d>>)| {
            self.attempt.value(self.path.item(index), value.get_ref())
        };
        Items(list.iter().enumerate().filter_map(value).collect::<Vec<_>>().into_iter())
    }
}

impl<'de> Deserializer<'de> for Value<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node {
            Node::StandIn(number) => stand_in::offer(number, visitor),
            Node::Table(table) => visitor.visit_map(self.entries(Some(table), None)),
            Node::Written(DeValue::Array(list)) => visitor.visit_seq(self.items(list)),
            Node::Written(DeValue::Table(table)) => visitor.visit_map(self.entries(Some(table), None)),
            Node::Written(DeValue::String(text)) => visitor.visit_str(text),
            Node::Written(DeValue::Boolean(value)) => visitor.visit_bool(*value),
            Node::Written(DeValue::Float(number)) => {
                let number: Result<f64, _> = number.as_str().parse();
                visitor.visit_f64(number.map_err(|_| Fault::custom("this number is out of range"))?)
            }
            Node::Written(DeValue::Integer(number)) => {
                let number = i64::from_str_radix(number.as_str(), number.radix());
                visitor.visit_i64(number.map_err(|_| Fault::custom("this number is out of range"))?)
            }
            Node::Written(DeValue::Datetime(_)) => Err(Fault::invalid_type(Unexpected::Other("date"), &visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node {
            Node::StandIn(_) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.node {
            Node::StandIn(_) => visitor.visit_map(self.entries(None, Some(fields))),
            Node::Table(table) => visitor.visit_map(self.entries(Some(table), Some(fields))),
            Node::Written(_) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.node {
            Node::StandIn(number) => {
                let variant = variants.get(number).ok_or_else(|| Fault::custom("nothing suits"))?;
                visitor.visit_enum(StrDeserializer::<Fault>::new(variant))
            }
            Node::Written(DeValue::String(text)) => visitor.visit_enum(StrDeserializer::<Fault>::new(text)),
            Node::Table(table) => visitor.visit_enum(MapAccessDeserializer::new(self.entries(Some(table), None))),
            Node::Written(_) => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map identifier ignored_any
    }
}

/// The entries of a table that are left to give.
struct Entries<'d> {
    rest: IntoIter<(String, Value<'d>)>,
    next: Option<Value<'d>>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.next = Some(value);
        seed.deserialize(StrDeserializer::<Fault>::new(&key)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let value = self.next.take().ok_or_else(|| Fault::custom("a value was asked for before its key"))?;
        take(seed, value)
    }
}

/// The values of a list that are left to give.
struct Items<'d>(IntoIter<Value<'d>>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Fault> {
        self.0.next().map(|value| take(seed, value)).transpose()
    }
}

/// Whatever goes wrong in a value goes wrong at its place.
fn take<'de, S: DeserializeSeed<'de>>(seed: S, value: Value<'de>) -> Result<S::Value, Fault> {
    let path = value.path.clone();
    seed.deserialize(value).map_err(|fault| fault.at(&path))
}
