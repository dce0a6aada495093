//! One request and what came of it.

use std::io::{self, Read};
use std::time::Duration;

use serde_json::Value;
use ureq::http::HeaderValue;
use ureq::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use ureq::{Agent, Body, http};

use super::clock::Clock;
use super::config::{Address, EndpointConfig};
use super::error::ChatError;
use super::key::ApiKey;
use super::refusal::Refusal;
use super::reply::ChatReply;
use super::retry;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(20);
/// The longest reply that is read, in bytes.
const LONGEST: u64 = 16 << 20;

/// The way to an endpoint.
#[derive(Debug)]
pub(super) struct Http {
    agent: Agent,
    url: String,
    model: String,
    key: Option<ApiKey>,
    timeout: Duration,
}

impl Http {
    pub(super) fn new(config: &EndpointConfig, address: Address) -> Self {
        let mut builder = Agent::config_builder()
            .http_status_as_error(false)
            // A redirect may lead to another host, and the key must not.
            .max_redirects(0)
            .timeout_connect(Some(CONNECT.min(config.timeout)))
            .timeout_global(Some(config.timeout))
            .max_idle_connections(config.in_flight)
            .max_idle_connections_per_host(config.in_flight)
            .user_agent(concat!("menagerie/", env!("CARGO_PKG_VERSION")));
        if address.loopback {
            // A proxy would be another machine.
            builder = builder.proxy(None);
        }
        Self {
            agent: Agent::new_with_config(builder.build()),
            url: address.url,
            model: config.model.clone(),
            key: config.key.clone(),
            timeout: config.timeout,
        }
    }

    /// Sends a request's body, once.
    pub(super) fn post(&self, body: &[u8], clock: &dyn Clock) -> Result<ChatReply, ChatError> {
        let mut request = self.agent.post(&self.url);
        request = request.header(CONTENT_TYPE, "application/json");
        if let Some(key) = &self.key {
            let bearer = HeaderValue::try_from(key.bearer());
            let mut bearer = bearer.expect("a key is visible ASCII");
            bearer.set_sensitive(true);
            request = request.header(AUTHORIZATION, bearer);
        }
        let response = request.send(body).map_err(|error| self.failure(error))?;
        let (head, body) = response.into_parts();
        let after = retry::asked(&head.headers, clock.date());
        match head.status.as_u16() {
            200..300 => self.reply(&self.read(body)?, after),
            status @ 300..400 => Err(ChatError::Redirected {
                status,
                to: self.elsewhere(head.headers.get(LOCATION)),
            }),
            status => {
                // Why a refusal cannot be read does not matter: its status says enough.
                let body = self.read(body).unwrap_or_default();
                Err(self.refused(Refusal::read(&body), status, after))
            }
        }
    }

    fn read(&self, body: Body) -> Result<Vec<u8>, ChatError> {
        let mut bytes = Vec::new();
        let mut reader = body.into_reader().take(LONGEST + 1);
        let read = reader.read_to_end(&mut bytes);
        read.map_err(|error| self.failure(error.into()))?;
        if bytes.len() as u64 > LONGEST {
            let problem = format!("it is longer than {} MiB", LONGEST >> 20);
            return Err(ChatError::Malformed { problem });
        }
        Ok(bytes)
    }

    fn reply(&self, bytes: &[u8], after: Option<Duration>) -> Result<ChatReply, ChatError> {
        let malformed = |problem| Err(ChatError::Malformed { problem });
        let mut raw: Value = match serde_json::from_slice(bytes) {
            Ok(raw) => raw,
            Err(error) => return malformed(format!("it is no JSON: {error}")),
        };
        if let Some(key) = &self.key {
            key.hide_in_reply(&mut raw);
        }
        // Some gateways report an error with status 200.
        if let Some(refusal) = Refusal::within(&raw) {
            let status = refusal.status().unwrap_or(502);
            return Err(self.refused(refusal, status, after));
        }
        ChatReply::from_raw(raw)
    }

    fn refused(&self, refusal: Refusal, status: u16, after: Option<Duration>) -> ChatError {
        let refusal = refusal.hide(self.key.as_ref());
        refusal.error(status, after, &self.url, &self.model)
    }

    /// What no reply came of.
    fn failure(&self, error: ureq::Error) -> ChatError {
        match error {
            ureq::Error::Timeout(_) => ChatError::Timeout {
                limit: self.timeout,
            },
            error if is_unreachable(&error) => ChatError::Unreachable {
                url: self.url.clone(),
                problem: error.to_string(),
            },
            error => ChatError::Connection {
                problem: self.hidden(&error.to_string()),
            },
        }
    }

    /// Where a redirect leads, without what may hold a secret.
    fn elsewhere(&self, location: Option<&HeaderValue>) -> String {
        let location = location.and_then(|location| location.to_str().ok());
        let uri = location.and_then(|location| location.parse::<http::Uri>().ok());
        let Some(uri) = uri else {
            return "nowhere".to_owned();
        };
        let scheme = uri
            .scheme_str()
            .map_or(String::new(), |scheme| format!("{scheme}://"));
        let port = uri
            .port_u16()
            .map_or(String::new(), |port| format!(":{port}"));
        let host = uri.host().unwrap_or_default();
        self.hidden(&format!("{scheme}{host}{port}{}", uri.path()))
    }

    fn hidden(&self, text: &str) -> String {
        match &self.key {
            Some(key) => key.hide(text),
            None => text.to_owned(),
        }
    }
}

/// Whether no connection was made at all.
fn is_unreachable(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => true,
        ureq::Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        _ => false,
    }
}
