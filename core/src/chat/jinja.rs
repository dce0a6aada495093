//! A model's own template, in Jinja.
//!
//! Nothing is known of it but what it writes. How it reads messages, what it writes after an answer
//! and which bytes an answer takes are all found by rendering.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::{Value, json};
use thiserror::Error;

use super::rendered::places;
use super::{IMAGE_MARK, RenderError, Rendered, Role, Turn, check_order};

mod engine;
mod marks;
mod python;
mod source;

use engine::{Engine, Task};

/// A Jinja template that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JinjaError {
    /// It is longer than any template that a model needs.
    #[error("the chat template is {bytes} bytes long, and {limit} is the limit")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The longest that is read.
        limit: usize,
    },
    /// It is no Jinja, or calls what is not there, or raised an error of its own.
    #[error("the chat template failed: {0}")]
    Failed(String),
    /// It loops, recurses or grows without end.
    #[error(
        "the chat template was stopped: it takes more work or memory than any conversation needs"
    )]
    Endless,
    /// It writes nothing of what is said.
    #[error(
        "the chat template writes no message, neither of `content` as a text nor as a list of parts"
    )]
    NoContent,
}

/// How a template reads a message's `content`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `"<image>\nWhat is this?"`.
    Text,
    /// `[{"type": "image"}, {"type": "text", "text": "What is this?"}]`.
    Parts,
}

/// A template with what was found out about it.
#[derive(Debug)]
pub(super) struct Jinja {
    engine: Engine,
    form: Form,
    lead: String,
    end: String,
}

/// What the template is tried on: words that no template writes by itself.
const QUESTION: &str = "Zanzibar?";
const ANSWER: &str = "Ouagadougou.";

impl Jinja {
    pub(super) fn new(source: &str, tokens: BTreeMap<String, String>) -> Result<Self, JinjaError> {
        let engine = Engine::new(source, tokens)?;
        let form = find_form(&engine)?;
        let mut template = Self {
            engine,
            form,
            lead: String::new(),
            end: String::new(),
        };
        let turns = [Turn::human(QUESTION), Turn::assistant(ANSWER)];
        let tasks = vec![template.prompt(&turns[..1]), template.closed(&turns)];
        let texts = template.engine.run(tasks);
        // A template that fails here can still write prompts.
        if let [Ok(prompt), Ok(closed)] = texts.as_slice()
            && let Some((before, end)) = closed.rsplit_once(ANSWER)
        {
            end.clone_into(&mut template.end);
            let lead = before.strip_prefix(prompt.as_str());
            lead.unwrap_or_default().clone_into(&mut template.lead);
        }
        Ok(template)
    }

    pub(super) fn lead(&self) -> &str {
        &self.lead
    }

    pub(super) fn end(&self) -> &str {
        &self.end
    }

    pub(super) fn render_prompt(&self, turns: &[Turn]) -> Result<Rendered, RenderError> {
        check_order(turns)?;
        let marked = marks::mark_all(turns);
        let tasks = vec![self.whole(turns), self.whole(&marked)];
        let mut texts = self.engine.run(tasks).into_iter();
        let text = next(&mut texts)?;
        rendered(turns, text, next(&mut texts).ok(), Vec::new())
    }

    pub(super) fn render(&self, turns: &[Turn]) -> Result<Rendered, RenderError> {
        check_order(turns)?;
        let answers: Vec<usize> = (0..turns.len())
            .filter(|&index| turns[index].role == Role::Assistant)
            .collect();
        let marked = marks::mark_all(turns);
        let mut tasks = vec![self.whole(turns), self.whole(&marked)];
        for &index in &answers {
            tasks.push(self.prompt(&turns[..index]));
            tasks.push(self.closed(&turns[..=index]));
        }
        let mut texts = self.engine.run(tasks).into_iter();
        let text = next(&mut texts)?;
        let marked = next(&mut texts).ok();
        let mut supervised = Vec::with_capacity(answers.len());
        for index in answers {
            let (prompt, closed) = (next(&mut texts)?, next(&mut texts)?);
            let number = index + 1;
            let unstable = |changed_by| RenderError::Unstable { number, changed_by };
            let Some(added) = closed.strip_prefix(prompt.as_str()) else {
                return Err(unstable("it is answered"));
            };
            if !text.starts_with(&closed) {
                return Err(unstable("the conversation goes on"));
            }
            if !added.contains(turns[index].text.trim()) {
                return Err(RenderError::Rewritten { number });
            }
            supervised.push(prompt.len()..prompt.len() + self.learned(added).len());
        }
        supervised.retain(|span| !span.is_empty());
        rendered(turns, text, marked, supervised)
    }

    /// What is learned of the text that an answer adds: all but the space after its end mark.
    fn learned<'t>(&self, added: &'t str) -> &'t str {
        let mark = self.end.trim_end();
        if !mark.is_empty() && added.ends_with(&self.end) {
            &added[..added.len() - (self.end.len() - mark.len())]
        } else {
            added
        }
    }

    /// A conversation as it is: to be continued if the human spoke last.
    fn whole(&self, turns: &[Turn]) -> Task {
        match turns.last() {
            Some(turn) if turn.role == Role::Assistant => self.closed(turns),
            _ => self.prompt(turns),
        }
    }

    fn prompt(&self, turns: &[Turn]) -> Task {
        task(turns, self.form, true)
    }

    fn closed(&self, turns: &[Turn]) -> Task {
        task(turns, self.form, false)
    }
}

fn rendered(
    turns: &[Turn],
    text: String,
    marked: Option<String>,
    supervised: Vec<Range<usize>>,
) -> Result<Rendered, RenderError> {
    let said = turns.iter().map(Turn::images).sum();
    let images = places(&text, IMAGE_MARK);
    if images.len() != said {
        return Err(RenderError::Images {
            images: said,
            written: images.len(),
        });
    }
    Ok(Rendered {
        typed: marked.and_then(|marked| marks::find(&marked, &text)),
        text,
        supervised,
        images,
    })
}

fn next(
    texts: &mut impl Iterator<Item = Result<String, JinjaError>>,
) -> Result<String, JinjaError> {
    texts.next().unwrap_or(Err(JinjaError::Endless))
}

/// How the template reads a question, and one about an image.
fn find_form(engine: &Engine) -> Result<Form, JinjaError> {
    let question = [Turn::human(QUESTION)];
    let about_image = [Turn::human(format!("{IMAGE_MARK}\n{QUESTION}"))];
    let tasks = vec![
        task(&question, Form::Text, true),
        task(&question, Form::Parts, true),
        task(&about_image, Form::Parts, true),
    ];
    let mut texts = engine.run(tasks).into_iter();
    let mut tried = || match next(&mut texts) {
        Err(JinjaError::Endless) => Err(JinjaError::Endless),
        text => Ok(text),
    };
    let (text, parts, image) = (tried()?, tried()?, tried()?);
    let reads_text = text.as_ref().is_ok_and(|text| text.contains(QUESTION));
    let reads_parts = match (&text, &parts) {
        // One that takes both writes both alike; one that takes a text alone prints the list.
        (Ok(text), Ok(parts)) if reads_text => text == parts,
        (_, Ok(parts)) => parts.contains(QUESTION) && !parts.contains("'type'"),
        _ => false,
    };
    let reads_images = image.is_ok_and(|text| text.matches(IMAGE_MARK).count() == 1);
    if reads_parts && (reads_images || !reads_text) {
        return Ok(Form::Parts);
    }
    if reads_text {
        return Ok(Form::Text);
    }
    Err(text.err().unwrap_or(JinjaError::NoContent))
}

fn task(turns: &[Turn], form: Form, to_be_continued: bool) -> Task {
    let message = |turn: &Turn| {
        let role = match turn.role {
            Role::Human => "user",
            Role::Assistant => "assistant",
        };
        let content = match form {
            Form::Text => turn.text.clone().into(),
            Form::Parts => parts(&turn.text),
        };
        json!({"role": role, "content": content})
    };
    Task {
        messages: turns.iter().map(message).collect(),
        to_be_continued,
        bytes: turns.iter().map(|turn| turn.text.len()).sum(),
    }
}

/// A turn's images and texts. The line feed between an image and a text is the template's matter.
fn parts(text: &str) -> Value {
    let mut parts = Vec::new();
    let mut texts = text.split(IMAGE_MARK).peekable();
    let mut after_image = false;
    while let Some(mut text) = texts.next() {
        let before_image = texts.peek().is_some();
        if after_image {
            text = text.strip_prefix('\n').unwrap_or(text);
        }
        if before_image {
            text = text.strip_suffix('\n').unwrap_or(text);
        }
        if !text.is_empty() {
            parts.push(json!({"type": "text", "text": text}));
        }
        if before_image {
            parts.push(json!({"type": "image"}));
        }
        after_image = true;
    }
    parts.into()
}

#[cfg(test)]
mod tests;
