//! `menagerie inspect`: what a model's files hold, and what of it is used.

use menagerie_core::burn::tensor::Device;
use menagerie_core::weights::LoadReport;
use serde_json::json;

use super::error::CliError;
use super::model::{Found, ModelArgs};
use super::output::{print, print_json};

/// Load a model and report what was found in its files, used, cast and left over.
///
/// What is missing or of another shape is an error that names it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let found = args.model.find(None)?;
    let (recipe, model) = (found.recipe(), found.assemble(&Device::flex())?);
    let checkpoint = match &found {
        Found::Checkpoint(checkpoint) => Some(checkpoint),
        Found::Recipe(_) => None,
    };
    if args.json {
        let components = model
            .loaded()
            .iter()
            .map(|(component, report)| json!({ "component": component, "loaded": report }));
        return print_json(&json!({
            "recipe": recipe.resolve()?,
            "visual_tokens": model.visual_tokens(),
            "components": components.collect::<Vec<_>>(),
            "checkpoint": checkpoint.map(|checkpoint| {
                let (stage, step) = checkpoint.place();
                let learned: Vec<&str> = checkpoint.learned().collect();
                json!({ "stage": stage, "step": step, "learned": learned })
            }),
        }));
    }
    let mut text = recipe.to_toml()?;
    for (component, report) in model.loaded() {
        match report {
            Some(report) => text.push_str(&format!("\n# {component}\n{}", describe(report))),
            None => text.push_str(&format!("\n# {component}: drawn from the seed\n")),
        }
    }
    if let Some(checkpoint) = checkpoint {
        let ((stage, step), learned) = (checkpoint.place(), checkpoint.learned());
        text.push_str(&format!(
            "\n# in their place, of step {step} of stage `{stage}`, {} tensors\n",
            learned.count()
        ));
    }
    print(&text)
}

/// A report as TOML comments, so that what is shown is still a recipe.
fn describe(report: &LoadReport) -> String {
    let stored = report
        .stored
        .iter()
        .map(|(dtype, count)| format!("{count} in {dtype}"))
        .collect::<Vec<_>>();
    let mut lines = vec![
        format!("from {}", report.path.display()),
        format!("names begin with `{}`", report.prefix),
        format!("found {} tensors", report.found),
        format!(
            "used {} tensors, {} parameters: {}",
            report.loaded,
            report.parameters,
            stored.join(", ")
        ),
        format!("cast {} tensors to {}", report.cast, report.dtype),
        format!("left to other components {}", report.elsewhere.len()),
        format!(
            "left over, and known to be of no use {}",
            report.ignored.len()
        ),
    ];
    let drawn = report.drawn.iter();
    lines.extend(drawn.map(|path| format!("not in the files, and drawn from the seed: {path}")));
    lines.extend(report.ignored.iter().map(|name| format!("  {name}")));
    lines.iter().map(|line| format!("#   {line}\n")).collect()
}
