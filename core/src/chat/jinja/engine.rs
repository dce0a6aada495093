//! Runs a template that nobody vouches for.
//!
//! Fuel bounds the work and, as the engine charges for every byte it makes, the memory. What it
//! cannot bound are expressions nested so deep that reading them takes a large stack, and comparing
//! lists that hold themselves many times over: so all runs on a thread with room for the one, and
//! with a deadline for the other.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use minijinja::value::{Serde, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, Value, context, escape_formatter};

use super::{JinjaError, python, source};

/// The longest source that is read. The longest of a well-known model (gpt-oss) has 17 kB.
const SOURCE_LIMIT: usize = 1 << 16;
/// Fuel of a rendering: an instruction takes one, and so do 64 bytes made.
const FUEL: u64 = 20_000;
const FUEL_A_MESSAGE: u64 = 500;
/// Calls within calls; a macro takes several.
const RECURSION: usize = 100;
/// Bytes that a list or a dict may take in the text.
pub(super) const PRINT_LIMIT: usize = 1 << 16;
/// Room for the deepest expression that fits in [`SOURCE_LIMIT`]. Untouched pages take no memory.
const STACK: usize = 256 << 20;
/// For what fuel does not count. Ordinary conversations take well under a millisecond.
const DEADLINE: Duration = Duration::from_secs(5);

/// One conversation to write.
pub(super) struct Task {
    pub messages: Vec<serde_json::Value>,
    /// Whether an answer is to come.
    pub to_be_continued: bool,
    /// Length of what is said.
    pub bytes: usize,
}

#[derive(Debug)]
pub(super) struct Engine {
    environment: Arc<Environment<'static>>,
    tokens: Arc<BTreeMap<String, String>>,
}

const NAME: &str = "chat_template";

impl Engine {
    pub(super) fn new(source: &str, tokens: BTreeMap<String, String>) -> Result<Self, JinjaError> {
        if source.len() > SOURCE_LIMIT {
            return Err(JinjaError::TooLong {
                bytes: source.len(),
                limit: SOURCE_LIMIT,
            });
        }
        if source::is_too_complex(source) {
            return Err(JinjaError::Endless);
        }
        let source = source::without_generation_tags(source);
        let environment = apart(move || environment(source))??;
        Ok(Self {
            environment: Arc::new(environment),
            tokens: Arc::new(tokens),
        })
    }

    /// Writes conversations, each on its own; those after one that was stopped may be missing.
    pub(super) fn run(&self, tasks: Vec<Task>) -> Vec<Result<String, JinjaError>> {
        let (environment, tokens) = (Arc::clone(&self.environment), Arc::clone(&self.tokens));
        let run = move || {
            let mut texts = Vec::with_capacity(tasks.len());
            for task in tasks {
                let text = render(&environment, &tokens, &task);
                let stopped = text == Err(JinjaError::Endless);
                texts.push(text);
                if stopped {
                    break;
                }
            }
            texts
        };
        apart(run).unwrap_or_else(|error| vec![Err(error)])
    }
}

fn environment(source: String) -> Result<Environment<'static>, JinjaError> {
    let mut environment = Environment::new();
    // As transformers sets them.
    let syntax = environment.syntax().to_builder();
    let syntax = { syntax }.trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(failure)?);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.set_recursion_limit(RECURSION);
    environment.set_formatter(print);
    environment.set_unknown_method_callback(python::method);
    environment.add_filter("tojson", python::to_json);
    environment.add_function("raise_exception", python::raise_exception);
    environment.add_function("strftime_now", python::strftime_now);
    environment
        .add_template_owned(NAME, source)
        .map_err(failure)?;
    Ok(environment)
}

fn render(
    environment: &Environment<'static>,
    tokens: &BTreeMap<String, String>,
    task: &Task,
) -> Result<String, JinjaError> {
    let mut environment = environment.clone();
    let fuel = FUEL + FUEL_A_MESSAGE * task.messages.len() as u64 + task.bytes as u64 / 4;
    environment.set_fuel(Some(fuel));
    let template = environment.get_template(NAME).map_err(failure)?;
    let tokens = Value::from(Serde(tokens));
    let own = context! {
        messages => Value::from(Serde(&task.messages)),
        add_generation_prompt => task.to_be_continued,
        tools => (),
        documents => (),
    };
    template
        .render(context! { ..own, ..tokens })
        .map_err(failure)
}

/// Writes a value into the text: a list or a dict, which a template prints by mistake if at all,
/// only while it is short.
fn print(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable | ValueKind::Plain => {
            let mut text = Short(String::new());
            write!(text, "{value}").map_err(|_| Error::from(ErrorKind::OutOfFuel))?;
            out.write_str(&text.0).map_err(Error::from)
        }
        _ => escape_formatter(out, state, value),
    }
}

struct Short(String);

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > PRINT_LIMIT {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[allow(clippy::needless_pass_by_value)] // what `map_err` gives
fn failure(error: Error) -> JinjaError {
    let endless = error.kind() == ErrorKind::OutOfFuel
        || error.detail().is_some_and(|detail| {
            detail.contains("recursion limit") || detail.contains("too many elements")
        });
    if endless {
        JinjaError::Endless
    } else {
        JinjaError::Failed(error.to_string())
    }
}

/// Runs `work` on a thread of its own. One that misses the deadline is left behind.
fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JinjaError> {
    let (send, receive) = sync_channel(1);
    let thread = std::thread::Builder::new()
        .name(NAME.to_owned())
        .stack_size(STACK)
        .spawn(move || {
            // Nobody listens after the deadline.
            let _ = send.send(work());
        });
    thread.map_err(|error| JinjaError::Failed(format!("no thread to run it on: {error}")))?;
    receive.recv_timeout(DEADLINE).map_err(|error| match error {
        RecvTimeoutError::Timeout => JinjaError::Endless,
        RecvTimeoutError::Disconnected => JinjaError::Failed("it broke the engine".to_owned()),
    })
}
