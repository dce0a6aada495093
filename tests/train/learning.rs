//! What learns, what stays, and that a run can be repeated.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use menagerie::burn::tensor::Device;
use menagerie::train::{
    Observer, RunFolder, Score, StagePlan, StepMetrics, StepTiming, TrainError,
};
use menagerie::weights::Shards;
use menagerie::{Component, Recipe};
use serde_json::json;

use crate::tiny::{Run, World, says};

/// The component's file before any training.
fn fresh(world: &World, recipe: &Recipe, component: Component) -> Vec<u8> {
    let model = recipe.assemble(&Device::flex()).unwrap();
    let path = world.path(&format!("fresh-{component}.safetensors"));
    model.save(component, &path).unwrap();
    std::fs::read(path).unwrap()
}

fn llm_after(run: &Run, stage: &str) -> Shards {
    Shards::open(&run.0.join(format!("weights/{stage}/llm.safetensors"))).unwrap()
}

#[test]
fn frozen_parts_keep_every_bit_and_the_others_learn() {
    let world = World::new();
    let run = world.train("run", "");
    let recipe = world.recipe("run", "");
    for component in [Component::Vision, Component::Llm] {
        let before = fresh(&world, &recipe, component);
        assert!(run.weights("align", component) == before, "{component}");
    }
    let projector = |stage| run.weights(stage, Component::Projector);
    assert!(projector("align") != fresh(&world, &recipe, Component::Projector));
    assert!(projector("finetune") != projector("align"));
    assert!(run.weights("finetune", Component::Vision) == run.weights("align", Component::Vision));

    let (before, after) = (llm_after(&run, "align"), llm_after(&run, "finetune"));
    for name in before.names() {
        let same = before.data(name).unwrap() == after.data(name).unwrap();
        assert_eq!(same, name.starts_with("model.layers.0."), "{name}");
    }
}

/// Samples of all kinds are in the data, whatever is frozen; with many in a batch and with one.
#[test]
fn every_kind_of_sample_trains_in_every_stage() {
    let world = World::new();
    let run = world.train(
        "single",
        "[stage.align]\nsteps = 11\nbatch_size = 1\n[stage.finetune]\nfreeze = []\nepochs = 1\nbatch_size = 1",
    );
    assert_eq!(run.metrics().len(), 22);
}

#[test]
fn text_alone_leaves_a_projector_that_learns_as_it_was() {
    let world = World::new();
    let text = says(&["what is red?", "a color"]);
    world.write("text.json", json!([{ "conversations": text }]).to_string());
    let difference = "extends = \"align.toml\"\n[stage.align]\nsteps = 3\nbatch_size = 1\n\
                      optimizer = { weight_decay = 0.1 }\ndata = { conversations = \"text.json\" }";
    let run = world.train("text", difference);
    let recipe = world.recipe("text", difference);
    let before = fresh(&world, &recipe, Component::Projector);
    assert!(run.weights("align", Component::Projector) == before);
    let lines = run.metrics();
    assert!(
        lines
            .iter()
            .all(|line| line.grad_norm == 0.0 && line.loss.to_bits() == lines[0].loss.to_bits())
    );
}

#[test]
fn one_seed_gives_one_model_whatever_the_number_of_workers() {
    let world = World::new();
    let workers = |name: &str, count: usize| {
        let difference = format!(
            "[stage.align.data]\nworkers = {count}\n[stage.finetune.data]\nworkers = {count}"
        );
        let run = world.train(name, &difference);
        (run.all_weights("finetune"), run.bytes("metrics.jsonl"))
    };
    let none = workers("none", 0);
    assert!(none == workers("three", 3));
    assert!(none == workers("again", 0));
    let other = world.train("other", "seed = 2").all_weights("finetune");
    for (one, other) in none.0.iter().zip(&other) {
        assert!(one != other);
    }
}

/// The seed decides the order too, not only the first weights.
#[test]
fn a_sequential_sampler_follows_the_data() {
    let world = World::new();
    let run = |name: &str, sampler: &str, seed: u32| {
        let difference = format!(
            "extends = \"align.toml\"\nseed = {seed}\n[stage.align]\nsteps = 4\nbatch_size = 3\nsampler = \"{sampler}\""
        );
        let lines = world.train(name, &difference).metrics();
        let tokens = lines.iter().map(|line| line.supervised_tokens);
        tokens.collect::<Vec<_>>()
    };
    let sequential = run("sequential-1", "sequential", 1);
    assert_eq!(sequential, run("sequential-2", "sequential", 2));
    let shuffled = [1, 2, 3].map(|seed| run(&format!("shuffled-{seed}"), "shuffled", seed));
    assert!(shuffled.iter().any(|tokens| *tokens != sequential));
    // An epoch is every sample once, in any order.
    let sum = |tokens: &[usize]| tokens.iter().sum::<usize>();
    assert!(
        shuffled
            .iter()
            .all(|tokens| sum(tokens) == sum(&sequential))
    );
}

/// Samples of different lengths: a mean of means would differ.
#[test]
fn micro_batches_add_up_to_their_batch() {
    let world = World::new();
    let size = |micro: usize| {
        let difference = format!(
            "[stage.align]\nmicro_batch_size = {micro}\n[stage.finetune]\nmicro_batch_size = {micro}"
        );
        world.train(&format!("micro-{micro}"), &difference)
    };
    let (whole, parts) = (size(8), size(2));
    for (one, other) in whole.metrics().iter().zip(parts.metrics()) {
        assert_eq!(one.supervised_tokens, other.supervised_tokens);
        let difference = (one.loss - other.loss).abs() / one.loss;
        assert!(difference < 1e-5, "step {}: {difference:e}", one.step);
    }
    let (whole, parts) = (llm_after(&whole, "finetune"), llm_after(&parts, "finetune"));
    for name in whole.names() {
        let values = |shards: &Shards| shards.data(name).unwrap().try_to_vec::<f32>().unwrap();
        let pairs = values(&whole).into_iter().zip(values(&parts));
        let far = pairs
            .map(|(one, other)| (one - other).abs())
            .fold(0.0, f32::max);
        assert!(far < 1e-3, "{name}: {far:e}");
    }
}

/// Several sets with weights, grouped and packed, in a run that takes micro-batches.
#[test]
fn packing_changes_no_step_of_a_run_on_mixed_and_grouped_data() {
    let world = World::new();
    let text = says(&["what is red?", "a color"]);
    let texts: Vec<_> = (0..6).map(|_| json!({ "conversations": text })).collect();
    world.write("texts.json", json!(texts).to_string());
    let packing = |packing: bool| {
        let difference = format!(
            "stages = [\"finetune\"]\n[stage.finetune]\nepochs = 3\nbatch_size = 4\nmicro_batch_size = 3\n\
             packing = {packing}\nsampler = \"grouped-by-modality\"\n[stage.finetune.data]\n\
             image_position = \"random\"\n\
             mix = [{{ conversations = \"data.json\" }}, {{ conversations = \"texts.json\", weight = 0.5 }}]"
        );
        world.train(&format!("packing-{packing}"), &difference)
    };
    let (padded, packed) = (packing(false), packing(true));
    assert_eq!(padded.metrics().len(), 3 * 4, "14 samples an epoch");
    for (one, other) in padded.metrics().iter().zip(packed.metrics()) {
        assert_eq!(one.supervised_tokens, other.supervised_tokens);
        let difference = (one.loss - other.loss).abs() / one.loss;
        assert!(difference < 1e-5, "step {}: {difference:e}", one.step);
    }
    let manifest: serde_json::Value = serde_json::from_str(&packed.text("manifest.json")).unwrap();
    let files = manifest["data"].as_array().expect("files").iter();
    let names: Vec<&str> = files
        .map(|file| file["path"].as_str().expect("a path"))
        .collect();
    assert!(
        names[0].ends_with("/data.json") && names[1].ends_with("/texts.json"),
        "{names:?}"
    );
}

/// Sets the flag in the second stage's first step.
struct Impatient<'a>(&'a AtomicBool);

impl Observer for Impatient<'_> {
    fn stage(&mut self, _plan: &StagePlan) {}
    fn step(&mut self, metrics: &StepMetrics, _timing: &StepTiming) {
        if metrics.stage == "finetune" {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    fn scoring(&mut self, _stage: &str, _done: usize, _total: usize) {}
    fn scored(&mut self, _score: &Score) {}
    fn done(&mut self, _run: &Path) {}
}

#[test]
fn a_run_that_is_stopped_keeps_the_stages_that_are_done() {
    let world = World::new();
    let recipe = world.recipe("stopped", "");
    let folder = RunFolder::create(&world.path("stopped")).unwrap();
    let stop = AtomicBool::new(false);
    let observer = &mut Impatient(&stop);
    let ended = menagerie::train::train(&recipe, &folder, &Device::flex(), observer, &stop);
    assert!(matches!(ended, Err(TrainError::Interrupted { stage, .. }) if stage == "finetune"));
    let run = Run(world.path("stopped"));
    assert_eq!(run.metrics().len(), 6);
    let whole = world.train("whole", "");
    assert!(run.all_weights("align") == whole.all_weights("align"));
    let model = Recipe::load(run.0.join("model.toml")).unwrap();
    assert!(
        model
            .weights(Component::Llm)
            .unwrap()
            .ends_with("weights/align/llm.safetensors")
    );
}
