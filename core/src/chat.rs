//! Conversation templates: turns to text, and which bytes of it are supervised.
//!
//! A built-in template marks what it learns while it writes; of a folder's own Jinja template it is
//! what the answer adds to the prompt before it. So labels come from byte spans and never from
//! searching the text: a user who types `ASSISTANT:` or `</s>` changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use thiserror::Error;

use crate::error::nearest;

mod builtin;
mod folder;
mod jinja;
mod message;
mod rendered;
mod templates;
mod turn;
mod write;

use builtin::BuiltIn;
use jinja::Jinja;

pub use folder::TemplateError;
pub use jinja::JinjaError;
pub use message::{Message, Speaker};
pub use rendered::Rendered;
pub use turn::{IMAGE_MARK, Role, Turn, TurnError, check_order};

/// The name in `chat = "…"` of the template that a model brings.
pub const JINJA: &str = "jinja";

/// How a conversation is written for a model: one of those built in, or a Jinja template that came
/// with a model. A clone is the same template.
#[derive(Debug, Clone)]
pub struct Template(Kind);

#[derive(Debug, Clone)]
enum Kind {
    BuiltIn(&'static BuiltIn),
    Jinja(Arc<Jinja>),
}

/// No template has that name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("no chat template is called `{name}`; there are: {}{}", .allowed.join(", "), nearest(.name, .allowed))]
#[non_exhaustive]
pub struct UnknownTemplate {
    /// The name asked for.
    pub name: String,
    /// The names there are.
    pub allowed: Vec<&'static str>,
}

/// A conversation that a template cannot write.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The turns are no conversation.
    #[error(transparent)]
    Turns(#[from] TurnError),
    /// The model's own template failed.
    #[error(transparent)]
    Jinja(#[from] JinjaError),
    /// A Jinja template writes a turn in another way once more is said.
    #[error(
        "the model's own chat template cannot be learned from here: what it writes up to turn {number} changes once {changed_by}; take a built-in one (`chat = \"…\"`), or `turns = \"separate\"`"
    )]
    Unstable {
        /// Which turn, from 1.
        number: usize,
        /// What changes it.
        changed_by: &'static str,
    },
    /// A Jinja template does not write an answer as it is.
    #[error(
        "the model's own chat template does not write the answer of turn {number} as it is; take a built-in one (`chat = \"…\"`)"
    )]
    Rewritten {
        /// Which turn, from 1.
        number: usize,
    },
    /// A Jinja template writes more or fewer images than there are.
    #[error(
        "the model's own chat template writes `<image>` {written} times for {images} images; take a built-in one (`chat = \"…\"`)"
    )]
    Images {
        /// Images of the turns.
        images: usize,
        /// Image marks in the text.
        written: usize,
    },
}

impl Template {
    /// The built-in template of that name.
    ///
    /// # Errors
    /// There is none; the error lists the names.
    pub fn named(name: &str) -> Result<Self, UnknownTemplate> {
        let mut all = templates::ALL.iter();
        match all.find(|template| template.name == name) {
            Some(template) => Ok(Self(Kind::BuiltIn(template))),
            None => Err(UnknownTemplate {
                name: name.to_owned(),
                allowed: Self::names(),
            }),
        }
    }

    /// The names of all built-in templates.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        let all = templates::ALL.iter();
        all.map(|template| template.name).collect()
    }

    /// A Jinja template as Hugging Face's `apply_chat_template` takes it. `tokens` are the texts of
    /// the special tokens that it may name: `bos_token`, `eos_token`, ….
    ///
    /// It is tried on short conversations, to find out whether it reads a message's `content` as a
    /// text or as a list of parts, and what it writes after an answer.
    ///
    /// # Errors
    /// A template that cannot be read, that fails on every form of a question, or that takes too
    /// much work.
    pub fn jinja(source: &str, tokens: BTreeMap<String, String>) -> Result<Self, JinjaError> {
        Ok(Self(Kind::Jinja(Arc::new(Jinja::new(source, tokens)?))))
    }

    /// The name in `chat = "…"`; `jinja` for a model's own.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match &self.0 {
            Kind::BuiltIn(template) => template.name,
            Kind::Jinja(_) => JINJA,
        }
    }

    /// The text at which an answer is over, or nothing. A model that ends with its end-of-text
    /// token never writes it.
    #[must_use]
    pub fn stop(&self) -> &str {
        match &self.0 {
            Kind::BuiltIn(template) => template.stop,
            Kind::Jinja(_) => "",
        }
    }

    /// What is written after an answer. It may begin with a token that ends answers:
    /// [`Tokenizer::end_tokens`](crate::tokens::Tokenizer::end_tokens).
    #[must_use]
    pub fn end(&self) -> &str {
        match &self.0 {
            Kind::BuiltIn(template) => template.end,
            Kind::Jinja(template) => template.end(),
        }
    }

    /// What stands between the prompt's end and an answer. A model writes it, as it learned to; it
    /// is no part of the answer.
    #[must_use]
    pub fn lead(&self) -> &str {
        match &self.0 {
            Kind::BuiltIn(template) => template.lead,
            Kind::Jinja(template) => template.lead(),
        }
    }

    /// What the template writes and a tokenizer must know as one token each. A model's own template
    /// states none: it came with its tokenizer.
    #[must_use]
    pub fn controls(&self) -> &'static [&'static str] {
        match &self.0 {
            Kind::BuiltIn(template) => template.controls,
            Kind::Jinja(_) => &[],
        }
    }

    /// Writes a conversation and marks what is supervised. If its last turn is by the human, the
    /// text ends where the answer begins (`… ASSISTANT:`, without a space).
    ///
    /// # Errors
    /// No turn, turns that do not alternate from the human on, or a Jinja template that fails or
    /// does not show what an answer adds.
    pub fn render(&self, turns: &[Turn]) -> Result<Rendered, RenderError> {
        match &self.0 {
            Kind::BuiltIn(template) => Ok(template.render(turns)?),
            Kind::Jinja(template) => template.render(turns),
        }
    }

    /// Writes a conversation to be continued. What is supervised of it may be left out.
    ///
    /// # Errors
    /// No turn, turns that do not alternate from the human on, or a Jinja template that fails.
    pub fn render_prompt(&self, turns: &[Turn]) -> Result<Rendered, RenderError> {
        match &self.0 {
            Kind::BuiltIn(template) => Ok(template.render(turns)?),
            Kind::Jinja(template) => template.render_prompt(turns),
        }
    }
}

#[cfg(test)]
mod tests;
