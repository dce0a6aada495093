//! What a teacher is told: a system text, examples of contexts with the replies that are wanted, and
//! the context in question; for each type of response.
//!
//! They are files, compiled in from `prompts/` and replaced by a folder of the user's:
//!
//! | file | holds |
//! | --- | --- |
//! | `TYPE/system.j2` | the system text |
//! | `TYPE/query.j2` | how a context is put, an example's too |
//! | `TYPE/examples.toml` | `[[example]]` with `captions`, `instances` and `reply` |
//! | `detail/questions.txt` | what a description answers, a question a line |
//!
//! `.j2` files are Jinja templates with `captions`, a list of lines, `instances`, a list of
//! `{category, bbox}`, and `boxes`, the [paper's lines](Context::boxes) of them.

mod examples;
mod files;

use std::path::Path;

use menagerie_core::chat::Message;
use menagerie_core::hex::hex;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use sha2::{Digest, Sha256};

use super::amounts::PerType;
use super::context::{Context, Instance, boxes};
use super::error::InstructError;
use super::form;
use super::response::ResponseType;
use examples::Example;
use files::PromptFiles;

/// The prompts of all types.
#[derive(Debug)]
pub struct Prompts {
    files: PromptFiles,
    templates: Environment<'static>,
    examples: PerType<Vec<Message>>,
    /// The texts of the examples' replies.
    replies: PerType<Vec<String>>,
    questions: Vec<String>,
}

impl Prompts {
    /// Those that come with this program.
    ///
    /// # Errors
    /// None: what is compiled in is whole, which a test sees to.
    pub fn built_in() -> Result<Self, InstructError> {
        Self::new(PromptFiles::built_in())
    }

    /// Those of a folder.
    ///
    /// # Errors
    /// A file is missing or wrong.
    pub fn load(folder: &Path) -> Result<Self, InstructError> {
        Self::new(PromptFiles::load(folder)?)
    }

    /// Writes those that come with this program into a new folder.
    ///
    /// # Errors
    /// It is there already and holds something, or cannot be written.
    pub fn write_built_in(folder: &Path) -> Result<(), InstructError> {
        PromptFiles::built_in().write_new(folder)
    }

    fn new(files: PromptFiles) -> Result<Self, InstructError> {
        let mut templates = Environment::new();
        let syntax = templates.syntax().to_builder();
        let syntax = { syntax }.trim_blocks(true).lstrip_blocks(true).build();
        templates.set_syntax(syntax.expect("the default delimiters are allowed"));
        templates.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, text) in files.templates() {
            let added = templates.add_template_owned(name, text.to_owned());
            added.map_err(|error| files.failure(name, &error))?;
        }
        let questions = files.questions()?;
        let mut prompts = Self {
            files,
            templates,
            examples: PerType::default(),
            replies: PerType::default(),
            questions,
        };
        for kind in ResponseType::ALL {
            let (name, text) = prompts.files.examples(kind);
            let read = examples::read(text);
            let read = read.map_err(|(line, reason)| prompts.files.wrong(name, line, reason))?;
            for Example {
                captions,
                instances,
                reply,
            } in read
            {
                let query = prompts.render(kind, QUERY, &captions, &instances)?;
                let reply = reply.trim().to_owned();
                form::read(kind, &reply, "Describe it.").map_err(|reject| {
                    let reason = format!(
                        "an example's reply is none that would be accepted: {}",
                        reject.detail
                    );
                    prompts.files.wrong(name, None, reason)
                })?;
                prompts.replies[kind].push(reply.clone());
                prompts.examples[kind].extend([Message::user(query), Message::assistant(reply)]);
            }
        }
        Ok(prompts)
    }

    /// What the teacher is sent about a context.
    ///
    /// # Errors
    /// A template asks for something that the context does not have.
    pub fn messages(
        &self,
        kind: ResponseType,
        context: &Context,
    ) -> Result<Vec<Message>, InstructError> {
        let part = |part| self.render(kind, part, &context.captions, &context.instances);
        let system = Message::system(part(SYSTEM)?);
        let query = Message::user(part(QUERY)?);
        let examples = self.examples[kind].iter().cloned();
        Ok([system]
            .into_iter()
            .chain(examples)
            .chain([query])
            .collect())
    }

    /// What a description answers: one of these is drawn for each.
    #[must_use]
    pub fn questions(&self) -> &[String] {
        &self.questions
    }

    /// The replies of a type's examples.
    #[must_use]
    pub fn replies(&self, kind: ResponseType) -> &[String] {
        &self.replies[kind]
    }

    /// SHA-256 of all files, in hexadecimal digits.
    #[must_use]
    pub fn sha256(&self) -> String {
        let mut hasher = Sha256::new();
        for (name, text) in self.files.iter() {
            // With their lengths, so that no two sets run together to the same bytes.
            for part in [name, text] {
                hasher.update((part.len() as u64).to_le_bytes());
                hasher.update(part);
            }
        }
        hex(&hasher.finalize())
    }

    /// The files' names and texts.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter()
    }

    fn render(
        &self,
        kind: ResponseType,
        part: &str,
        captions: &[String],
        instances: &[Instance],
    ) -> Result<String, InstructError> {
        let name = format!("{kind}/{part}");
        let template = self.templates.get_template(&name);
        let text = template.and_then(|template| {
            template.render(context! {
                captions => Value::from(Serde(captions)),
                instances => Value::from(Serde(instances)),
                boxes => boxes(instances),
            })
        });
        let text = text.map_err(|error| self.files.failure(&name, &error))?;
        Ok(text.trim().to_owned())
    }
}

const SYSTEM: &str = "system.j2";
const QUERY: &str = "query.j2";

#[cfg(test)]
mod tests {
    use std::fs;

    use menagerie_core::chat::Speaker;

    use super::super::objects::absent;
    use super::*;

    fn dog() -> Context {
        Context {
            id: "1".to_owned(),
            image: "1.jpg".to_owned(),
            captions: vec!["A dog.".to_owned(), "It runs & barks.".to_owned()],
            instances: vec![Instance {
                category: "dog".to_owned(),
                bbox: [0.5, 0.25, 0.75, 1.0],
            }],
        }
    }

    #[test]
    fn conversations_see_captions_alone_and_the_others_see_boxes() {
        let prompts = Prompts::built_in().expect("whole");
        let last = |kind| {
            let messages = prompts.messages(kind, &dog()).expect("rendered");
            assert_eq!(messages[0].speaker, Speaker::System);
            messages.last().expect("a query").content.clone()
        };
        let captions = "A dog.\nIt runs & barks.";
        let both = format!("{captions}\n\ndog: [0.5, 0.25, 0.75, 1.0]");
        assert_eq!(last(ResponseType::Conversation), captions);
        assert_eq!(last(ResponseType::Detail), both);
        assert_eq!(last(ResponseType::Reasoning), both);
        let alone = Context {
            instances: Vec::new(),
            ..dog()
        };
        let messages = prompts
            .messages(ResponseType::Detail, &alone)
            .expect("rendered");
        assert_eq!(messages.last().expect("a query").content, captions);
    }

    /// The paper has two, three and three (its released prompts).
    #[test]
    fn the_examples_are_as_replies_are_wanted() {
        let prompts = Prompts::built_in().expect("whole");
        for (kind, count) in ResponseType::ALL.into_iter().zip([2, 3, 3]) {
            let messages = prompts.messages(kind, &dog()).expect("rendered");
            assert_eq!(messages.len(), 2 + 2 * count, "{kind}");
            let (name, text) = prompts.files.examples(kind);
            let examples = examples::read(text).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            for example in examples {
                let pairs = form::read(kind, &example.reply, "Describe it.");
                let pairs = pairs.unwrap_or_else(|reject| panic!("{kind}: {reject:?}"));
                let context = Context {
                    captions: example.captions,
                    instances: example.instances,
                    ..dog()
                };
                assert_eq!(context.captions.len(), 5);
                for pair in pairs {
                    let absent = absent(&pair.answer, &context);
                    assert!(absent.is_empty(), "{kind}: {absent:?}");
                }
            }
        }
        assert_eq!(prompts.questions().len(), 16);
    }

    #[test]
    fn a_folder_replaces_them_and_says_what_is_wrong_with_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let own = folder.path().join("own");
        Prompts::write_built_in(&own).expect("written");
        let built_in = Prompts::built_in().expect("whole").sha256();
        assert_eq!(Prompts::load(&own).expect("the same").sha256(), built_in);
        let again = Prompts::write_built_in(&own).expect_err("it is there");
        assert!(again.to_string().contains("is there"), "{again}");

        let put = |name: &str, text: &str| fs::write(own.join(name), text).expect("written");
        let said = || {
            Prompts::load(&own)
                .map(|_| ())
                .expect_err("wrong")
                .to_string()
        };
        put("conversation/query.j2", "{{ captions[0] }}!\n");
        let prompts = Prompts::load(&own).expect("well formed");
        assert_ne!(prompts.sha256(), built_in);
        let messages = prompts
            .messages(ResponseType::Conversation, &dog())
            .expect("rendered");
        assert_eq!(messages.last().expect("a query").content, "A dog.!");

        put("conversation/query.j2", "\n{{ caption }}");
        assert!(
            said().contains("conversation/query.j2:2: undefined value"),
            "{}",
            said()
        );
        put("conversation/query.j2", "\n\n{{ captions ");
        assert!(
            said().contains("conversation/query.j2:3: syntax error"),
            "{}",
            said()
        );
        put("conversation/query.j2", "{{ captions }}");
        put(
            "detail/examples.toml",
            "[[example]]\ncaptions = []\nrepli = \"\"\n",
        );
        assert!(
            said().contains("detail/examples.toml:3: unknown field `repli`"),
            "{}",
            said()
        );
        put("detail/examples.toml", "");
        put("detail/questions.txt", "\n");
        assert!(
            said().contains("detail/questions.txt: no question"),
            "{}",
            said()
        );
        fs::remove_file(own.join("detail/questions.txt")).expect("removed");
        assert!(
            said().contains("questions.txt: it is not there"),
            "{}",
            said()
        );
    }
}
