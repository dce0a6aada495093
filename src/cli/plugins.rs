//! `menagerie plugins`: what is linked in.

use std::fmt::Write;

use menagerie_core::options::{self, OptionInfo};
use menagerie_core::plugin::{self, PluginInfo};
use serde_json::{Value, json};

use super::error::CliError;
use super::output::{print, print_json};

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
    let all = plugin::list()?;
    let Some(name) = &args.name else {
        if args.json {
            return print_json(&all.iter().map(|info| to_json(info)).collect::<Vec<_>>());
        }
        return print(&(table(&all) + LEGEND));
    };
    let found: Vec<_> = all.iter().filter(|info| info.name == name).collect();
    if found.is_empty() {
        return Err(CliError::UnknownPlugin {
            name: name.clone(),
            allowed: all.iter().map(|info| info.name.to_owned()).collect(),
        });
    }
    if args.json {
        return print_json(&found.iter().map(|info| to_json(info)).collect::<Vec<_>>());
    }
    let pages: Vec<String> = found.iter().map(|info| page(info)).collect();
    print(&pages.join("\n"))
}

fn to_json(info: &PluginInfo) -> Value {
    let presets = info.presets().into_iter();
    json!({
        "component": info.component,
        "name": info.name,
        "description": options::description(info),
        "crate": info.crate_name,
        "version": info.crate_version,
        "options": options::describe(info),
        "presets": presets.map(|(name, options)| (name.to_owned(), json!(options)))
            .collect::<serde_json::Map<_, _>>(),
    })
}

fn table(all: &[&PluginInfo]) -> String {
    let width =
        |text: fn(&PluginInfo) -> &str| all.iter().map(|info| text(info).len()).max().unwrap_or(0);
    let (component, name) = (width(|i| i.component.name()), width(|i| i.name));
    let origin = width(|i| i.crate_name);
    let lines = all.iter().map(|info| {
        format!(
            "{:component$}  {:name$}  {:origin$}  {}\n{}",
            info.component.name(),
            info.name,
            info.crate_name,
            first_sentence(&options::description(info)),
            option_line(info, component + 2),
        )
    });
    lines.collect()
}

/// The options of a plugin with their defaults, on one line.
fn option_line(info: &PluginInfo, indent: usize) -> String {
    let options = options::describe(info);
    let list: Vec<String> = options
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

fn page(info: &PluginInfo) -> String {
    let mut page = format!(
        "{} ({}), of {} {}\n{}\n",
        info.name,
        info.component,
        info.crate_name,
        info.crate_version,
        options::description(info),
    );
    let options = options::describe(info);
    page += if options.is_empty() {
        "\nNo options.\n"
    } else {
        "\nOptions\n"
    };
    for option in &options {
        let line = format!("  {}: {}", option.name, takes(option));
        writeln!(page, "{line}\n      {}", option.description).expect("a string takes any text");
    }
    let presets = info.presets();
    if !presets.is_empty() {
        page += "\nPresets\n";
    }
    for (name, options) in presets {
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
