//! JSON as this program's files hold it.

use serde::Serialize;

/// A value in a line of its own.
pub(crate) fn json_line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).expect("plain data serialises");
    line.push(b'\n');
    line
}

/// A value for people's eyes too.
pub(crate) fn pretty_json(value: &impl Serialize) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(value).expect("plain data serialises");
    text.push(b'\n');
    text
}
