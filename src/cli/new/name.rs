//! The name of a new plugin, which is its crate's too.

use super::error::NewError;
use super::kind::Kind;

/// Longest name: crates.io takes no longer one.
const LONGEST: usize = 64;

/// Rust's words, those kept for later ones among them (The Rust Reference, "Keywords").
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "union", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Crates that the new one uses or that come with Rust, and names that Cargo keeps for folders.
const RESERVED: &[&str] = &[
    "alloc",
    "build",
    "burn",
    "core",
    "deps",
    "examples",
    "incremental",
    "menagerie",
    "menagerie_core",
    "menagerie_llm",
    "menagerie_projector",
    "menagerie_vision",
    "proc_macro",
    "schemars",
    "serde",
    "std",
    "test",
];

/// A name that Cargo and a recipe take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(String);

impl Name {
    /// Checks `text` as the name of a plugin and its crate.
    pub(super) fn parse(text: &str, kind: Kind) -> Result<Self, NewError> {
        let Some(rule) = broken(text) else {
            return Ok(Self(text.to_owned()));
        };
        Err(NewError::Name {
            name: text.to_owned(),
            rule,
            instead: like(text, kind),
        })
    }

    /// Checks that no plugin of `kind` that is linked in has the name.
    pub(super) fn check_free(&self, kind: Kind) -> Result<(), NewError> {
        let existing = kind.existing()?;
        let Some((_, owner)) = existing.iter().find(|(name, _)| *name == self.0) else {
            return Ok(());
        };
        Err(NewError::Taken {
            name: self.0.clone(),
            kind,
            owner: (*owner).to_owned(),
            taken: existing
                .iter()
                .map(|(name, _)| (*name).to_owned())
                .collect(),
            instead: format!("my-{}", self.0),
        })
    }

    /// As it was given: the plugin's name, and the package's.
    pub(super) fn text(&self) -> &str {
        &self.0
    }

    /// The library as Rust names it.
    pub(super) fn library(&self) -> String {
        self.0.replace('-', "_")
    }

    /// What the names of its types begin with; the kind, which they end with, is left out.
    pub(super) fn types(&self, kind: Kind) -> String {
        let stem = self.0.strip_suffix(kind.name());
        let stem = stem.and_then(|stem| stem.strip_suffix(['-', '_']));
        let words = stem.unwrap_or(&self.0).split(['-', '_']);
        let capital = |word: &str| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_ascii_uppercase() + rest
        };
        words.map(capital).collect()
    }
}

/// The rule that a name breaks.
fn broken(text: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
    let ends = text.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    let library = text.replace('-', "_");
    if !text.chars().all(allowed) || !begins || !ends {
        return Some(
            "it consists of a-z, 0-9, `-` and `_`, begins with a letter and ends with a letter or \
             a digit"
                .to_owned(),
        );
    }
    if text.len() > LONGEST {
        return Some(format!("it is longer than {LONGEST} letters"));
    }
    if KEYWORDS.contains(&library.as_str()) {
        return Some("it is a word of the Rust language".to_owned());
    }
    if RESERVED.contains(&library.as_str()) {
        return Some("Cargo, Rust or the new crate uses that name already".to_owned());
    }
    None
}

/// A name that may be used, as like `text` as can be.
fn like(text: &str, kind: Kind) -> String {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit()));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let mut name = words.join("-");
    name.truncate(LONGEST / 2);
    let name = name.trim_end_matches('-');
    if name.is_empty() {
        return format!("my-{kind}");
    }
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return format!("{kind}-{name}");
    }
    match broken(name) {
        None => name.to_owned(),
        Some(_) => format!("{name}-{kind}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_library_and_types() {
        let name = Name::parse("acme-vit2_encoder", Kind::Encoder).expect("a name");
        assert_eq!(name.library(), "acme_vit2_encoder");
        assert_eq!(name.types(Kind::Encoder), "AcmeVit2");
        assert_eq!(name.types(Kind::Decoder), "AcmeVit2Encoder");
        let name = Name::parse("decoder", Kind::Decoder).expect("a name");
        assert_eq!(name.types(Kind::Decoder), "Decoder");
    }

    #[test]
    fn a_name_that_cannot_be_is_refused_with_one_that_can() {
        let long = "a".repeat(65);
        for (text, rule, instead) in [
            ("My Encoder", "it consists of a-z", "my-encoder"),
            ("Acme_ViT/2", "it consists of a-z", "acme-vit-2"),
            ("2x", "it consists of a-z", "encoder-2x"),
            ("vit-", "it consists of a-z", "vit"),
            ("-", "it consists of a-z", "my-encoder"),
            ("", "it consists of a-z", "my-encoder"),
            ("été", "it consists of a-z", "t"),
            ("../up", "it consists of a-z", "up"),
            ("type", "it is a word of the Rust language", "type-encoder"),
            ("Self", "it consists of a-z", "self-encoder"),
            (
                "menagerie-core",
                "Cargo, Rust or the new crate",
                "menagerie-core-encoder",
            ),
            ("test", "Cargo, Rust or the new crate", "test-encoder"),
            (&long, "it is longer than 64", &long[..32]),
        ] {
            let error = Name::parse(text, Kind::Encoder).unwrap_err().to_string();
            assert!(error.contains(rule), "{error}");
            assert!(
                error.ends_with(&format!("; `{instead}` would do")),
                "{error}"
            );
            assert!(Name::parse(instead, Kind::Encoder).is_ok(), "{instead}");
        }
    }

    #[test]
    fn a_name_is_free_among_its_kind() {
        let name = Name::parse("clip", Kind::Encoder).expect("a name");
        let error = name.check_free(Kind::Encoder).unwrap_err().to_string();
        assert!(
            error.starts_with("`clip` is an encoder of menagerie-vision already"),
            "{error}"
        );
        assert!(error.ends_with("`my-clip` would do"), "{error}");
        assert!(name.check_free(Kind::Benchmark).is_ok());
        let name = Name::parse("exact", Kind::Benchmark).expect("a name");
        assert!(name.check_free(Kind::Benchmark).is_err());
    }
}
