//! Another model, behind an OpenAI-compatible endpoint: hosted or on this machine.
//!
//! [`Endpoint::drive`] makes the requests of some [`Work`], several at a time, and hands over each
//! reply once: it tries again what may pass, keeps a [`Budget`], and stops where a flag says so.
//! [`batch`] has the same requests and replies as files.
//!
//! ```no_run
//! use std::convert::Infallible;
//! use std::sync::atomic::AtomicBool;
//!
//! use menagerie::chat::Message;
//! use menagerie::endpoint::{
//!     Budget, ChatError, ChatReply, ChatRequest, Endpoint, EndpointConfig, Spent, Work,
//! };
//!
//! /// One question after the other.
//! struct Questions(Vec<&'static str>);
//!
//! impl Work for Questions {
//!     type Error = Infallible;
//!
//!     fn next(&mut self) -> Option<(u64, ChatRequest)> {
//!         let question = self.0.pop()?;
//!         let messages = vec![Message::user(question)];
//!         Some((self.0.len() as u64, ChatRequest::new(messages)))
//!     }
//!
//!     fn done(
//!         &mut self,
//!         ticket: u64,
//!         outcome: Result<ChatReply, ChatError>,
//!     ) -> Result<(), Infallible> {
//!         match outcome {
//!             Ok(reply) => println!("{ticket}: {}", reply.text),
//!             Err(error) => eprintln!("{ticket}: {error}"),
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let endpoint = Endpoint::new(EndpointConfig::new("http://localhost:8000/v1", "vicuna-13b"))?;
//! let mut work = Questions(vec!["Who are you?", "What is a projector?"]);
//! let mut spent = Spent::default();
//! let stop = AtomicBool::new(false); // set by another thread, or a signal
//! endpoint.drive(&mut work, &Budget::default(), &mut spent, &stop)?;
//! println!("{} tokens", spent.usage.total());
//! # Ok(())
//! # }
//! ```
//!
//! # Servers
//!
//! A request is a `POST` to `BASE/chat/completions` with `model`, `messages`, and of `temperature`,
//! `top_p`, the longest reply and `seed` what is set; nothing is streamed. So it is understood by
//! OpenAI, vLLM, the server of llama.cpp and Ollama (whose base URL is `http://localhost:11434/v1`).
//! They differ in what the longest reply is called ([`TokenLimit`]), and in how an error is worded;
//! all of these forms are read.

mod allowance;
pub mod batch;
mod budget;
mod clock;
mod config;
mod drive;
mod error;
mod http;
mod key;
mod refusal;
mod reply;
mod request;
mod retry;
mod work;

pub use budget::{Budget, Prices, Spent};
pub use clock::{Clock, SystemClock};
pub use config::{EndpointConfig, TokenLimit};
pub use error::{ChatError, DriveError, EndpointError};
pub use key::ApiKey;
pub use reply::{ChatReply, FinishReason, Usage};
pub use request::ChatRequest;
pub use work::{Ended, Work};

use std::fmt;
use std::sync::Arc;

use http::Http;

/// A model behind an endpoint.
pub struct Endpoint {
    config: EndpointConfig,
    http: Http,
    clock: Arc<dyn Clock>,
}

impl Endpoint {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// The base URL is none, the key would go over plain http to another machine, or a number is out
    /// of range.
    pub fn new(config: EndpointConfig) -> Result<Self, EndpointError> {
        Self::with_clock(config, Arc::new(SystemClock::default()))
    }

    /// With another clock for the waits between retries. Timeouts are the machine's in any case.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_clock(
        config: EndpointConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, EndpointError> {
        let address = config.check()?;
        Ok(Self {
            http: Http::new(&config, address),
            config,
            clock,
        })
    }

    /// Its settings.
    #[must_use]
    pub const fn config(&self) -> &EndpointConfig {
        &self.config
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
