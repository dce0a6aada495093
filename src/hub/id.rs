//! Names of models on the hub.

use std::fmt::{Display, Formatter};

/// The longest name that the hub gives.
const MAX_NAME: usize = 96;

/// Endings of files. A repository may have such a name, but who writes one means a file.
const FILE_ENDINGS: [&str; 7] = [
    ".safetensors",
    ".bin",
    ".gguf",
    ".pt",
    ".pth",
    ".json",
    ".toml",
];

/// A model's repository on the hub: `owner/name`, or `owner/name@revision`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HubId {
    name: String,
    revision: Option<String>,
}

impl HubId {
    /// Reads `owner/name` or `owner/name@revision`, where the revision is a branch, a tag or a
    /// commit's hash. None for every other text: absolute paths, `./x`, `../x`, more or fewer than
    /// one slash, and names that end as files do (`x/model.safetensors`).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, revision) = match text.split_once('@') {
            Some((name, revision)) => (name, Some(revision)),
            None => (text, None),
        };
        let (owner, model) = name.split_once('/')?;
        let is_file = FILE_ENDINGS.iter().any(|ending| model.ends_with(ending));
        let named = is_name(owner) && is_name(model) && name.len() <= MAX_NAME && !is_file;
        let revised = revision.is_none_or(is_revision);
        (named && revised).then(|| Self {
            name: name.to_owned(),
            revision: revision.map(str::to_owned),
        })
    }

    /// `owner/name`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The branch, tag or commit: `main` unless another is stated.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }

    /// The commit, if that is what the revision is: then the files can never change.
    pub fn commit(&self) -> Option<&str> {
        self.revision.as_deref().filter(|text| is_commit(text))
    }
}

impl Display for HubId {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.name, self.revision())
    }
}

/// The whole hash of a git commit.
pub(super) fn is_commit(text: &str) -> bool {
    is_hash(text, 40)
}

/// So many hexadecimal digits in lower case.
pub(super) fn is_hash(text: &str, digits: usize) -> bool {
    text.len() == digits
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The hub's rule for names, which keeps them from meaning anything as a path.
fn is_name(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let edge = |b: Option<u8>| b.is_some_and(|b| b != b'-' && b != b'.');
    text.bytes().all(plain)
        && edge(text.bytes().next())
        && edge(text.bytes().last())
        && !text.contains("..")
        && !text.contains("--")
}

/// A branch may have slashes (`refs/pr/5`); its parts are the names of files in the cache.
fn is_revision(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.+".contains(&b);
    text.split('/')
        .all(|part| !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_an_owner_and_a_name_with_or_without_a_revision() {
        let id = HubId::parse("openai/clip-vit-large-patch14").expect("an id");
        assert_eq!(id.name(), "openai/clip-vit-large-patch14");
        assert_eq!(id.revision(), "main");
        assert_eq!(id.commit(), None);
        let commit = "0123456789abcdef0123456789abcdef01234567";
        for revision in ["main", "v1.0", "refs/pr/5", "feature_x", commit] {
            let id = HubId::parse(&format!("lmsys/vicuna-7b-v1.5@{revision}")).expect("an id");
            assert_eq!(id.revision(), revision);
            assert_eq!(id.commit().is_some(), revision == commit);
            assert_eq!(id.to_string(), format!("lmsys/vicuna-7b-v1.5@{revision}"));
        }
    }

    #[test]
    fn what_may_be_a_path_is_no_id() {
        let paths = [
            "",
            "vicuna",
            "/models/vicuna",
            "./vicuna",
            "../vicuna",
            "a/b/c",
            "a/",
            "/a",
            "a/..",
            "../..",
            "~/vicuna",
            "a\\b",
            "C:/models",
            "weights/vision.safetensors",
            "weights/mm_projector.bin",
            "org/name@",
            "org/name@../x",
            "org/name@a//b",
            "org/name@/a",
            "org/na me",
            "org/-name",
            "org/a--b",
        ];
        for path in paths {
            assert_eq!(HubId::parse(path), None, "{path}");
        }
    }
}
