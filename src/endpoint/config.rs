//! Where an endpoint is and how it is treated.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ureq::http::Uri;

use super::error::EndpointError;
use super::key::ApiKey;

/// Most requests that may be in flight: each has a thread.
const MAX_IN_FLIGHT: usize = 1024;

/// Where an endpoint is and how it is treated.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// What stands before `/chat/completions`: `https://api.openai.com/v1`.
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// The key, if the server wants one.
    pub key: Option<ApiKey>,
    /// Whether the key may go over plain http to another machine. Default: it may not.
    pub plain_http: bool,
    /// What the longest reply is called in a request. Default: `max_tokens`.
    pub token_limit: TokenLimit,
    /// The time from connecting to the last byte of a reply. Default: 300 s.
    pub timeout: Duration,
    /// How often a request is sent again after a failure that may pass. Default: 8.
    pub retries: u32,
    /// The longest wait before the first retry; it doubles with each further one, up to a minute.
    /// Default: 1 s.
    pub backoff: Duration,
    /// Requests at the same time, 1 to 1024. Default: 8.
    pub in_flight: usize,
    /// After so many requests in a row that failed for good, all work ends. Default: 20.
    pub failures_in_a_row: usize,
    /// Seed of the random part of waits. Default: another one each time, so that two processes do
    /// not come back at the same moment.
    pub seed: u64,
}

/// What the longest reply is called in a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenLimit {
    /// `max_tokens`: vLLM, llama.cpp, Ollama, and OpenAI's models before o1.
    #[default]
    MaxTokens,
    /// `max_completion_tokens`: OpenAI's newer models, which refuse the other; vLLM takes it too.
    MaxCompletionTokens,
}

impl TokenLimit {
    /// The parameter's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
        }
    }
}

impl EndpointConfig {
    /// An endpoint without a key, all else as by default.
    pub fn new(base_url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            model: model.into(),
            key: None,
            plain_http: false,
            token_limit: TokenLimit::default(),
            timeout: Duration::from_mins(5),
            retries: 8,
            backoff: Duration::from_secs(1),
            in_flight: 8,
            failures_in_a_row: 20,
            seed: RandomState::new().build_hasher().finish(),
        }
    }

    /// Checks the numbers and the address, and gives the address.
    pub(super) fn check(&self) -> Result<Address, EndpointError> {
        let range = |name, allowed| Err(EndpointError::Range { name, allowed });
        if !(1..=MAX_IN_FLIGHT).contains(&self.in_flight) {
            return range("in flight", "from 1 to 1024");
        }
        if self.timeout.is_zero() {
            return range("timeout", "longer than 0 s");
        }
        if self.failures_in_a_row == 0 {
            return range("failures in a row", "at least 1");
        }
        if self.model.trim().is_empty() {
            return range("model", "the name of a model");
        }
        let address = Address::parse(&self.base_url)?;
        if self.key.is_some() && !address.secure && !address.loopback && !self.plain_http {
            return Err(EndpointError::PlainHttp { host: address.host });
        }
        Ok(address)
    }
}

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// The whole URL.
    pub url: String,
    host: String,
    secure: bool,
    /// Whether it is this machine.
    pub loopback: bool,
}

impl Address {
    fn parse(base_url: &str) -> Result<Self, EndpointError> {
        let base = base_url.trim().trim_end_matches('/');
        // What may hold a secret is not repeated.
        let shown = || match base.rsplit_once('@') {
            Some((_, rest)) => format!("…@{rest}"),
            None => base.split(['?', '#']).next().unwrap_or_default().to_owned(),
        };
        let wrong = |reason| {
            Err(EndpointError::Url {
                url: shown(),
                reason,
            })
        };
        if base.contains(['?', '#']) {
            return wrong("it has a query or a fragment");
        }
        if base.contains('@') {
            return wrong("it has a name or a password; the key goes into a file of its own");
        }
        let scheme = base.split_once("://").map(|(scheme, _)| scheme);
        let secure = match scheme.map(str::to_ascii_lowercase).as_deref() {
            Some("https") => true,
            Some("http") => false,
            _ => return wrong("it does not begin with https:// or http://"),
        };
        let Ok(uri) = base.parse::<Uri>() else {
            return wrong("it cannot be read");
        };
        let Some(host) = uri.host().filter(|host| !host.is_empty()) else {
            return wrong("it has no host");
        };
        if uri.path().ends_with("/chat/completions") {
            return wrong("it goes on to `/chat/completions`");
        }
        let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
        Ok(Self {
            url: format!("{base}/chat/completions"),
            host: host.to_owned(),
            secure,
            loopback: ip.map_or(host.eq_ignore_ascii_case("localhost"), |ip| {
                ip.is_loopback()
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base_url: &str, key: Option<&str>) -> Result<Address, String> {
        let mut config = EndpointConfig::new(base_url, "m");
        config.key = key.map(|key| ApiKey::new(key).expect("a key"));
        config.check().map_err(|error| error.to_string())
    }

    #[test]
    fn a_base_url_is_read_strictly() {
        let url = |base: &str| check(base, None).map(|address| address.url);
        for base in ["https://api.openai.com/v1", " https://api.openai.com/v1/ "] {
            let whole = "https://api.openai.com/v1/chat/completions";
            assert_eq!(url(base).as_deref(), Ok(whole));
        }
        for (wrong, reason) in [
            ("", "does not begin with"),
            ("https://", "does not begin with"),
            ("https://a b/v1", "cannot be read"),
            (
                "localhost:8000/v1",
                "does not begin with https:// or http://",
            ),
            ("ftp://host/v1", "does not begin with"),
            ("https://host/v1/chat/completions", "goes on to"),
            ("https://host/v1?key=sk-secret", "query"),
            ("https://ada:sk-secret@host/v1", "a name or a password"),
            ("ada:sk-secret@host", "a name or a password"),
        ] {
            let error = url(wrong).expect_err(wrong);
            assert!(error.contains(reason), "{error}");
            assert!(!error.contains("sk-secret"), "{error}");
        }
    }

    #[test]
    fn a_key_goes_over_plain_http_to_this_machine_alone() {
        let local = [
            "http://127.0.0.1:1/v1",
            "http://[::1]:1",
            "http://LOCALHOST:8/v1",
        ];
        for base in local {
            assert!(check(base, Some("sk-secret")).expect(base).loopback);
        }
        for base in ["http://10.0.0.7:8000/v1", "http://localhost.example.com/v1"] {
            assert!(check(base, None).is_ok());
            let error = check(base, Some("sk-secret")).expect_err(base);
            assert!(
                error.contains("plain http") && !error.contains("sk-secret"),
                "{error}"
            );
            let mut allowed = EndpointConfig::new(base, "m");
            allowed.key = Some(ApiKey::new("sk-secret").expect("a key"));
            allowed.plain_http = true;
            assert!(allowed.check().is_ok());
        }
        assert!(check("https://10.0.0.7/v1", Some("sk-secret")).is_ok());
    }
}
