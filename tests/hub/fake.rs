//! A hub on this machine: it answers as huggingface.co does, and worse if told to.
//!
//! Small files come from it directly. Large ones are redirected to another host, as the real one
//! does: the same server, under the name `localhost`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use menagerie::hex::hex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// One commit of one model.
#[derive(Clone, Default)]
pub struct Model {
    pub commit: String,
    /// Branches and tags that mean this commit; the commit itself always does.
    pub revisions: Vec<&'static str>,
    pub files: BTreeMap<String, Vec<u8>>,
    /// The one token that opens it.
    pub token: Option<&'static str>,
    /// In place of the list of files that follows from them.
    pub listing: Option<Value>,
}

impl Model {
    pub fn new(commit: char, files: &[(&str, &[u8])]) -> Self {
        let files = files
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()));
        Self {
            commit: commit.to_string().repeat(40),
            revisions: vec!["main"],
            files: files.collect(),
            ..Self::default()
        }
    }

    fn listing(&self) -> Value {
        let file = |(name, bytes): (&String, &Vec<u8>)| {
            let mut entry = json!({
                "rfilename": name, "size": bytes.len(), "blobId": &hash(bytes)[..40],
            });
            if is_large(name) {
                entry["lfs"] = json!({
                    "sha256": hash(bytes), "size": bytes.len(), "pointerSize": 127,
                });
            }
            entry
        };
        let files: Vec<Value> = self.files.iter().map(file).collect();
        let all = json!({ "id": "acme/model", "sha": self.commit, "siblings": files });
        self.listing.clone().unwrap_or(all)
    }
}

fn is_large(name: &str) -> bool {
    [".safetensors", ".bin", ".gguf", ".model"]
        .iter()
        .any(|ending| name.ends_with(ending))
}

fn hash(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// What the server does wrong.
#[derive(Clone, Copy, PartialEq)]
pub enum Fault {
    None,
    /// Large files end after so many bytes of what was asked for; the connection is closed.
    Cut(usize),
    /// The first large file that is asked for ends so; from then on all is well.
    CutOnce(usize),
    /// As [`Fault::CutOnce`], and then a part that is asked for is answered with the whole.
    CutOnceThenWhole(usize),
    /// The first large file that is asked for comes with a wrong byte.
    WrongOnce,
    /// Every answer has this status.
    Status(u16),
}

/// A request, as the server got it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: String,
    pub host: String,
    pub token: Option<String>,
    pub range: Option<String>,
}

struct State {
    models: BTreeMap<String, Vec<Model>>,
    fault: Fault,
    asked: Vec<Asked>,
}

/// The server; it ends when it is dropped.
pub struct FakeHub {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FakeHub {
    pub fn new(models: &[(&str, Model)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut all: BTreeMap<String, Vec<Model>> = BTreeMap::new();
        for (name, model) in models {
            all.entry((*name).to_owned())
                .or_default()
                .push(model.clone());
        }
        let state = Arc::new(Mutex::new(State {
            models: all,
            fault: Fault::None,
            asked: Vec::new(),
        }));
        let ended = Arc::new(AtomicBool::new(false));
        let (shared, stop) = (Arc::clone(&state), Arc::clone(&ended));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                // A client that goes away early is no concern of the server.
                let _ = stream.and_then(|stream| serve(&stream, &shared, address.port()));
            }
        });
        Self {
            address,
            state,
            ended,
            thread: Some(thread),
        }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn set_fault(&self, fault: Fault) {
        self.state.lock().expect("the state").fault = fault;
    }

    /// Puts `model` in front of the commits that there are: its revisions mean it from now on.
    pub fn push(&self, name: &str, model: Model) {
        let mut state = self.state.lock().expect("the state");
        state
            .models
            .entry(name.to_owned())
            .or_default()
            .insert(0, model);
    }

    /// The requests since the last call.
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state.lock().expect("the state").asked)
    }
}

impl Drop for FakeHub {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes the thread, which ends with its listener.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Bytes of the body that are sent.
    sent: usize,
}

impl Answer {
    fn new(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            sent: body.len(),
            body,
        }
    }

    fn error(status: u16, code: &str, message: &str) -> Self {
        Self::new(status, Vec::new())
            .with("X-Error-Code", code)
            .with("X-Error-Message", message)
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

fn serve(stream: &TcpStream, state: &Mutex<State>, port: u16) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut asked = Asked {
        path: line.split(' ').nth(1).unwrap_or_default().to_owned(),
        host: String::new(),
        token: None,
        range: None,
    };
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(": ") else {
            break;
        };
        let value = value.to_owned();
        match name.to_lowercase().as_str() {
            "host" => asked.host = value,
            "authorization" => asked.token = value.strip_prefix("Bearer ").map(str::to_owned),
            "range" => asked.range = Some(value),
            _ => {}
        }
    }
    let mut state = state.lock().expect("the state");
    state.asked.push(asked.clone());
    let answer = state.answer(&asked, port);
    drop(state);
    let mut text = format!("HTTP/1.1 {} Fake\r\nConnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n", answer.body.len()));
    let mut stream = stream;
    stream.write_all(text.as_bytes())?;
    stream.write_all(&answer.body[..answer.sent])
}

impl State {
    fn answer(&mut self, asked: &Asked, port: u16) -> Answer {
        if let Fault::Status(status) = self.fault {
            return Answer::error(status, "", "come back later");
        }
        let path = asked.path.split('?').next().unwrap_or_default();
        if let Some(hash) = path.strip_prefix("/blob/") {
            return self.blob(hash, asked.range.as_deref());
        }
        let (name, revision, file) = if let Some(rest) = path.strip_prefix("/api/models/") {
            let (name, revision) = rest.split_once("/revision/").unwrap_or((rest, "main"));
            (name, revision.replace("%2F", "/"), None)
        } else {
            let (name, rest) = path[1..].split_once("/resolve/").unwrap_or((path, "/"));
            let (revision, file) = rest.split_once('/').unwrap_or((rest, ""));
            (name, revision.to_owned(), Some(file))
        };
        let Some(commits) = self.models.get(name) else {
            return Answer::error(404, "RepoNotFound", "Repository not found");
        };
        let means = |model: &&Model| {
            model.commit == revision || model.revisions.contains(&revision.as_str())
        };
        let Some(model) = commits.iter().find(means) else {
            return Answer::error(404, "RevisionNotFound", "Invalid rev id");
        };
        if let Some(token) = model.token {
            match asked.token.as_deref() {
                Some(shown) if shown == token => {}
                Some(_) => return Answer::error(403, "GatedRepo", "you are not on the list"),
                None => return Answer::error(401, "GatedRepo", "access is restricted"),
            }
        }
        let Some(file) = file else {
            return Answer::new(200, model.listing().to_string().into_bytes());
        };
        let Some(bytes) = model.files.get(file) else {
            return Answer::error(404, "EntryNotFound", "Entry not found");
        };
        if is_large(file) {
            let elsewhere = format!("http://localhost:{port}/blob/{}", hash(bytes));
            return Answer::new(302, Vec::new())
                .with("Location", elsewhere)
                .with("X-Repo-Commit", model.commit.clone())
                .with("X-Linked-Etag", format!("\"{}\"", hash(bytes)))
                .with("X-Linked-Size", bytes.len().to_string());
        }
        Answer::new(200, bytes.clone())
            .with("X-Repo-Commit", model.commit.clone())
            .with("ETag", format!("\"{}\"", &hash(bytes)[..40]))
    }

    fn blob(&mut self, wanted: &str, range: Option<&str>) -> Answer {
        let mut files = self
            .models
            .values()
            .flatten()
            .flat_map(|model| model.files.values());
        let Some(bytes) = files.find(|bytes| hash(bytes) == wanted).cloned() else {
            return Answer::new(403, Vec::new());
        };
        let start = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        let start: usize = start.map_or(0, |start| start.parse().expect("a number"));
        let mut answer = if start == 0 || matches!(self.fault, Fault::CutOnceThenWhole(0)) {
            Answer::new(200, bytes)
        } else {
            let size = bytes.len();
            Answer::new(206, bytes[start..].to_vec()).with(
                "Content-Range",
                format!("bytes {start}-{}/{size}", size - 1),
            )
        };
        match self.fault {
            Fault::Cut(len) => answer.sent = len.min(answer.body.len()),
            Fault::CutOnce(len) => {
                answer.sent = len;
                self.fault = Fault::None;
            }
            Fault::CutOnceThenWhole(len) if len > 0 => {
                answer.sent = len;
                self.fault = Fault::CutOnceThenWhole(0);
            }
            Fault::WrongOnce => {
                answer.body[0] ^= 1;
                self.fault = Fault::None;
            }
            _ => {}
        }
        answer
    }
}
