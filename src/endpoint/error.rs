//! What goes wrong between here and an endpoint, and how far it reaches.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

/// Settings of an endpoint that cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// A base URL that is none.
    #[error(
        "`{url}` is no base URL: {reason}; it is what stands before `/chat/completions`, such as https://api.openai.com/v1 or http://localhost:8000/v1"
    )]
    Url {
        /// The URL, without what may be a secret in it.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// A key over a connection that others can read.
    #[error(
        "the key would go to `{host}` over plain http, where others can read it; use https, leave the key out, or allow it with --plain-http"
    )]
    PlainHttp {
        /// Where it would go.
        host: String,
    },

    /// A key that is none. It is not quoted.
    #[error(
        "the API key is empty, or has a character that no key has: a space, a line break, a letter beyond ASCII"
    )]
    Key,

    /// The key's file cannot be read.
    #[error("cannot read the API key in {}", .path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// A limit of money without prices.
    #[error(
        "a budget in money needs the prices of tokens, of requests and replies (--price-in, --price-out, for a million tokens each)"
    )]
    NoPrices,

    /// The price of requests or that of replies is missing.
    #[error("state both prices, or none: --price-in and --price-out, for a million tokens each")]
    OnePrice,

    /// A number out of range.
    #[error("`{name}` must be {allowed}")]
    Range {
        /// The setting.
        name: &'static str,
        /// What it may be.
        allowed: &'static str,
    },
}

/// A request without a reply that can be used. No variant holds the key: where the server repeats
/// it, a stand-in is quoted.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ChatError {
    /// A wrong key, none, or one without the right to this model: 401, 403.
    #[error("the endpoint does not accept the API key (status {status}){}", says(.said))]
    Denied {
        /// The status.
        status: u16,
        /// The server's word.
        said: String,
    },

    /// There is no such model, or no such address: 404, 405.
    #[error(
        "there is no model `{model}`, or no {url}, there (status {status}){}; check the model's name, and that the base URL ends as the server has it, most often with /v1",
        says(.said)
    )]
    NotFound {
        /// The status.
        status: u16,
        /// What was asked for.
        url: String,
        /// The model's name.
        model: String,
        /// The server's word.
        said: String,
    },

    /// The account is empty: 402, `insufficient_quota`.
    #[error("the account has no credit left{}", says(.said))]
    NoCredit {
        /// The server's word.
        said: String,
    },

    /// The model does not know one of the request's parameters, so no request can do.
    #[error(
        "the model refuses a parameter that every request has{}; of `max_tokens` and `max_completion_tokens` it may want the other",
        says(.said)
    )]
    Parameter {
        /// The server's word.
        said: String,
    },

    /// The endpoint is elsewhere: 3xx. It is not followed, so that the key stays where it belongs.
    #[error(
        "the endpoint sends to `{to}` (status {status}), which is not followed; if it is the right one, state it as the base URL"
    )]
    Redirected {
        /// The status.
        status: u16,
        /// Where to.
        to: String,
    },

    /// The server wants to be left alone for longer than anyone should wait.
    #[error("the endpoint asks to come back in {} s{}", .after.as_secs(), says(.said))]
    ComeBack {
        /// For how long.
        after: Duration,
        /// The server's word.
        said: String,
    },

    /// The conversation and the reply do not fit the model.
    #[error("the request is too long for the model{}", says(.said))]
    TooLong {
        /// The server's word.
        said: String,
    },

    /// A filter refuses the request.
    #[error("a content filter refuses the request{}", says(.said))]
    Filtered {
        /// The server's word.
        said: String,
    },

    /// Anything else that the server finds wrong with the request: 400, 422, ….
    #[error("the endpoint refuses the request (status {status}){}", says(.said))]
    Refused {
        /// The status.
        status: u16,
        /// The server's word.
        said: String,
    },

    /// The server cannot now: 408, 409, 425, 429, 5xx.
    #[error("the endpoint is busy or broken (status {status}){}", says(.said))]
    Busy {
        /// The status.
        status: u16,
        /// How long it asks to wait, if it does.
        after: Option<Duration>,
        /// The server's word.
        said: String,
    },

    /// There is no such host, or nothing listens there.
    #[error(
        "nobody answers at {url}: {problem}; start the server, or check the base URL's host and port"
    )]
    Unreachable {
        /// What was asked for.
        url: String,
        /// The network's word.
        problem: String,
    },

    /// A connection that broke.
    #[error("the connection to the endpoint broke: {problem}")]
    Connection {
        /// The network's word.
        problem: String,
    },

    /// The reply was not whole in time.
    #[error("no whole reply within {} s", .limit.as_secs_f64())]
    Timeout {
        /// The time that it had.
        limit: Duration,
    },

    /// Bytes that are no chat completion.
    #[error("the endpoint's reply is not understood: {problem}")]
    Malformed {
        /// What is wrong with it.
        problem: String,
    },

    /// A batch ended without a reply to this request.
    #[error("the batch holds no reply to this request ({code}){}", says(.said))]
    Unanswered {
        /// The server's short name of the reason.
        code: String,
        /// The server's word.
        said: String,
    },
}

impl ChatError {
    /// Whether every other request would end so too: all work must stop until someone has mended
    /// it.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(
            self,
            Self::Denied { .. }
                | Self::NotFound { .. }
                | Self::NoCredit { .. }
                | Self::Parameter { .. }
                | Self::Redirected { .. }
                | Self::ComeBack { .. }
        )
    }

    /// Whether the same request may be answered another time. The endpoint has tried again already,
    /// as often as its settings say.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. }
                | Self::Unreachable { .. }
                | Self::Connection { .. }
                | Self::Timeout { .. }
                | Self::Malformed { .. }
                | Self::Unanswered { .. }
        )
    }

    /// Whether it is this request's own fault, and says nothing of others.
    pub(super) fn is_of_the_request(&self) -> bool {
        matches!(self, Self::TooLong { .. } | Self::Filtered { .. })
    }

    /// A short name of what is wrong, for counting by reason.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Denied { .. } => "denied",
            Self::NotFound { .. } => "not-found",
            Self::NoCredit { .. } => "no-credit",
            Self::Parameter { .. } => "parameter",
            Self::Redirected { .. } => "redirected",
            Self::ComeBack { .. } => "come-back",
            Self::TooLong { .. } => "too-long",
            Self::Filtered { .. } => "filtered",
            Self::Refused { .. } => "refused",
            Self::Busy { .. } => "busy",
            Self::Unreachable { .. } => "unreachable",
            Self::Connection { .. } => "connection",
            Self::Timeout { .. } => "timeout",
            Self::Malformed { .. } => "malformed",
            Self::Unanswered { .. } => "unanswered",
        }
    }

    /// How long the server asks to wait.
    pub(super) fn after(&self) -> Option<Duration> {
        match self {
            Self::Busy { after, .. } => *after,
            _ => None,
        }
    }
}

/// Work that ended early.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DriveError<E: std::error::Error + 'static> {
    /// The caller could not keep a reply.
    #[error(transparent)]
    Work(E),

    /// What no request would survive.
    #[error(transparent)]
    Fatal(ChatError),

    /// One request after another failed.
    #[error(
        "{count} requests in a row failed, each after all its retries, so the others were not tried; the last one: {last}"
    )]
    Failing {
        /// How many.
        count: usize,
        /// How the last one failed.
        last: ChatError,
    },

    /// A budget that cannot be kept, because the server does not say what a reply costs.
    #[error(
        "the endpoint does not report how many tokens a reply took, so a budget cannot be kept; run without one, or use a server that reports `usage`"
    )]
    NoUsage,

    /// A budget that is none.
    #[error(transparent)]
    Budget(EndpointError),

    /// The system gives no thread for a request.
    #[error("cannot start a thread for a request; have fewer in flight")]
    Thread(#[source] io::Error),
}

fn says(said: &str) -> String {
    if said.is_empty() {
        return String::new();
    }
    format!(" (it says: {said})")
}
