//! The messages of an event file that are needed here, with the field numbers of TensorFlow's
//! `event.proto`, `summary.proto`, `tensor.proto` and `tensor_shape.proto`.

use prost::{Message, Oneof};

/// Something that happened.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    pub wall_time: f64,
    #[prost(int64, tag = "2")]
    pub step: i64,
    #[prost(oneof = "What", tags = "3, 5, 7")]
    pub what: Option<What>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum What {
    /// The first event of a file says how the file is to be read.
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
    #[prost(message, tag = "7")]
    SessionLog(SessionLog),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct SessionLog {
    /// `SessionLog.SessionStatus`.
    #[prost(int32, tag = "1")]
    pub status: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Summary {
    #[prost(message, repeated, tag = "1")]
    pub values: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Value {
    #[prost(string, tag = "1")]
    pub tag: String,
    #[prost(oneof = "Shown", tags = "2, 8")]
    pub shown: Option<Shown>,
    #[prost(message, optional, tag = "9")]
    pub metadata: Option<Metadata>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Shown {
    /// A point of a curve.
    #[prost(float, tag = "2")]
    Scalar(f32),
    #[prost(message, tag = "8")]
    Tensor(Tensor),
}

/// Which plugin of TensorBoard shows the value.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Metadata {
    #[prost(message, optional, tag = "1")]
    pub plugin: Option<Plugin>,
    /// `DataClass`.
    #[prost(int32, tag = "4")]
    pub data_class: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Plugin {
    #[prost(string, tag = "1")]
    pub name: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Tensor {
    /// `DataType`.
    #[prost(int32, tag = "1")]
    pub dtype: i32,
    #[prost(message, optional, tag = "2")]
    pub shape: Option<Shape>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub strings: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Shape {
    #[prost(message, repeated, tag = "2")]
    pub dims: Vec<Dim>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Dim {
    #[prost(int64, tag = "1")]
    pub size: i64,
}

/// `SessionLog.SessionStatus.START`.
const START: i32 = 1;
/// `DataClass.DATA_CLASS_TENSOR`.
const CLASS_TENSOR: i32 = 2;
/// `DataType.DT_STRING`.
const STRING: i32 = 7;

impl What {
    /// The version that TensorBoard knows.
    pub(super) fn version() -> Self {
        Self::FileVersion("brain.Event:2".to_owned())
    }

    /// A process begins at the event's step: what an earlier one wrote from there on is void.
    pub(super) fn start() -> Self {
        Self::SessionLog(SessionLog { status: START })
    }

    pub(super) fn summary(values: Vec<Value>) -> Self {
        Self::Summary(Summary { values })
    }
}

impl Value {
    /// Curves are in single precision there.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn scalar(tag: impl Into<String>, value: f64) -> Self {
        Self {
            tag: tag.into(),
            shown: Some(Shown::Scalar(value as f32)),
            metadata: None,
        }
    }

    /// A text in Markdown.
    pub(super) fn text(tag: impl Into<String>, text: &str) -> Self {
        let tensor = Tensor {
            dtype: STRING,
            shape: Some(Shape {
                dims: vec![Dim { size: 1 }],
            }),
            strings: vec![text.as_bytes().to_vec()],
        };
        Self {
            tag: tag.into(),
            shown: Some(Shown::Tensor(tensor)),
            metadata: Some(Metadata {
                plugin: Some(Plugin {
                    name: "text".to_owned(),
                }),
                data_class: CLASS_TENSOR,
            }),
        }
    }
}
