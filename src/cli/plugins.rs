//! `menagerie plugins`: what is linked in.

use std::fmt::Write;

use menagerie_core::options::{self, OptionInfo};
use menagerie_core::plugin::{self, BenchmarkPlugin, PluginInfo};
use menagerie_core::toml::Table;
use serde_json::{Value, json};

use super::error::CliError;
use super::output::{print, print_json};
use crate::eval::EvalError;

const LEGEND: &str = "\nAn option without a value must be stated, by the recipe or by a preset; one in [ ] may be.\n\
                      `menagerie plugins NAME` tells what they mean.\n";

/// List the plugins that are linked in, or show one with its options and presets.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Show the plugin of this name.
    name: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let mut all: Vec<Listed> = plugin::list()?.into_iter().map(Listed::from).collect();
    let benchmarks = plugin::benchmarks().map_err(EvalError::from)?;
    all.extend(benchmarks.into_iter().map(Listed::from));
    let Some(name) = &args.name else {
        if args.json {
            return print_json(&all.iter().map(to_json).collect::<Vec<_>>());
        }
        return print(&(table(&all) + LEGEND));
    };
    let (found, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|info| info.name == name);
    if found.is_empty() {
        return Err(CliError::UnknownPlugin {
            name: name.clone(),
            allowed: others.iter().map(|info| info.name.to_owned()).collect(),
        });
    }
    if args.json {
        return print_json(&found.iter().map(to_json).collect::<Vec<_>>());
    }
    let pages: Vec<String> = found.iter().map(page).collect();
    print(&pages.join("\n"))
}

/// A plugin of any kind, as it is listed.
struct Listed {
    /// The component that it fills, or `benchmark`.
    kind: &'static str,
    name: &'static str,
    crate_name: &'static str,
    crate_version: &'static str,
    description: String,
    options: Vec<OptionInfo>,
    presets: Vec<(&'static str, Table)>,
}

impl From<&PluginInfo> for Listed {
    fn from(info: &PluginInfo) -> Self {
        Self {
            kind: info.component.name(),
            name: info.name,
            crate_name: info.crate_name,
            crate_version: info.crate_version,
            description: options::description(info),
            options: options::describe(info),
            presets: info.presets(),
        }
    }
}

impl From<&BenchmarkPlugin> for Listed {
    fn from(plugin: &BenchmarkPlugin) -> Self {
        Self {
            kind: "benchmark",
            name: plugin.name,
            crate_name: plugin.crate_name,
            crate_version: plugin.crate_version,
            description: plugin.description(),
            options: options::of_schema(&plugin.schema()),
            presets: Vec::new(),
        }
    }
}

fn to_json(info: &Listed) -> Value {
    let presets = info.presets.iter();
    json!({
        "component": info.kind,
        "name": info.name,
        "description": info.description,
        "crate": info.crate_name,
        "version": info.crate_version,
        "options": info.options,
        "presets": presets.map(|(name, options)| ((*name).to_owned(), json!(options)))
            .collect::<serde_json::Map<_, _>>(),
    })
}

fn table(all: &[Listed]) -> String {
    let width =
        |text: fn(&Listed) -> &str| all.iter().map(|info| text(info).len()).max().unwrap_or(0);
    let (component, name) = (width(|i| i.kind), width(|i| i.name));
    let origin = width(|i| i.crate_name);
    let lines = all.iter().map(|info| {
        format!(
            "{:component$}  {:name$}  {:origin$}  {}\n{}",
            info.kind,
            info.name,
            info.crate_name,
            first_sentence(&info.description),
            option_line(info, component + 2),
        )
    });
    lines.collect()
}

/// The options of a plugin with their defaults, on one line.
fn option_line(info: &Listed, indent: usize) -> String {
    let list: Vec<String> = info
        .options
        .iter()
        .map(|option| match &option.default {
            Some(default) => format!("{} = {default}", option.name),
            None if option.required => option.name.clone(),
            None => format!("[{}]", option.name),
        })
        .collect();
    let list = if list.is_empty() {
        "none".to_owned()
    } else {
        list.join(", ")
    };
    format!("{:indent$}options: {list}\n", "")
}

/// A full stop inside a number or a name (`2103.00020`) ends nothing.
fn first_sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |end| &text[..=end])
}

fn page(info: &Listed) -> String {
    let mut page = format!(
        "{} ({}), of {} {}\n{}\n",
        info.name, info.kind, info.crate_name, info.crate_version, info.description,
    );
    page += if info.options.is_empty() {
        "\nNo options.\n"
    } else {
        "\nOptions\n"
    };
    for option in &info.options {
        let line = format!("  {}: {}", option.name, takes(option));
        writeln!(page, "{line}\n      {}", option.description).expect("a string takes any text");
    }
    if !info.presets.is_empty() {
        page += "\nPresets\n";
    }
    for (name, options) in &info.presets {
        let sizes: Vec<String> = options
            .iter()
            .map(|(key, value)| format!("{key} = {value}"))
            .collect();
        writeln!(page, "  {name}\n      {}", sizes.join(", ")).expect("a string takes any text");
    }
    page
}

fn takes(option: &OptionInfo) -> String {
    let kind = &option.kind;
    match &option.default {
        Some(default) => format!("{kind}, default {default}"),
        None if option.required => format!("{kind}, required"),
        None => format!("{kind}, optional"),
    }
}
