//! The key to an endpoint, which nobody is shown.

use std::fmt;
use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

use super::error::EndpointError;

/// What stands in a text where the key stood.
const HIDDEN: &str = "[api key]";
/// A shorter key is a dummy for a server that wants none (`EMPTY`, `none`): within a reply it is a
/// word like others. Characters.
const SHORTEST_SECRET: usize = 8;

/// The key to an endpoint. It goes into one header of a request and nowhere else: what is printed
/// of it, `{}` and `{:?}` alike, is a stand-in.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// A key, without the space around it.
    ///
    /// # Errors
    /// It is empty, or cannot be sent in a header: it has a character that is no visible ASCII.
    pub fn new(text: &str) -> Result<Self, EndpointError> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(EndpointError::Key);
        }
        Ok(Self(text.to_owned()))
    }

    /// The key that is all there is in a file.
    ///
    /// # Errors
    /// The file cannot be read, or holds no key.
    pub fn from_file(path: &Path) -> Result<Self, EndpointError> {
        let text = fs::read_to_string(path).map_err(|source| EndpointError::KeyFile {
            path: path.to_owned(),
            source,
        })?;
        Self::new(&text)
    }

    /// What goes into the header `Authorization`.
    pub(super) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// A text of the server without the key, should it repeat it.
    pub(super) fn hide(&self, text: &str) -> String {
        text.replace(&self.0, HIDDEN)
    }

    /// A reply without the key, should the server repeat it.
    pub(super) fn hide_in_reply(&self, reply: &mut Value) {
        if self.0.len() >= SHORTEST_SECRET {
            self.hide_in(reply);
        }
    }

    fn hide_in(&self, value: &mut Value) {
        match value {
            Value::String(text) if text.contains(&self.0) => *text = self.hide(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_in(item)),
            Value::Object(fields) => {
                fields.values_mut().for_each(|field| self.hide_in(field));
                if fields.keys().any(|name| name.contains(&self.0)) {
                    let renamed = std::mem::take(fields).into_iter();
                    let renamed = renamed.map(|(name, field)| (self.hide(&name), field));
                    *fields = renamed.collect::<Map<_, _>>();
                }
            }
            _ => {}
        }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key() -> ApiKey {
        ApiKey::new(" sk-a/secret\n").expect("a key")
    }

    #[test]
    fn a_key_is_sent_and_never_shown() {
        assert_eq!(key().bearer(), "Bearer sk-a/secret");
        assert_eq!(format!("{} {:?}", key(), key()), "[api key] [api key]");
        for wrong in ["", " \n", "two words", "schlüssel", "a\r\nHost: b"] {
            let error = ApiKey::new(wrong).expect_err(wrong).to_string();
            assert!(wrong.trim().is_empty() || !error.contains(wrong.trim()));
        }
    }

    #[test]
    fn a_server_that_repeats_the_key_is_not_quoted_with_it() {
        let text = r#"{"a": ["k sk-a\/secret", 1], "sk-a\u002fsecret": {"b": "sk-a/secret"}}"#;
        let mut reply: Value = serde_json::from_str(text).expect("JSON");
        key().hide_in_reply(&mut reply);
        assert_eq!(
            reply,
            json!({ "a": ["k [api key]", 1], "[api key]": { "b": "[api key]" } })
        );
        let mut reply = json!("none of them");
        ApiKey::new("none")
            .expect("a key")
            .hide_in_reply(&mut reply);
        assert_eq!(reply, json!("none of them"));
    }
}
