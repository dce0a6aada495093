//! serde over a [`Node`] tree: whatever a type finds wrong comes back with the place it stands at.
//!
//! A table is read as an enum by its `type` key, so the values behind a tag keep their places too
//! (serde's internally tagged enums buffer them and lose these).

use std::fmt::Display;

use serde::de::value::StringDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess,
    SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use toml::map::{IntoIter, Map};

use super::error::RecipeError;
use super::node::{Kind, Node};
use super::origin::Origin;

/// What was wrong and, once it has risen far enough, where.
#[derive(Debug)]
pub(super) struct Failure {
    problem: Problem,
    origin: Option<Origin>,
    /// Keys from the innermost outwards.
    path: Vec<String>,
}

#[derive(Debug)]
enum Problem {
    UnknownKey { key: String, allowed: Vec<String> },
    MissingKey(&'static str),
    UnknownValue { value: String, allowed: Vec<String> },
    Other(String),
}

impl Failure {
    fn new(problem: Problem) -> Self {
        Self {
            problem,
            origin: None,
            path: Vec::new(),
        }
    }

    fn at(mut self, origin: &Origin) -> Self {
        self.origin.get_or_insert_with(|| origin.clone());
        self
    }

    pub(super) fn under(mut self, key: String) -> Self {
        self.path.push(key);
        self
    }

    /// `root` is the place of errors about the recipe as a whole.
    pub(super) fn into_error(self, root: &Origin) -> RecipeError {
        let origin = self.origin.unwrap_or_else(|| root.clone());
        let keys: Vec<String> = self.path.into_iter().rev().collect();
        let path = keys.join(".");
        match self.problem {
            Problem::UnknownKey { key, allowed } => RecipeError::UnknownKey {
                origin,
                table: path,
                key,
                allowed,
            },
            Problem::MissingKey(key) => RecipeError::MissingKey {
                origin,
                table: path,
                key: key.to_owned(),
            },
            Problem::UnknownValue { value, allowed } => RecipeError::UnknownValue {
                origin,
                key: path,
                value,
                allowed,
            },
            Problem::Other(message) => RecipeError::Invalid {
                origin,
                key: path,
                message,
            },
        }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.problem)
    }
}

impl std::error::Error for Failure {}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn expected(what: &dyn Expected) -> String {
    match what.to_string().as_str() {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of 0 or more".to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "an array".to_owned(),
        "path string" => "a path".to_owned(),
        other => other
            .strip_prefix("struct ")
            .or(other.strip_prefix("enum "))
            .map_or_else(|| other.to_owned(), |_| "a table".to_owned()),
    }
}

fn found(what: &Unexpected<'_>) -> String {
    match what {
        Unexpected::Str(text) => format!("the text \"{text}\""),
        Unexpected::Signed(number) => format!("{number}"),
        Unexpected::Unsigned(number) => format!("{number}"),
        Unexpected::Float(number) => format!("{number}"),
        Unexpected::Bool(flag) => format!("{flag}"),
        Unexpected::Seq => "an array".to_owned(),
        Unexpected::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

impl de::Error for Failure {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(Problem::Other(message.to_string()))
    }

    fn invalid_type(unexpected: Unexpected<'_>, what: &dyn Expected) -> Self {
        let (what, unexpected) = (expected(what), found(&unexpected));
        Self::custom(format!("expected {what}, found {unexpected}"))
    }

    fn invalid_value(unexpected: Unexpected<'_>, what: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, what)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownValue {
            value: variant.to_owned(),
            allowed: owned(expected),
        })
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::new(Problem::UnknownKey {
            key: field.to_owned(),
            allowed: owned(expected),
        })
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(Problem::MissingKey(field))
    }
}

impl<'de> Deserializer<'de> for Node {
    type Error = Failure;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        match self.kind {
            Kind::Scalar(toml::Value::String(text)) => visitor.visit_string(text),
            Kind::Scalar(toml::Value::Integer(number)) => visitor.visit_i64(number),
            Kind::Scalar(toml::Value::Float(number)) => visitor.visit_f64(number),
            Kind::Scalar(toml::Value::Boolean(flag)) => visitor.visit_bool(flag),
            Kind::Scalar(other) => visitor.visit_string(other.to_string()),
            Kind::Array(items) => visitor.visit_seq(Items(items.into_iter().enumerate())),
            Kind::Table(table) => visitor.visit_map(Entries {
                entries: table.into_iter(),
                next: None,
            }),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Failure> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Failure> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        match self.kind {
            Kind::Scalar(toml::Value::String(text)) => {
                StringDeserializer::new(text).deserialize_enum(name, variants, visitor)
            }
            Kind::Table(mut rest) => {
                let tag = rest.remove("type");
                let tag = tag.ok_or_else(|| Failure::new(Problem::MissingKey("type")))?;
                visitor.visit_enum(Tagged {
                    tag,
                    rest,
                    origin: self.origin,
                })
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items(std::iter::Enumerate<std::vec::IntoIter<Node>>);

impl<'de> SeqAccess<'de> for Items {
    type Error = Failure;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        let next = self.0.next().map(|(index, node)| {
            let origin = node.origin.clone();
            let element = seed.deserialize(node);
            element.map_err(|failure| failure.at(&origin).under(index.to_string()))
        });
        next.transpose()
    }
}

struct Entries {
    entries: IntoIter<String, Node>,
    next: Option<(String, Node)>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Failure;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Failure> {
        let Some((key, node)) = self.entries.next() else {
            return Ok(None);
        };
        let name = seed.deserialize(key.as_str().into_deserializer());
        let name = name.map_err(|failure: Failure| failure.at(&node.origin))?;
        self.next = Some((key, node));
        Ok(Some(name))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Failure> {
        let (key, node) = self.next.take().expect("a value follows its key");
        let origin = node.origin.clone();
        let value = seed.deserialize(node);
        value.map_err(|failure| failure.at(&origin).under(key))
    }
}

struct Tagged {
    tag: Node,
    rest: Map<String, Node>,
    origin: Origin,
}

impl<'de> EnumAccess<'de> for Tagged {
    type Error = Failure;
    type Variant = Node;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Node), Failure> {
        let place = self.tag.origin.clone();
        let variant = seed.deserialize(self.tag);
        let variant = variant.map_err(|failure| failure.at(&place).under("type".to_owned()))?;
        let rest = Node {
            kind: Kind::Table(self.rest),
            origin: self.origin,
        };
        Ok((variant, rest))
    }
}

impl<'de> VariantAccess<'de> for Node {
    type Error = Failure;

    fn unit_variant(self) -> Result<(), Failure> {
        match self.table().and_then(|rest| rest.iter().next()) {
            None => Ok(()),
            Some((key, node)) => {
                let failure: Failure = de::Error::unknown_field(key, &["type"]);
                Err(failure.at(&node.origin))
            }
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Failure> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Failure> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Failure> {
        self.deserialize_any(visitor)
    }
}
