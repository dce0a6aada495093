//! The files of prompts.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::super::error::InstructError;
use super::super::response::ResponseType;

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!($name))),*]
    };
}

/// Their names within a folder, with what is compiled in.
const FILES: [(&str, &str); 10] = built_in![
    "conversation/system.j2",
    "conversation/query.j2",
    "conversation/examples.toml",
    "detail/system.j2",
    "detail/query.j2",
    "detail/examples.toml",
    "detail/questions.txt",
    "reasoning/system.j2",
    "reasoning/query.j2",
    "reasoning/examples.toml",
];

/// The texts of all files.
#[derive(Debug)]
pub(super) struct PromptFiles {
    /// Where they lie; nowhere if they are compiled in.
    folder: Option<PathBuf>,
    files: Vec<(&'static str, String)>,
}

impl PromptFiles {
    pub(super) fn built_in() -> Self {
        let files = FILES.map(|(name, text)| (name, text.to_owned()));
        Self {
            folder: None,
            files: files.to_vec(),
        }
    }

    pub(super) fn load(folder: &Path) -> Result<Self, InstructError> {
        let files = FILES.map(|(name, _)| {
            let path = folder.join(name);
            match fs::read_to_string(&path) {
                Ok(text) => Ok((name, text)),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    let reason = "it is not there; `menagerie instruct prompts DIR` writes all files \
                                  that a folder of prompts has";
                    Err(InstructError::prompt(&path.display(), reason))
                }
                Err(source) => Err(InstructError::read(&path, source)),
            }
        });
        Ok(Self {
            folder: Some(folder.to_owned()),
            files: files.into_iter().collect::<Result<_, _>>()?,
        })
    }

    /// Writes them into a folder that is not there or empty.
    pub(super) fn write_new(&self, folder: &Path) -> Result<(), InstructError> {
        let is_empty = fs::read_dir(folder).map(|mut entries| entries.next().is_none());
        match is_empty {
            Ok(true) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Ok(false) | Err(_) => return Err(InstructError::PromptsExist(folder.to_owned())),
        }
        for (name, text) in self.iter() {
            let path = folder.join(name);
            let parent = path.parent().unwrap_or(folder);
            fs::create_dir_all(parent)
                .and_then(|()| fs::write(&path, text))
                .map_err(|source| InstructError::write(&path, source))?;
        }
        Ok(())
    }

    /// Names and texts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(name, text)| (*name, text.as_str()))
    }

    pub(super) fn templates(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = self.files.iter().map(|(name, text)| (*name, text.as_str()));
        all.filter(|(name, _)| name.rsplit('.').next() == Some("j2"))
    }

    /// The name and the text of a type's examples.
    pub(super) fn examples(&self, kind: ResponseType) -> (&'static str, &str) {
        let wanted = format!("{kind}/examples.toml");
        let found = self.files.iter().find(|(name, _)| *name == wanted);
        found.map_or(("", ""), |(name, text)| (*name, text.as_str()))
    }

    /// The questions that descriptions answer.
    pub(super) fn questions(&self) -> Result<Vec<String>, InstructError> {
        let name = "detail/questions.txt";
        let text = self.iter().find(|(other, _)| *other == name);
        let lines = text.map_or("", |(_, text)| text).lines().map(str::trim);
        let questions: Vec<String> = lines
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect();
        if questions.is_empty() {
            let reason = "no question is in it; a description answers one, drawn from a line each";
            return Err(self.wrong(name, None, reason));
        }
        Ok(questions)
    }

    /// Something wrong in a file.
    pub(super) fn wrong(
        &self,
        name: &str,
        line: Option<usize>,
        reason: impl Into<String>,
    ) -> InstructError {
        let path = match &self.folder {
            Some(folder) => folder.join(name),
            None => Path::new("the prompts that come along").join(name),
        };
        let line = line.map_or(String::new(), |line| format!(":{line}"));
        InstructError::prompt(&format_args!("{}{line}", path.display()), reason)
    }

    /// A template that cannot be read or filled.
    pub(super) fn failure(&self, name: &str, error: &minijinja::Error) -> InstructError {
        let detail = error
            .detail()
            .map_or(String::new(), |detail| format!(": {detail}"));
        let names = "; a template has `captions`, `instances` and `boxes`";
        self.wrong(
            name,
            error.line(),
            format!("{}{detail}{names}", error.kind()),
        )
    }
}
