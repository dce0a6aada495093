//! `menagerie new`: a plugin of one's own, as a crate that builds, passes its tests and trains.

mod error;
mod folder;
mod kind;
mod name;
mod template;

use std::path::{Path, PathBuf};

use menagerie_core::toml::Value;

pub(super) use error::NewError;

use super::error::CliError;
use kind::Kind;
use name::Name;

/// Write a crate with a plugin of your own, to change.
///
/// It holds a working example, the contract's checks, and a recipe with data small enough to train
/// on in seconds.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What it adds.
    kind: Kind,
    /// The name of the plugin and its crate: a-z, 0-9, `-` and `_`.
    name: String,
    /// The folder written, which must not exist. Default: NAME in this folder.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Depend on the Menagerie of this folder, a clone of its repository, and not on the one of
    /// crates.io.
    #[arg(long, value_name = "CHECKOUT")]
    path: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let name = Name::parse(&args.name, args.kind)?;
    name.check_free(args.kind)?;
    let dependency = match &args.path {
        Some(checkout) => local(checkout)?,
        None => Value::from(env!("CARGO_PKG_VERSION")).to_string(),
    };
    let out = args.out.clone().unwrap_or_else(|| name.text().into());
    let files = template::files(&name, args.kind, &dependency);
    folder::write(&out, &files)?;
    anstream::eprintln!(
        "wrote {out}; next: cd {out} && cargo test",
        out = out.display()
    );
    Ok(())
}

/// A dependency on the checkout in a folder.
fn local(checkout: &Path) -> Result<String, NewError> {
    let no_checkout = |because: String| NewError::NoCheckout {
        path: checkout.to_owned(),
        because,
    };
    let whole = std::path::absolute(checkout).and_then(std::fs::canonicalize);
    let whole = whole.map_err(|error| no_checkout(error.to_string()))?;
    let manifest = whole.join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest)
        .map_err(|error| no_checkout(format!("Cargo.toml: {error}")))?;
    let parsed: Option<menagerie_core::toml::Table> = text.parse().ok();
    let package = parsed.as_ref().and_then(|table| table.get("package"));
    let name = package.and_then(|package| package.get("name")?.as_str());
    if name != Some(env!("CARGO_PKG_NAME")) {
        let found = name.map_or("no package".to_owned(), |name| format!("`{name}`"));
        return Err(no_checkout(format!("its Cargo.toml is that of {found}")));
    }
    let path = whole.to_str();
    let path = path.ok_or_else(|| no_checkout("its path is not UTF-8".to_owned()))?;
    Ok(format!("{{ path = {} }}", Value::from(path)))
}
