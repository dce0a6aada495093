//! The typed values of a GGUF file's metadata.

/// A value of the metadata. Integers of all widths become `i64`, floats `f64`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A float.
    Float(f64),
    /// A flag.
    Bool(bool),
    /// Text.
    Text(String),
    /// Whole numbers.
    Integers(Vec<i64>),
    /// Floats, stored as f32 or f64.
    Floats(Vec<f64>),
    /// Flags.
    Bools(Vec<bool>),
    /// Texts, such as a vocabulary.
    Texts(Vec<String>),
    /// Arrays in an array.
    Arrays(Vec<Value>),
}

/// What a [`Value`] may be asked for as: `&str`, `usize`, `i64`, `f64`, `bool`, `&[String]`,
/// `&[i64]`, `&[f64]`.
pub trait FromValue<'v>: Sized {
    /// What is asked for, as errors name it.
    const KIND: &'static str;

    /// The value, if it is of that kind.
    fn from_value(value: &'v Value) -> Option<Self>;
}

macro_rules! from_value {
    ($kind:literal, $type:ty, $pattern:pat => $result:expr) => {
        impl<'v> FromValue<'v> for $type {
            const KIND: &'static str = $kind;

            fn from_value(value: &'v Value) -> Option<Self> {
                match value {
                    $pattern => $result,
                    _ => None,
                }
            }
        }
    };
}

from_value!("text", &'v str, Value::Text(text) => Some(text));
from_value!("a size", usize, Value::Integer(integer) => usize::try_from(*integer).ok());
from_value!("a whole number", i64, Value::Integer(integer) => Some(*integer));
from_value!("a float", f64, Value::Float(float) => Some(*float));
from_value!("a flag", bool, Value::Bool(flag) => Some(*flag));
from_value!("a list of texts", &'v [String], Value::Texts(texts) => Some(texts));
from_value!("a list of whole numbers", &'v [i64], Value::Integers(integers) => Some(integers));
from_value!("a list of floats", &'v [f64], Value::Floats(floats) => Some(floats));
