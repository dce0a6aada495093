//! The book says what the program says.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn menagerie(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_menagerie"))
        .args(args)
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "menagerie {}", args.join(" "));
    String::from_utf8(output.stdout).expect("stdout is text")
}

/// The plugins' page, from `menagerie plugins` and `menagerie plugins NAME`.
fn plugin_reference() -> String {
    let table = menagerie(&["plugins"]);
    let mut page = "# Plugins\n\n\
        What `menagerie plugins` and `menagerie plugins NAME` print. This page is made by a test: \
        `MENAGERIE_UPDATE=1 cargo test --test docs`.\n\n"
        .to_owned();
    write!(page, "```text\n{table}```\n").expect("a string takes any text");
    for name in plugin_names() {
        let text = menagerie(&["plugins", &name]);
        write!(page, "\n## `{name}`\n\n```text\n{text}```\n").expect("a string takes any text");
    }
    page
}

/// The names of all plugins, each once.
fn plugin_names() -> Vec<String> {
    let all: Value = serde_json::from_str(&menagerie(&["plugins", "--json"])).expect("JSON");
    let names = all.as_array().expect("a list").iter();
    let mut names: Vec<String> = names
        .map(|plugin| plugin["name"].as_str().expect("a name").to_owned())
        .collect();
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

/// With `MENAGERIE_UPDATE=1` the file is written anew.
#[test]
fn the_plugin_reference_is_current() {
    let name = "docs/src/reference/plugins.md";
    let page = plugin_reference();
    if std::env::var_os("MENAGERIE_UPDATE").is_some() {
        fs::write(root().join(name), &page).expect("the page can be written");
    }
    assert!(
        read(name) == page,
        "{name} is old; run with MENAGERIE_UPDATE=1"
    );
}

#[test]
fn the_tables_of_the_readme_name_every_plugin_and_recipe() {
    let readme = read("README.md");
    let recipes = menagerie(&["recipe", "list"]);
    let recipes = recipes
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    for name in plugin_names().into_iter().chain(recipes.map(str::to_owned)) {
        let quoted = format!("`{name}`");
        assert!(
            readme
                .lines()
                .any(|line| line.starts_with('|') && line.contains(&quoted)),
            "README.md has no line about {quoted}"
        );
    }
}

/// Every chapter is in the summary, and every relative link leads to a file.
#[test]
fn links_between_pages_lead_somewhere() {
    let mut pages = vec![root().join("README.md"), root().join("CONTRIBUTING.md")];
    collect_pages(&root().join("docs"), &mut pages);
    let summary = read("docs/src/SUMMARY.md");
    for page in &pages {
        if let Ok(chapter) = page.strip_prefix(root().join("docs/src")) {
            let chapter = chapter.to_str().expect("a plain name");
            assert!(
                chapter == "SUMMARY.md" || summary.contains(&format!("({chapter})")),
                "SUMMARY.md does not list {chapter}"
            );
        }
        let text = fs::read_to_string(page).expect("the page is there");
        for link in links(&text) {
            let target = page.parent().expect("a folder").join(link);
            assert!(target.exists(), "{}: {link} is no file", page.display());
        }
    }
}

fn collect_pages(folder: &Path, pages: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect_pages(&path, pages);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            pages.push(path);
        }
    }
}

/// Targets of `[text](target)` that are files: no addresses, no anchors, and no pictures, which
/// are made by a run.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1);
    targets
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split('#').next().unwrap_or_default())
        .filter(|target| !target.is_empty() && !target.contains("://") && !target.contains(' '))
        .filter(|target| !target.contains(".png"))
        .collect()
}
