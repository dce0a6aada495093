//! What `recipe plan` says beforehand, against what others say and what a run then does.
#![cfg(feature = "cli")]

mod tiny;

use std::fs;
use std::path::Path;

use menagerie::Recipe;
use menagerie::train::plan::{Plan, PlanOptions, plan};
use serde_json::Value;
use tiny::{Run, World};

#[test]
fn every_recipe_has_a_plan_without_weights_and_data() {
    let world = World::new();
    let listed = world.menagerie(&["recipe", "list", "--json"]).json();
    let names = listed.as_array().expect("recipes").iter();
    let names = names.map(|entry| entry["name"].as_str().expect("a name"));
    // It states a folder of the reader's own.
    for name in names.filter(|name| *name != "finetune-own-data") {
        let said = world.menagerie(&["recipe", "plan", name, "--samples", "1000", "--batch", "1"]);
        assert_eq!(said.code, Some(0), "{name}: {said:?}");
        for word in ["stage         align", "peak memory", "disk"] {
            assert!(said.stdout.contains(word), "{name}: {}", said.stdout);
        }
    }
}

#[test]
fn the_parameters_are_as_many_as_the_published_models_have() {
    let world = World::new();
    let parameters = |name: &str| {
        let json = world.menagerie(&["recipe", "plan", name, "--json"]).json();
        let components = json["plan"]["components"].as_array().expect("some");
        let count = |part: &Value| part["parameters"].as_u64().expect("a number");
        components.iter().map(count).collect::<Vec<_>>()
    };
    // The tensors of openai/clip-vit-large-patch14-336's encoder, liuhaotian's mm_projector.bin and
    // lmsys/vicuna-{7,13}b-v1.5, counted.
    let clip = 303_507_456;
    assert_eq!(
        parameters("llava-1.5-7b"),
        [clip, 20_979_712, 6_738_415_616]
    );
    assert_eq!(
        parameters("llava-1.5-13b"),
        [clip, 31_467_520, 13_015_864_320]
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_model_too_large_for_the_machine_is_told_what_would_help() {
    let world = World::new();
    let said = world.menagerie(&["recipe", "plan", "llava-1.5-13b"]);
    assert_eq!(said.code, Some(0));
    for word in [
        "warning: it needs ",
        "checkpoint_blocks = true and micro_batch_size = ",
    ] {
        assert!(said.stderr.contains(word), "{said:?}");
    }
    assert!(
        said.stdout.contains("an unknown number of steps"),
        "{said:?}"
    );
    let said = world.menagerie(&["recipe", "plan", "llava-1.5-13b", "--device", "cuda"]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    assert!(said.stdout.contains("card "), "{said:?}");
    assert_eq!(
        world.menagerie(&["recipe", "plan", "nowhere.toml"]).code,
        Some(4)
    );
}

fn planned(recipe: &Recipe) -> Plan {
    plan(recipe, &PlanOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn steps_tokens_and_files_are_those_of_the_run() {
    let world = World::new();
    let lora = "[stage.finetune]\nlora = { rank = 2, alpha = 4, on = [\"llm\"] }";
    for (name, difference) in [("whole", ""), ("adapter", lora)] {
        check_run(&world, name, difference);
    }
}

/// What an image takes follows from its size.
#[test]
fn images_of_several_squares_are_planned_as_they_are() {
    let world = World::new();
    world.stretch();
    for way in ["anyres", "tiles"] {
        check_run(&world, way, &format!("[vision]\nresize = \"{way}\""));
    }
    let eval = "[vision]\nresize = \"anyres\"\n[eval.data]\nconversations = \"questions.json\"\n\
        images = \"images\"";
    world.recipe("scored", eval);
    let said = world.menagerie(&["recipe", "plan", "scored.toml"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stdout.contains(" squares), "), "{said:?}");
    assert!(said.stdout.contains("\nscore "), "{said:?}");
}

fn check_run(world: &World, name: &str, difference: &str) {
    let difference = format!("{difference}\n[checkpoint]\nevery_steps = 1\nkeep = 1");
    let recipe = world.recipe(name, &difference);
    let plan = planned(&recipe);
    let run = world.train(name, &difference);
    for stage in &plan.stages {
        let steps = run.metrics().into_iter();
        let steps: Vec<_> = steps.filter(|step| step.stage == stage.name).collect();
        assert_eq!(stage.steps, Some(steps.len()), "{}", stage.name);
        let epoch = stage.epoch.expect("the data is here");
        assert!(epoch.exact);
        // Stage `align` lasts five steps, and `finetune` two epochs.
        if stage.name == "finetune" {
            let tokens: usize = steps.iter().map(|step| step.tokens).sum();
            let learned: usize = steps.iter().map(|step| step.supervised_tokens).sum();
            assert_eq!((2 * epoch.tokens, 2 * epoch.supervised), (tokens, learned));
            let bytes = tensors(&last_checkpoint(&run, &stage.name));
            assert_eq!(stage.checkpoint_bytes, bytes);
        }
    }
}

fn last_checkpoint(run: &Run, stage: &str) -> std::path::PathBuf {
    let entries = fs::read_dir(run.0.join("checkpoints")).expect("checkpoints");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let of_stage = paths.filter(|path| path.to_string_lossy().contains(stage));
    of_stage.max().expect("a checkpoint")
}

/// Bytes of the tensors in the safetensors files of a folder.
fn tensors(folder: &Path) -> u64 {
    let files = ["weights.safetensors", "optimizer.safetensors"].map(|name| {
        let bytes = fs::read(folder.join(name)).expect("a file");
        let header = u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));
        bytes.len() as u64 - 8 - header
    });
    files.iter().sum()
}

/// Multiplications and additions, counted from the sizes by hand.
struct Count {
    /// Rows of a step, each with an image; tokens of a row, of them learned; patches and a class token.
    rows: f64,
    width: f64,
    learned: f64,
    patches: f64,
}

impl Count {
    /// Two for each number of a matrix and each token.
    fn linear(&self, tokens: f64, input: f64, output: f64) -> f64 {
        2.0 * self.rows * tokens * input * output
    }

    /// Scores and sums, over all heads.
    fn attention(&self, tokens: f64, hidden: f64) -> f64 {
        2.0 * 2.0 * self.rows * tokens * tokens * hidden
    }

    /// The tiny world's encoder: patches of 8 pixels, blocks of 16 features with an MLP of 24.
    fn vision(&self) -> f64 {
        let tokens = self.patches + 1.0;
        let block = 4.0 * self.linear(tokens, 16.0, 16.0)
            + 2.0 * self.linear(tokens, 16.0, 24.0)
            + self.attention(tokens, 16.0);
        self.linear(self.patches, 3.0 * 8.0 * 8.0, 16.0) + 2.0 * block
    }

    /// The matrices of one of its decoder's blocks.
    fn block(&self) -> f64 {
        4.0 * self.linear(self.width, 24.0, 24.0) + 3.0 * self.linear(self.width, 24.0, 32.0)
    }
}

#[test]
fn arithmetic_is_that_of_the_matrices() {
    let world = World::new();
    let recipe = world.recipe("counted", "");
    let options = PlanOptions {
        tokens: Some(100),
        ..PlanOptions::default()
    };
    let plan = plan(&recipe, &options).unwrap_or_else(|error| panic!("{error}"));
    let epoch = |stage: usize| plan.stages[stage].epoch.expect("known").flops;
    let count = Count {
        rows: plan.stages[0].samples.expect("known") as f64,
        width: 100.0,
        learned: 96.0,
        patches: 4.0,
    };
    let first = count.linear(4.0, 16.0, 24.0);
    let second = count.linear(4.0, 24.0, 24.0);
    let attention = count.attention(100.0, 24.0);
    let logits = count.linear(count.learned, 24.0, 365.0);
    // What learns takes three times the forward pass, but for the first of it, whose input needs no
    // gradient; what only passes gradients on takes twice, and attention, of two inputs, thrice.
    let align = count.vision()
        + 2.0 * first
        + 3.0 * second
        + 2.0 * 2.0 * count.block()
        + 2.0 * 3.0 * attention
        + 2.0 * logits;
    assert_close(epoch(0), align);
    // Half of the decoder learns.
    let finetune = count.vision()
        + 2.0 * first
        + 3.0 * second
        + 2.0 * count.block()
        + 3.0 * count.block()
        + 2.0 * 3.0 * attention
        + 3.0 * logits;
    assert_close(epoch(1), finetune);
}

/// Every image is seen once, whatever shows it how often.
#[test]
fn kept_features_are_planned_as_a_run_keeps_them() {
    let world = World::new();
    // What scores ask for is not counted with the steps.
    let eval = "[eval]\nevery_steps = 2\nmax_new_tokens = 3\n[eval.data]\n\
                conversations = \"questions.json\"\nimages = \"images\"";
    let without = planned(&world.recipe("without", eval));
    assert!(without.features.is_none());
    let text = format!("cache_features = true\n{eval}");
    let plan = planned(&world.recipe("kept", &text));
    let features = plan.features.expect("kept");
    assert_eq!((features.images, features.squares), (4, 5));
    // 4 tokens of 16 features in f32.
    assert_eq!(features.bytes, 5 * 4 * 16 * 4);
    let run = world.train("kept", &text);
    let stages = menagerie::runs::RunSummary::read(&run.0)
        .expect("a run")
        .stages;
    let found: usize = stages
        .iter()
        .map(|stage| stage.features_found.expect("kept"))
        .sum();
    let count = Count {
        rows: 1.0,
        width: 0.0,
        learned: 0.0,
        patches: 4.0,
    };
    assert_close(features.saved_flops, found as f64 * count.vision());
    let all = |plan: &Plan| {
        plan.stages
            .iter()
            .map(|stage| stage.flops.expect("known"))
            .sum::<f64>()
    };
    assert_close(all(&without) - all(&plan), features.saved_flops);
    let said = world.menagerie(&["recipe", "plan", "kept.toml"]);
    assert!(
        said.stdout.contains(
            "\nfeatures      1.25 KiB on disk, beside the run, of 4 images (5 squares); "
        ),
        "{said:?}"
    );
}

fn assert_close(found: f64, expected: f64) {
    let off = found / expected - 1.0;
    assert!(off.abs() < 1e-9, "{found} for {expected}: {off:+.3e}");
}

#[test]
fn what_saves_memory_is_planned_to_save_it() {
    let world = World::new();
    let memory = |name: &str, difference: &str| {
        let difference = format!("[stage.finetune]\n{difference}");
        planned(&world.recipe(name, &difference)).stages[1].memory
    };
    let all = memory("all", "");
    let passes = |name, difference| memory(name, difference).passes;
    let again = passes("again", "checkpoint_blocks = true");
    let packed = passes("packed", "packing = true");
    let freeze = r#"freeze = ["vision", "projector", "llm.layers"]"#;
    let frozen = passes("frozen", freeze);
    for less in [again, packed, frozen] {
        assert!(less.activations < all.passes.activations, "{less:?}");
    }
    let lora = |quantize| format!("lora = {{ rank = 2, alpha = 4, on = [\"llm\"]{quantize} }}");
    let lora_alone = memory("lora", &lora(""));
    let quantised = memory("qlora", &lora(", quantize = \"nf4\""));
    assert!(lora_alone.update.optimizer < all.update.optimizer);
    assert!(lora_alone.update.weights > all.update.weights);
    assert!(quantised.update.weights < all.update.weights);
    // Dequantised weights are kept for the way back; dropout's masks too.
    assert!(quantised.passes.activations > lora_alone.passes.activations);
    let dropped = memory("dropped", &lora(", dropout = 0.1"));
    assert!(dropped.passes.activations > lora_alone.passes.activations);
}

/// NTK-aware positions ask for values, which nothing computed has here.
#[test]
fn a_decoder_that_reads_its_positions_has_a_plan() {
    let world = World::new();
    let recipe = world.recipe(
        "dynamic",
        "[llm.rope_scaling]\ntype = \"dynamic\"\nfactor = 2.0",
    );
    assert!(planned(&recipe).peak_bytes > 0);
}
