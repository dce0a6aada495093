//! `menagerie recipe plan`: what a run will cost.

use indicatif::{BinaryBytes, HumanCount};
use menagerie_core::Recipe;
use serde_json::json;

use super::Sets;
use crate::cli::error::CliError;
use crate::cli::output::{print, print_json};
use crate::train::plan::{Held, Plan, PlanOptions, StageCost, plan};

/// Tell beforehand what a run costs: memory, arithmetic, steps, disk.
///
/// A step of every stage is run without its numbers, so no weights are needed. Lengths come from the
/// data and the tokenizer where they are on this machine.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A file or an embedded recipe's name. A file wins.
    #[arg(value_name = "RECIPE")]
    recipe: String,
    #[command(flatten)]
    sets: Sets,
    /// Samples of a forward pass, in place of every stage's `micro_batch_size`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// Tokens of every row, visual tokens included, in place of the data's lengths. Default where
    /// there is no data: the recipe's `max_tokens`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    tokens: Option<u32>,
    /// Samples of a stage whose data is not on this machine.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    samples: Option<u32>,
    /// Tokenise every sample. Without it, 20000 stand for all where there are more.
    #[arg(long)]
    every_sample: bool,
    /// Where the run will compute. On `cuda` and `vulkan` the tensors lie in the card's memory.
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    device: Where,
    /// Print JSON, with exact numbers.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Where {
    /// This machine's memory holds all.
    Cpu,
    /// A card's memory holds the tensors.
    Cuda,
    /// The same.
    Vulkan,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let recipe = args.sets.load(&args.recipe)?;
    let size = |number: Option<u32>| number.map(|number| number as usize);
    let options = PlanOptions {
        samples: size(args.samples),
        tokens: size(args.tokens),
        micro_batch_size: size(args.batch),
        checkpoint_blocks: None,
        every_sample: args.every_sample,
    };
    let planned = plan(&recipe, &options)?;
    let advice = match args.device {
        Where::Cpu => advice(&recipe, &options, &planned)?,
        Where::Cuda | Where::Vulkan => None,
    };
    if args.json {
        return print_json(&json!({ "plan": planned, "advice": advice }));
    }
    print(&text(&planned, args.device))?;
    if let Some(advice) = advice {
        anstream::eprintln!("warning: {advice}");
    }
    Ok(())
}

/// What to do where a run needs more memory than there is: run blocks again, and take fewer samples
/// at a time.
fn advice(
    recipe: &Recipe,
    options: &PlanOptions,
    planned: &Plan,
) -> Result<Option<String>, CliError> {
    let needed = planned.peak_saving_bytes();
    let Some(machine) = planned.machine_bytes.filter(|machine| *machine < needed) else {
        return Ok(None);
    };
    let samples = planned.stages.iter().map(|stage| stage.pass_samples);
    let most = samples.max().unwrap_or(1);
    let halves = std::iter::successors(Some(most), |size| (*size > 1).then_some(size / 2));
    let mut smaller = (0, needed);
    for size in halves {
        let options = PlanOptions {
            micro_batch_size: Some(size),
            checkpoint_blocks: Some(true),
            ..options.clone()
        };
        smaller = (size, plan(recipe, &options)?.peak_saving_bytes());
        if smaller.1 <= machine {
            break;
        }
    }
    let (size, bytes) = smaller;
    let micro = if size < most {
        format!(" and micro_batch_size = {size}")
    } else {
        String::new()
    };
    let verb = if bytes <= machine {
        "brings"
    } else {
        "only brings"
    };
    Ok(Some(format!(
        "it needs {} and this machine has {}; checkpoint_blocks = true{micro} {verb} it to {}",
        BinaryBytes(needed),
        BinaryBytes(machine),
        BinaryBytes(bytes)
    )))
}

fn text(plan: &Plan, device: Where) -> String {
    let mut text = String::new();
    let mut line = |name: &str, what: &str| {
        text.push_str(format!("{name:<14}{what}").trim_end());
        text.push('\n');
    };
    line("recipe", &format!("{}, {}", plan.recipe, dtype(plan)));
    line("", "");
    for component in &plan.components {
        line(
            component.name,
            &format!(
                "{:<10} {:>15} parameters {:>12}",
                component.plugin,
                HumanCount(component.parameters as u64).to_string(),
                BinaryBytes(component.bytes).to_string()
            ),
        );
    }
    let parameters: usize = plan.components.iter().map(|c| c.parameters).sum();
    let bytes: u64 = plan.components.iter().map(|c| c.bytes).sum();
    line(
        "together",
        &format!(
            "{:<10} {:>15} parameters {:>12}",
            "",
            HumanCount(parameters as u64).to_string(),
            BinaryBytes(bytes).to_string()
        ),
    );
    for stage in &plan.stages {
        line("", "");
        for (name, what) in stage_lines(stage) {
            line(name, &what);
        }
    }
    line("", "");
    for (name, what) in whole_lines(plan, device) {
        line(name, &what);
    }
    text
}

fn dtype(plan: &Plan) -> String {
    let value = serde_json::to_value(plan.dtype).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn stage_lines(stage: &StageCost) -> Vec<(&'static str, String)> {
    let learns: Vec<String> = stage
        .trainable
        .iter()
        .filter(|(_, numbers)| *numbers > 0)
        .map(|(name, numbers)| format!("{name} {}", HumanCount(*numbers as u64)))
        .collect();
    let steps = stage
        .steps
        .map_or("an unknown number of steps".to_owned(), |steps| {
            format!("{} steps", HumanCount(steps as u64))
        });
    let samples = stage.samples.map_or(String::new(), |samples| {
        format!(" on {} samples", HumanCount(samples as u64))
    });
    let passes = match stage.passes {
        1 => "1 forward pass".to_owned(),
        passes => format!("{passes} forward passes"),
    };
    let mut lines = vec![
        (
            "stage",
            format!("{}, which trains {}", stage.name, learns.join(", ")),
        ),
        ("  steps", format!("{steps}{samples}, each of {passes}")),
    ];
    if stage.unusable > 0 {
        lines.push((
            "  unusable",
            format!("{} samples", HumanCount(stage.unusable as u64)),
        ));
    }
    if let Some(epoch) = &stage.epoch {
        let about = if epoch.exact { "" } else { "about " };
        lines.push((
            "  an epoch",
            format!(
                "{about}{} tokens ({} with padding), {} of them learned, {} images; {}",
                HumanCount(epoch.tokens as u64),
                HumanCount(epoch.padded_tokens as u64),
                HumanCount(epoch.supervised as u64),
                HumanCount(epoch.images as u64),
                flops(epoch.flops)
            ),
        ));
    }
    if let Some(all) = stage.flops {
        lines.push(("  all steps", flops(all)));
    }
    let memory = &stage.memory;
    let images = if stage.squares == stage.images {
        format!("{} images", stage.images)
    } else {
        format!("{} images ({} squares)", stage.images, stage.squares)
    };
    lines.push((
        "  largest",
        format!(
            "a pass of {} rows of {} tokens with {}, {} tokens learned",
            stage.rows,
            HumanCount(stage.width as u64),
            images,
            HumanCount(stage.supervised as u64)
        ),
    ));
    lines.push(("  its passes", held(&memory.passes)));
    lines.push(("  its update", held(&memory.update)));
    lines.push((
        "  besides",
        format!(
            "{} that the allocator keeps for later, {} of images ahead; {} more while a checkpoint is \
             written",
            BinaryBytes(memory.resident - memory.passes.total().max(memory.update.total())),
            BinaryBytes(memory.ahead),
            BinaryBytes(memory.snapshot)
        ),
    ));
    lines.push((
        "  checkpoint",
        BinaryBytes(stage.checkpoint_bytes).to_string(),
    ));
    lines
}

fn whole_lines(plan: &Plan, device: Where) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(score) = &plan.score {
        lines.push(("score", held(&score.held)));
    }
    let process = plan
        .process_bytes
        .map_or("an unknown amount".to_owned(), |bytes| {
            BinaryBytes(bytes).to_string()
        });
    match device {
        Where::Cpu => {
            lines.push(("process", format!("{process}: program, tokenizer, texts")));
            lines.push((
                "peak memory",
                format!(
                    "{}, and {} while a checkpoint is written",
                    BinaryBytes(plan.peak_bytes),
                    BinaryBytes(plan.peak_saving_bytes())
                ),
            ));
        }
        Where::Cuda | Where::Vulkan => {
            let process = plan.process_bytes.unwrap_or(0);
            lines.push((
                "card",
                format!(
                    "{} of tensors, and {} while a checkpoint is written; the driver and the pools of \
                     the allocator come on top",
                    BinaryBytes(plan.peak_bytes - process),
                    BinaryBytes(plan.peak_saving_bytes() - process)
                ),
            ));
        }
    }
    if let Some(features) = &plan.features {
        lines.push((
            "features",
            format!(
                "{} on disk, beside the run, of {} images ({} squares); they spare the encoder {}",
                BinaryBytes(features.bytes),
                HumanCount(features.images as u64),
                HumanCount(features.squares as u64),
                flops(features.saved_flops)
            ),
        ));
    }
    lines.push((
        "disk",
        format!(
            "{}, of which checkpoints {}",
            BinaryBytes(plan.disk_bytes),
            BinaryBytes(plan.checkpoint_bytes)
        ),
    ));
    lines
}

fn held(held: &Held) -> String {
    format!(
        "{}: weights {}, optimizer {}, gradients {}, activations {}, logits {}",
        BinaryBytes(held.total()),
        BinaryBytes(held.weights),
        BinaryBytes(held.optimizer),
        BinaryBytes(held.gradients),
        BinaryBytes(held.activations),
        BinaryBytes(held.logits)
    )
}

/// In units of thousands.
pub(in crate::cli) fn flops(flops: f64) -> String {
    let units = ["", "k", "M", "G", "T", "P", "E", "Z", "Y"];
    let mut value = flops;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}FLOP", units[unit])
}
