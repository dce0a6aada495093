//! The files of a run folder of `menagerie instruct`, as they are read.

use serde::Deserialize;

/// The paper's types of response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResponseType {
    Conversation,
    Detail,
    Reasoning,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Context {
    pub id: String,
    pub image: String,
    pub captions: Vec<String>,
    pub instances: Vec<Instance>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Instance {
    pub category: String,
    pub bbox: [f64; 4],
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Flag {
    pub kind: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Rejected {
    pub context: String,
    #[serde(rename = "type")]
    pub kind: ResponseType,
    pub attempt: u32,
    pub reason: String,
    pub detail: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Sample {
    pub id: String,
    pub image: String,
    pub context: String,
    #[serde(rename = "type")]
    pub kind: ResponseType,
    pub conversations: Vec<Turn>,
    #[serde(default)]
    pub flags: Vec<Flag>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Turn {
    pub from: String,
    pub value: String,
}

#[derive(Debug, Deserialize)]
pub struct Manifest {
    #[serde(flatten)]
    pub made_of: MadeOf,
    pub made: Made,
}

#[derive(Debug, Deserialize)]
pub struct MadeOf {
    pub model: String,
    pub prompts_sha256: String,
    pub seed: u64,
}

#[derive(Debug, Deserialize)]
pub struct Made {
    pub open: PerType<u64>,
    pub given_up: PerType<u64>,
    pub replies: u64,
    pub usage: Usage,
    pub money: Option<f64>,
}

#[derive(Debug, Deserialize)]
pub struct PerType<T> {
    pub conversation: T,
    pub detail: T,
    pub reasoning: T,
}

impl PerType<u64> {
    pub fn total(&self) -> u64 {
        self.conversation + self.detail + self.reasoning
    }
}

#[derive(Debug, Deserialize)]
pub struct Usage {
    pub prompt_tokens: u64,
    pub completion_tokens: u64,
}
