//! `menagerie recipe`: list, copy, check, show and plan recipes.

mod plan;

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use menagerie_core::burn::tensor::Device;
use menagerie_core::folder::ModelPath;
use menagerie_core::parameters::{ParameterInfo, parameters};
use menagerie_core::recipe::{LoadOptions, ParameterGroup, Sweep, UpdateGroup};
use menagerie_core::{Component, Configured, Recipe, RecipeError, RecipeSource};
use serde_json::json;

use super::error::CliError;
use super::hub;
use super::output::{print, print_json};
use crate::hub::HubId;
use crate::recipes;
use crate::sweep::check_recipe;

pub(super) use plan::flops;

/// List, copy, check, show and plan recipes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the recipes that travel inside this program.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Copy one of them into a file, to change it.
    Copy {
        /// Its name.
        name: String,
        /// The file written. Default: NAME.toml in this folder.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Overwrite the file if it exists.
        #[arg(long)]
        force: bool,
    },
    /// Check recipes: keys, plugins, options, whether sizes fit, and what `freeze` names.
    Check {
        /// Files or embedded recipes' names. A file wins.
        #[arg(required = true, value_name = "FILE")]
        recipes: Vec<String>,
        #[command(flatten)]
        sets: Sets,
        /// Print a JSON object a recipe.
        #[arg(long)]
        json: bool,
    },
    /// Show a recipe resolved: with what it extends, presets and defaults filled in.
    Show {
        /// A file or an embedded recipe's name. A file wins.
        #[arg(value_name = "FILE")]
        recipe: String,
        #[command(flatten)]
        sets: Sets,
        /// Print JSON in place of TOML.
        #[arg(long)]
        json: bool,
    },
    /// Tell beforehand what a run costs: memory, arithmetic, steps, disk.
    Plan(plan::Args),
    /// Print the JSON Schema of recipe files, for editors.
    Schema,
}

/// Changes to a recipe from the command line.
#[derive(Debug, clap::Args)]
pub(super) struct Sets {
    /// Set a value of the recipe, for example 'stage.align.epochs = 2'. Repeatable; comes after
    /// everything that files state.
    #[arg(long = "set", value_name = "KEY = VALUE")]
    sets: Vec<String>,
}

impl Sets {
    /// Whether there are any.
    pub(super) fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    /// The recipe that `argument` names, a file or an embedded one, with these changes. A `model`
    /// that is not on this machine is left out, and the user is told.
    pub(super) fn load(&self, argument: &str) -> Result<Recipe, RecipeError> {
        let options = LoadOptions {
            sets: &self.sets,
            resolve: &|text| leave_out(argument, text),
            init: None,
        };
        Recipe::load_as(&RecipeSource::find(argument)?, &options)
    }

    /// The sweep in a file, with these changes to all its points, to be looked at.
    pub(super) fn load_sweep(&self, path: &Path) -> Result<Sweep, RecipeError> {
        let argument = path.display().to_string();
        let options = LoadOptions {
            sets: &self.sets,
            resolve: &|text| leave_out(&argument, text),
            init: None,
        };
        Sweep::load(path, &options)
    }

    /// The same to train it.
    pub(super) fn load_sweep_for_training(&self, path: &Path) -> Result<Sweep, RecipeError> {
        let options = LoadOptions {
            sets: &self.sets,
            resolve: &hub::folder,
            init: None,
        };
        Sweep::load(path, &options)
    }

    /// The same to train it, with the components of `init` in place of its own.
    pub(super) fn load_for_training(
        &self,
        argument: &str,
        init: Option<ModelPath>,
    ) -> Result<Recipe, RecipeError> {
        let options = LoadOptions {
            sets: &self.sets,
            resolve: &hub::folder,
            init,
        };
        Recipe::load_as(&RecipeSource::find(argument)?, &options)
    }
}

/// A `model` that is not on this machine.
#[allow(clippy::unnecessary_wraps, reason = "how a model is resolved")]
fn leave_out(argument: &str, text: &str) -> Result<Option<PathBuf>, String> {
    anstream::eprintln!(
        "note: {argument}: the model `{text}` is not on this machine, so what it states is not seen"
    );
    Ok(None)
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    match &args.command {
        Command::List { json } => list(*json),
        Command::Copy { name, out, force } => {
            let out = out.clone().unwrap_or_else(|| format!("{name}.toml").into());
            copy(name, &out, *force)
        }
        Command::Check {
            recipes,
            sets,
            json,
        } => check(recipes, sets, *json),
        Command::Show { recipe, sets, json } => show(recipe, sets, *json),
        Command::Plan(args) => plan::run(args),
        Command::Schema => print_json(&Recipe::schema()?),
    }
}

fn list(as_json: bool) -> Result<(), CliError> {
    let mut all = Vec::new();
    for embedded in recipes::list()? {
        let options = LoadOptions {
            resolve: &|_| Ok(None),
            ..LoadOptions::default()
        };
        let recipe = Recipe::load_as(&RecipeSource::Embedded(embedded), &options)?;
        all.push((embedded.name, recipe.description.unwrap_or_default()));
    }
    if as_json {
        let entry =
            |(name, description): &(_, _)| json!({ "name": name, "description": description });
        return print_json(&all.iter().map(entry).collect::<Vec<_>>());
    }
    let width = all.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = all
        .iter()
        .map(|(name, description)| format!("{name:width$}  {description}\n"));
    print(&lines.collect::<String>())
}

fn copy(name: &str, out: &Path, force: bool) -> Result<(), CliError> {
    let Some(recipe) = recipes::find(name)? else {
        let all = recipes::list()?;
        return Err(CliError::UnknownRecipe {
            name: name.to_owned(),
            allowed: all.iter().map(|recipe| recipe.name.to_owned()).collect(),
        });
    };
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create_new(!force)
        .create(force)
        .truncate(force);
    let written = options
        .open(out)
        .and_then(|mut file| file.write_all(recipe.text.as_bytes()));
    let path = out.to_owned();
    written.map_err(|source| match source.kind() {
        ErrorKind::AlreadyExists => CliError::Exists { path },
        _ => CliError::Write { path, source },
    })?;
    anstream::eprintln!("wrote {}", out.display());
    Ok(())
}

fn check(arguments: &[String], sets: &Sets, as_json: bool) -> Result<(), CliError> {
    let mut exit = None;
    let mut count = 0;
    for argument in arguments {
        let error = check_one(argument, sets).err();
        if as_json {
            let message = error.as_ref().map(ToString::to_string);
            let line = json!({ "recipe": argument, "ok": error.is_none(), "error": message });
            print(&format!("{line}\n"))?;
        } else if error.is_none() {
            print(&format!("{argument}: ok\n"))?;
        }
        if let Some(error) = error {
            if arguments.len() == 1 {
                return Err(error);
            }
            error.print();
            exit = exit.max(Some(error.exit()));
            count += 1;
        }
    }
    match exit {
        None => Ok(()),
        Some(exit) => Err(CliError::Recipes {
            count,
            total: arguments.len(),
            exit,
        }),
    }
}

fn check_one(argument: &str, sets: &Sets) -> Result<(), CliError> {
    let recipe = sets.load(argument)?;
    check_recipe(&recipe)?;
    for component in Component::ALL {
        let weights = recipe.weight_sources(component).into_iter();
        for weights in weights.filter(|path| !Path::new(path).exists()) {
            let remedy = match HubId::parse(weights) {
                Some(_) => "not beside it: they come from the hub or its cache",
                None => "not on this machine",
            };
            anstream::eprintln!(
                "note: {argument}: the weights of {component}, `{weights}`, are {remedy}"
            );
        }
    }
    Ok(())
}

fn show(argument: &str, sets: &Sets, as_json: bool) -> Result<(), CliError> {
    let recipe = sets.load(argument)?;
    let configured = recipe.configure()?;
    let mut parameters = lazy_parameters(&recipe, &configured)?;
    parameters.extend(recipe.factors(&configured, &parameters));
    let groups = recipe.parameter_groups(&parameters);
    let updates = recipe.update_groups(&parameters);
    if as_json {
        return print_json(
            &json!({ "recipe": recipe.resolve()?, "parameters": groups, "updates": updates }),
        );
    }
    let (groups, updates) = (group_table(&groups), update_table(&updates));
    print(&format!("{}\n{groups}{updates}", recipe.to_toml()?))
}

/// All parameters of the recipe's model, none of them drawn or loaded.
fn lazy_parameters(
    recipe: &Recipe,
    configured: &Configured,
) -> Result<Vec<ParameterInfo>, RecipeError> {
    let network = recipe.network(configured, &Device::flex())?;
    Ok(parameters(&network))
}

/// The groups as TOML comments, so that what is shown is still a recipe.
fn group_table(groups: &[ParameterGroup]) -> String {
    let name = |group: &ParameterGroup| {
        let mark = if group.is_adapter { " (adapter)" } else { "" };
        format!("{}{mark}", group.name)
    };
    let name_width = groups.iter().map(|group| name(group).len()).max();
    let name_width = name_width.unwrap_or(0);
    let trained = |group: &ParameterGroup| {
        let partly = group
            .partly_trained_in
            .iter()
            .map(|stage| format!("{stage} (in part)"));
        let stages: Vec<String> = group.trained_in.iter().cloned().chain(partly).collect();
        if stages.is_empty() {
            "never".to_owned()
        } else {
            stages.join(", ")
        }
    };
    let count = |component: Component| {
        let prefix = format!("{component}.");
        let own = groups
            .iter()
            .filter(|group| group.name.starts_with(&prefix) && !group.is_adapter);
        own.map(|group| group.parameters).sum::<usize>()
    };
    let mut table = format!(
        "# {:name_width$}  {:>14}  trained in\n",
        "parameters", "count"
    );
    for group in groups {
        let line = format!(
            "# {:name_width$}  {:>14}  {}\n",
            name(group),
            group.parameters,
            trained(group)
        );
        table.push_str(&line);
    }
    let totals = Component::ALL.map(|component| format!("{component} {}", count(component)));
    table + &format!("# {}\n", totals.join(", "))
}

/// What each stage's optimizer does with which parameters, as comments likewise.
fn update_table(updates: &[UpdateGroup]) -> String {
    let head = ["stage", "learning rate", "weight decay", "count", "of"].map(str::to_owned);
    let rows = updates.iter().map(|update| {
        let mut stage = updates.iter().filter(|other| other.stage == update.stage);
        let of = match update.on.as_slice() {
            [] if stage.all(|other| other.on.is_empty()) => "all that learn".to_owned(),
            [] => "all others".to_owned(),
            on => on.join(", "),
        };
        let rate = format!("{:e}", update.learning_rate);
        let decay = update.weight_decay.to_string();
        [
            update.stage.clone(),
            rate,
            decay,
            update.parameters.to_string(),
            of,
        ]
    });
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    let widest = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let stage_width = widest(0);
    let lines = rows.iter().map(|[stage, rate, decay, count, of]| {
        format!("# {stage:stage_width$}  {rate:>13}  {decay:>12}  {count:>14}  {of}\n")
    });
    match updates {
        [] => String::new(),
        _ => format!("#\n{}", lines.collect::<String>()),
    }
}
