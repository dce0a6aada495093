//! The files of a new crate. `templates/` holds them as they are written, but for the names: its
//! Rust and TOML say `new-plugin`, `new_plugin` and `NewPlugin`.

use super::kind::Kind;
use super::name::Name;

/// A file of the crate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct File {
    /// Its path within the crate.
    pub path: &'static str,
    pub bytes: Vec<u8>,
}

/// A file of `templates/` as it lies.
macro_rules! template {
    ($name:literal) => {
        include_bytes!(concat!("templates/", $name))
    };
}

/// A text of `templates/`.
macro_rules! text {
    ($name:literal) => {
        include_str!(concat!("templates/", $name))
    };
}

/// What differs between the kinds.
struct Parts {
    library: &'static str,
    recipe: &'static str,
    /// What the recipe changes, in the README's words.
    difference: &'static str,
    steps: &'static str,
}

impl Kind {
    fn parts(self) -> Parts {
        match self {
            Self::Encoder => Parts {
                library: text!("encoder.rs"),
                recipe: text!("encoder.toml"),
                difference: "this encoder in it",
                steps: text!("encoder.md"),
            },
            Self::Projector => Parts {
                library: text!("projector.rs"),
                recipe: text!("projector.toml"),
                difference: "this projector in it",
                steps: text!("projector.md"),
            },
            Self::Decoder => Parts {
                library: text!("decoder.rs"),
                recipe: text!("decoder.toml"),
                difference: "this decoder in it",
                steps: text!("decoder.md"),
            },
            Self::Benchmark => Parts {
                library: text!("benchmark.rs"),
                recipe: text!("benchmark.toml"),
                difference: "this benchmark scores it",
                steps: text!("benchmark.md"),
            },
        }
    }
}

/// The crate of a plugin. `dependency` is what Cargo is told of Menagerie: a version or a path.
pub(super) fn files(name: &Name, kind: Kind, dependency: &str) -> Vec<File> {
    let parts = kind.parts();
    let named = |text: &str| {
        text.replace("new-plugin", name.text())
            .replace("new_plugin", &name.library())
            .replace("NewPlugin", &name.types(kind))
    };
    // The dependency last: its path may hold the text of a placeholder.
    let manifest = named(text!("manifest.toml"))
        .replace("{rust-version}", env!("CARGO_PKG_RUST_VERSION"))
        .replace("{menagerie}", dependency);
    let contract = text!("contract.rs").replace("check_plugin", &format!("check_{kind}"));
    let readme = text!("README.md")
        .replace("{kind}", kind.name())
        .replace("{difference}", parts.difference)
        .replace("{steps}", parts.steps.trim_end());
    let texts = [
        ("Cargo.toml", manifest),
        (".gitignore", text!("gitignore").to_owned()),
        ("README.md", named(&readme)),
        ("baseline.toml", text!("baseline.toml").to_owned()),
        ("recipe.toml", named(parts.recipe)),
        ("src/lib.rs", named(parts.library)),
        ("src/main.rs", named(text!("main.rs"))),
        ("tests/contract.rs", named(&contract)),
    ];
    let tokenizer: &[u8] = include_bytes!("../../../recipes/quickstart/tokenizer.json");
    let data: [(_, &[u8]); 6] = [
        ("tokenizer.json", tokenizer),
        ("data.json", template!("data.json")),
        ("images/red.png", template!("images/red.png")),
        ("images/green.png", template!("images/green.png")),
        ("images/blue.png", template!("images/blue.png")),
        ("images/yellow.png", template!("images/yellow.png")),
    ];
    let texts = texts.map(|(path, text)| (path, text.into_bytes()));
    let data = data.map(|(path, bytes)| (path, bytes.to_vec()));
    let all = texts.into_iter().chain(data);
    all.map(|(path, bytes)| File { path, bytes }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The book shows the crate's own text.
    #[test]
    fn the_books_chapter_shows_what_is_written() {
        let name = Name::parse("patches", Kind::Encoder).expect("a name");
        let chapter = include_str!("../../../docs/src/plugin.md");
        for file in files(&name, Kind::Encoder, "\"0.1.0\"") {
            let shown = ["src/lib.rs", "src/main.rs", "recipe.toml"].contains(&file.path);
            let text = String::from_utf8_lossy(&file.bytes);
            assert!(
                !shown || chapter.contains(text.trim_end()),
                "docs/src/plugin.md does not show {}; it is:\n{text}",
                file.path
            );
        }
    }

    #[test]
    fn no_placeholder_is_left() {
        for kind in [
            Kind::Encoder,
            Kind::Projector,
            Kind::Decoder,
            Kind::Benchmark,
        ] {
            let name = Name::parse("acme-x", kind).expect("a name");
            for file in files(&name, kind, "\"0.1.0\"") {
                let text = String::from_utf8_lossy(&file.bytes);
                for left in [
                    "new-plugin",
                    "new_plugin",
                    "NewPlugin",
                    "check_plugin",
                    "{kind}",
                    "{menagerie}",
                    "{steps}",
                ] {
                    assert!(!text.contains(left), "{} of {kind}: {left}", file.path);
                }
            }
        }
    }
}
