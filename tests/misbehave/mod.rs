//! A chat endpoint on this machine that misbehaves on purpose.
//!
//! ```ignore
//! let server = Server::start(|request: &Received| match request.attempt {
//!     1 => Behaviour::error(429, "rate_limit_exceeded").with("Retry-After", "2"),
//!     _ => Behaviour::says("yes"),
//! });
//! let endpoint = EndpointConfig::new(server.url(), "parrot");
//! ```
#![allow(dead_code, reason = "each test file uses a part of it")]

mod behaviour;
mod faults;
mod serve;

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use serde_json::Value;

pub use behaviour::{Behaviour, completion};
pub use faults::{Fault, faulty};

/// A request, as the server got it.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its number in order of arrival, from 1.
    pub number: usize,
    /// How often the same body has come, this time included.
    pub attempt: usize,
    pub path: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub body: Value,
}

impl Received {
    /// The last message.
    pub fn question(&self) -> &str {
        let messages = self.body["messages"].as_array();
        let last = messages.and_then(|messages| messages.last());
        last.and_then(|last| last["content"].as_str())
            .unwrap_or_default()
    }

    /// The key that was shown.
    pub fn key(&self) -> Option<&str> {
        self.headers.get("authorization")?.strip_prefix("Bearer ")
    }
}

/// What all connections share.
struct Shared {
    handler: Box<dyn Fn(&Received) -> Behaviour + Send + Sync>,
    received: Mutex<Vec<Received>>,
    attempts: Mutex<HashMap<String, usize>>,
    ended: AtomicBool,
}

/// The server; it ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers each request as `handler` says.
    pub fn start(handler: impl Fn(&Received) -> Behaviour + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            received: Mutex::default(),
            attempts: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let of_thread = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if of_thread.ended.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = Arc::clone(&of_thread);
                // A client that goes away early is no concern of the server.
                thread::spawn(move || drop(serve::connection(&stream, &shared)));
            }
        });
        Self {
            address,
            shared,
            thread: Some(thread),
        }
    }

    /// The base URL.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// All requests so far, in the order of their arrival.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().expect("the requests").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes the thread, which ends with its listener.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
