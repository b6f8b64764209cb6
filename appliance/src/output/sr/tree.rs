//! Content items as a tree of values, and the tree as a dataset (PS3.3 C.17.3). It knows no template.

use dicom_core::VR;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

use super::super::modules::{sequence, text};
use super::codes::Code;

/// How an item relates to the one above it, Relationship Type (0040,A010).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Contains,
    HasObservationContext,
    HasAcquisitionContext,
    HasConceptModifier,
}

impl Relation {
    fn term(self) -> &'static str {
        match self {
            Self::Contains => "CONTAINS",
            Self::HasObservationContext => "HAS OBS CONTEXT",
            Self::HasAcquisitionContext => "HAS ACQ CONTEXT",
            Self::HasConceptModifier => "HAS CONCEPT MOD",
        }
    }
}

/// What an item holds, Value Type (0040,A040).
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// A container, with the template that it follows.
    Container(Option<&'static str>),
    Code(Code),
    Text(String),
    /// A Decimal String and its unit.
    Number(String, Code),
    Uid(String),
    /// An image by its class and instance.
    Image(Box<InMemDicomObject>),
}

/// A content item with those below it.
#[derive(Clone, Debug)]
pub(super) struct Item {
    relation: Option<Relation>,
    name: Option<Code>,
    value: Value,
    below: Vec<Item>,
}

impl Item {
    /// The root of a document.
    pub(super) fn root(name: Code, template: &'static str) -> Self {
        Self { relation: None, name: Some(name), value: Value::Container(Some(template)), below: Vec::new() }
    }

    pub(super) fn new(relation: Relation, name: Code, value: Value) -> Self {
        Self { relation: Some(relation), name: Some(name), value, below: Vec::new() }
    }

    /// An item whose concept name is left to its place, as an image library's entries are (TID 1601).
    pub(super) fn unnamed(relation: Relation, value: Value) -> Self {
        Self { relation: Some(relation), name: None, value, below: Vec::new() }
    }

    pub(super) fn with(mut self, below: impl IntoIterator<Item = Item>) -> Self {
        self.below.extend(below);
        self
    }

    /// Writes the item's attributes into a dataset: the document's own for the root.
    pub(super) fn put_into(&self, object: &mut InMemDicomObject) {
        if let Some(relation) = self.relation {
            object.put(text(tags::RELATIONSHIP_TYPE, VR::CS, relation.term()));
        }
        if let Some(name) = self.name {
            object.put(name.element(tags::CONCEPT_NAME_CODE_SEQUENCE));
        }
        let value_type = self.value.put_into(object);
        object.put(text(tags::VALUE_TYPE, VR::CS, value_type));
        if !self.below.is_empty() {
            let items = self.below.iter().map(|item| {
                let mut object = InMemDicomObject::new_empty();
                item.put_into(&mut object);
                object
            });
            object.put(sequence(tags::CONTENT_SEQUENCE, items.collect()));
        }
    }
}

impl Value {
    /// Writes the value and gives its type.
    fn put_into(&self, object: &mut InMemDicomObject) -> &'static str {
        match self {
            Self::Container(template) => {
                object.put(text(tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE"));
                if let Some(template) = template {
                    let item = InMemDicomObject::from_element_iter([
                        text(tags::MAPPING_RESOURCE, VR::CS, "DCMR"),
                        text(tags::TEMPLATE_IDENTIFIER, VR::CS, *template),
                    ]);
                    object.put(sequence(tags::CONTENT_TEMPLATE_SEQUENCE, vec![item]));
                }
                "CONTAINER"
            }
            Self::Code(code) => {
                object.put(code.element(tags::CONCEPT_CODE_SEQUENCE));
                "CODE"
            }
            Self::Text(words) => {
                object.put(text(tags::TEXT_VALUE, VR::UT, words.as_str()));
                "TEXT"
            }
            Self::Number(number, unit) => {
                let value = InMemDicomObject::from_element_iter([
                    unit.element(tags::MEASUREMENT_UNITS_CODE_SEQUENCE),
                    text(tags::NUMERIC_VALUE, VR::DS, number.as_str()),
                ]);
                object.put(sequence(tags::MEASURED_VALUE_SEQUENCE, vec![value]));
                "NUM"
            }
            Self::Uid(uid) => {
                object.put(text(tags::UID, VR::UI, uid.as_str()));
                "UIDREF"
            }
            Self::Image(reference) => {
                object.put(sequence(tags::REFERENCED_SOP_SEQUENCE, vec![(**reference).clone()]));
                "IMAGE"
            }
        }
    }
}
