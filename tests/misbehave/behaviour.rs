//! What the server does with a request.

use serde_json::{Value, json};

use super::Received;

/// What the server does with a request.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// It answers.
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
        /// Added to the length of the body in `Content-Length`: below 0 the client reads too little,
        /// above 0 it waits for bytes that never come.
        length_off_by: isize,
    },
    /// It takes the request and says nothing until the client leaves.
    Hang,
    /// It closes the connection within the headers.
    CutHeaders,
    /// It closes the connection after so many bytes of this body.
    CutBody(usize, Vec<u8>),
    /// It sends one space after the other until the client leaves.
    Drip,
}

impl Behaviour {
    /// A good reply that took 10 tokens for the request, and one for each of its own words. See
    /// [`completion`] for others.
    pub fn says(text: &str) -> Self {
        Self::json(&completion(text, Some((10, words(text)))))
    }

    /// A reply with status 200.
    pub fn json(body: &Value) -> Self {
        Self::status(200, body.to_string())
    }

    pub fn status(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Answer {
            status,
            headers: Vec::new(),
            body: body.into(),
            length_off_by: 0,
        }
    }

    /// An error in OpenAI's form.
    pub fn error(status: u16, code: &str) -> Self {
        let message = format!("this is the message of {code}");
        let body = json!({ "error": {
            "message": message, "type": "some_error", "param": null, "code": code,
        }});
        Self::status(status, body.to_string())
    }

    pub fn redirect(status: u16, to: &str) -> Self {
        Self::status(status, "").with("Location", to)
    }

    /// An error that repeats the request's headers, the key among them.
    pub fn echo(status: u16, request: &Received) -> Self {
        let message = format!("bad headers: {:?}", request.headers);
        let body = json!({ "error": { "message": message, "code": "echo" } });
        Self::status(status, body.to_string())
    }

    /// With a header more.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.into()));
        }
        self
    }

    /// With a `Content-Length` that is wrong.
    pub fn off_by(mut self, bytes: isize) -> Self {
        if let Self::Answer { length_off_by, .. } = &mut self {
            *length_off_by = bytes;
        }
        self
    }

    /// The same, with the connection closed in the middle of the body.
    pub fn cut(self) -> Self {
        match self {
            Self::Answer { body, .. } => Self::CutBody(body.len() / 2, body),
            other => other,
        }
    }
}

/// A chat completion; `usage` is the tokens of the request and of the reply.
pub fn completion(text: &str, usage: Option<(u64, u64)>) -> Value {
    let mut body = json!({
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "parrot-1",
        "choices": [{
            "index": 0,
            "message": { "role": "assistant", "content": text },
            "logprobs": null,
            "finish_reason": "stop",
        }],
    });
    if let Some((prompt, completion)) = usage {
        body["usage"] = json!({
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        });
    }
    body
}

fn words(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}
