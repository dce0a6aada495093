//! Adapters that learn in place of the weights under them.

use std::path::Path;

use menagerie::Component;
use menagerie::burn::tensor::{Device, TensorData};
use menagerie::train::{StepMetrics, TrainError};
use menagerie::weights::Shards;
use serde_json::Value;

use super::resume::{NONE, differing, go};
use crate::tiny::{Run, World};

/// `finetune` with an adapter on the decoder; the projector learns too.
const LORA: &str = "[stage.finetune]\nfreeze = [\"vision\", \"llm\"]\n\
     lora = { rank = 4, alpha = 8 }\n";

/// The same in two stages.
const TWICE: &str = "stages = [\"align\", \"finetune\", \"more\"]\n[stage.finetune]\n\
     freeze = [\"vision\"]\nlora = { rank = 4, alpha = 8, dropout = 0.3 }\n\
     [stage.more]\nfreeze = [\"vision\"]\nlora = { rank = 4, alpha = 8, dropout = 0.1 }\n\
     data = { conversations = \"data.json\", images = \"images\" }\nsteps = 3\nbatch_size = 8\n\
     micro_batch_size = 3\noptimizer = { type = \"adamw\", learning_rate = 3e-3 }\n";

fn fixtures() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures"))
}

fn tensors(path: &Path) -> Shards {
    Shards::open(path).unwrap_or_else(|error| panic!("{error}"))
}

/// The largest difference, as a share of the largest value expected.
fn difference(found: &TensorData, expected: &TensorData) -> f64 {
    assert_eq!(found.shape(), expected.shape());
    let values = |data: &TensorData| -> Vec<f32> { data.clone().try_to_vec().expect("f32") };
    let (found, expected) = (values(found), values(expected));
    let largest = expected
        .iter()
        .fold(0.0_f32, |most, value| most.max(value.abs()));
    let pairs = found.iter().zip(&expected);
    let off = pairs.fold(0.0_f32, |most, (found, expected)| {
        most.max((found - expected).abs())
    });
    f64::from(off / largest)
}

/// Six steps of an adapter and a projector, from PEFT's own initial adapter.
#[test]
fn losses_gradients_and_factors_are_pefts() {
    let world = World::new();
    let steps = fixtures().join("lora-steps");
    let recipe = format!(
        "name = \"steps\"\nmodel = {model:?}\nstages = [\"finetune\"]\n\
         [llm]\nchat = \"v1\"\nadapter = {adapter:?}\n\
         [stage.finetune]\nfreeze = [\"vision\", \"llm\"]\n\
         lora = {{ rank = 4, alpha = 6 }}\nsampler = \"sequential\"\nsteps = 6\nbatch_size = 4\n\
         micro_batch_size = 3\n\
         data = {{ conversations = {data:?}, images = {steps:?} }}\n\
         optimizer = {{ type = \"adamw\", learning_rate = 1e-2, weight_decay = 0.1, no_decay = [] }}\n\
         schedule = {{ type = \"constant\", warmup_ratio = 0.0 }}\n",
        model = fixtures().join("models/hf-clip-llama"),
        adapter = steps.join("initial"),
        data = steps.join("data.json"),
    );
    world.write("steps.toml", recipe);
    let said = world.menagerie(&["train", "steps.toml", "--out", "run"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let run = Run(world.path("run"));

    let expected = std::fs::read_to_string(steps.join("expected.jsonl")).expect("expected.jsonl");
    let mut worst = 0.0_f64;
    for (line, step) in expected.lines().zip(run.metrics()) {
        let expected: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(expected["supervised_tokens"], step.supervised_tokens);
        for (name, found) in [("loss", step.loss), ("grad_norm", step.grad_norm)] {
            let expected = expected[name].as_f64().expect("a number");
            worst = worst.max((found / expected - 1.0).abs());
        }
    }
    assert!(worst < 1e-5, "losses and norms are off by {worst:e}");

    let expected = tensors(&steps.join("expected.safetensors"));
    let adapter = tensors(&run.0.join("weights/finetune/llm/adapter_model.safetensors"));
    let projector = tensors(&run.0.join("weights/finetune/projector.safetensors"));
    let mut worst = 0.0_f64;
    let mut count = 0;
    for name in expected.names() {
        let own = name.replace("linear_1", "0").replace("linear_2", "2");
        let found = adapter.data(name).or_else(|_| projector.data(&own));
        let found = found.unwrap_or_else(|error| panic!("{error}"));
        worst = worst.max(difference(&found, &expected.data(name).expect("a tensor")));
        count += 1;
    }
    assert_eq!(count, adapter.names().count() + projector.names().count());
    assert!(worst < 1e-4, "factors are off by {worst:e}");
}

#[test]
fn the_adapter_alone_is_kept_and_the_run_is_a_model() {
    let world = World::new();
    let run = world.train("adapted", &format!("{LORA}steps = 24\n"));
    let metrics = run.metrics();
    let adapted: Vec<_> = metrics
        .iter()
        .filter(|line| line.stage == "finetune")
        .collect();
    let mean = |lines: &[&StepMetrics]| -> f64 {
        lines.iter().map(|line| line.loss).sum::<f64>() / lines.len() as f64
    };
    let (first, last) = (mean(&adapted[..4]), mean(&adapted[20..]));
    assert!(last < 0.99 * first, "{first} {last}");
    assert!(!run.0.join("weights/finetune/llm.safetensors").exists());
    // What lies under the adapter is the stage before's.
    let model = run.text("model.toml");
    assert!(
        model.contains("weights = \"weights/align/llm.safetensors\""),
        "{model}"
    );
    assert!(
        model.contains("adapter = \"weights/finetune/llm\""),
        "{model}"
    );
    let manifest: Value = serde_json::from_str(&run.text("manifest.json")).expect("JSON");
    let factors = 4 * (4 * (24 + 24) + 3 * (24 + 32)) * 2;
    let projector = 16 * 24 + 24 + 24 * 24 + 24;
    let trainable = &manifest["stages"][1]["trainable_parameters"];
    assert_eq!(*trainable, factors + projector);

    let ask = |model: &[&str]| {
        let image = world.path("images/red.bmp").display().to_string();
        let asked = [
            "--image",
            &image,
            "what color is it?",
            "--max-new-tokens",
            "4",
        ];
        let said = world.menagerie(&[&["ask"], model, &asked].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
        said.stdout
    };
    let answer = ask(&["adapted"]);
    for layout in ["hf", "original", "burnpack"] {
        let said = world.menagerie(&["export", "adapted", "--layout", layout, layout]);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(ask(&[layout]), answer, "{layout}");
    }
    // Alone, it lies over the base's folder.
    world.train("base", "extends = \"align.toml\"");
    for (model, layout, out) in [
        ("base", "original", "under"),
        ("adapted", "adapter", "alone"),
    ] {
        let said = world.menagerie(&["export", model, "--layout", layout, out]);
        assert_eq!(said.code, Some(0), "{said:?}");
    }
    assert_eq!(ask(&["alone", "--base", "under"]), answer);
    // Merged, it is the trained model: the decoder's matrices differ from the base's.
    let merged = tensors(&world.path("original"));
    let base = tensors(&run.0.join("weights/align/llm.safetensors"));
    let name = "model.layers.1.mlp.down_proj.weight";
    let [merged, base] = [merged, base].map(|shards| shards.data(name).expect("a tensor"));
    assert!(difference(&merged, &base) > 1e-3);
}

#[test]
fn a_decoder_drawn_from_the_seed_is_kept_once_under_its_adapter() {
    let world = World::new();
    let run = world.train("drawn", &format!("stages = [\"finetune\"]\n{LORA}"));
    assert!(run.0.join("weights/BASE/llm.safetensors").is_file());
    let recipe = menagerie::Recipe::load(run.0.join("model.toml")).expect("a recipe");
    recipe
        .assemble(&Device::flex())
        .unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_stage_goes_on_with_the_adapter_of_the_one_before() {
    let world = World::new();
    let whole = world.train("whole", TWICE);
    let again = world.train("again", TWICE);
    let adapter = |run: &Run, stage: &str| {
        let name = format!("weights/{stage}/llm/adapter_model.safetensors");
        run.bytes(&name)
    };
    // Dropout is drawn anew in each pass, and the same in each run.
    assert_eq!(adapter(&whole, "more"), adapter(&again, "more"));
    assert_ne!(adapter(&whole, "more"), adapter(&whole, "finetune"));
    for (stage, component) in [
        ("finetune", Component::Projector),
        ("more", Component::Projector),
    ] {
        assert_eq!(
            whole.weights(stage, component),
            again.weights(stage, component)
        );
    }

    // The same with a break: of a run that went on, and of one that did not.
    world.recipe("until", &TWICE.replace(", \"more\"]", "]"));
    let train = |args: &[&str]| {
        let said = world.menagerie(&[&["train"], args].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
    };
    train(&["until.toml", "--out", "until"]);
    for init in ["whole", "until"] {
        let out = format!("after-{init}");
        train(&[
            "whole.toml",
            "--from",
            "more",
            "--init",
            init,
            "--out",
            &out,
        ]);
        let run = Run(world.path(&out));
        assert_eq!(adapter(&run, "more"), adapter(&whole, "more"), "{init}");
        let same = run.weights("more", Component::Projector)
            == whole.weights("more", Component::Projector);
        assert!(same, "{init}");
    }
}

#[test]
fn a_later_stage_without_an_adapter_trains_the_merged_weights() {
    let world = World::new();
    let difference = format!(
        "stages = [\"align\", \"finetune\", \"still\", \"whole\"]\n{LORA}\
         [stage.still]\nfreeze = [\"vision\", \"llm\"]\n{MORE}\
         [stage.whole]\nfreeze = [\"vision\", \"projector\"]\n{MORE}"
    );
    let run = world.train("merged", &difference);
    let same = |file: &str| {
        let file = |stage: &str| run.bytes(&format!("weights/{stage}/llm/{file}"));
        assert_eq!(file("finetune"), file("still"));
    };
    same("adapter_model.safetensors");
    assert!(run.0.join("weights/whole/llm.safetensors").is_file());
    assert!(!run.0.join("weights/whole/llm").exists());
    let model = run.text("model.toml");
    assert!(!model.contains("adapter"), "{model}");
    // The loss goes on from where the adapter left it.
    let metrics = run.metrics();
    let loss = |stage: &str| {
        let mut of_stage = metrics.iter().filter(|line| line.stage == stage);
        of_stage.next().expect("a step").loss
    };
    assert!(loss("whole") < loss("finetune"), "{metrics:?}");
}

/// The rest of a stage.
const MORE: &str = "data = { conversations = \"data.json\", images = \"images\" }\nsteps = 2\n\
     batch_size = 11\noptimizer = { type = \"adamw\", learning_rate = 1e-3 }\n";

#[test]
fn what_learns_beside_an_adapter_is_kept_whole_with_it() {
    let world = World::new();
    let on = "lora = { rank = 2, alpha = 2, on = [\"llm.layers.*.attention\"] }";
    let run = world.train(
        "beside",
        &format!("[stage.finetune]\nfreeze = [\"vision\", \"llm.layers.0\"]\n{on}\n"),
    );
    let adapter = tensors(&run.0.join("weights/finetune/llm/adapter_model.safetensors"));
    assert_eq!(adapter.names().count(), 2 * 2 * 4);
    let whole = tensors(
        &run.0
            .join("weights/finetune/llm/non_lora_trainables.safetensors"),
    );
    let base = tensors(&run.0.join("weights/align/llm.safetensors"));
    let name = "model.layers.1.mlp.up_proj.weight";
    let (found, before) = (
        whole.data(&format!("base_model.model.{name}")),
        base.data(name),
    );
    assert!(difference(&found.expect("kept"), &before.expect("a tensor")) > 1e-3);
    assert!(
        whole
            .get("base_model.model.model.layers.0.mlp.up_proj.weight")
            .is_none()
    );
    let recipe = menagerie::Recipe::load(run.0.join("model.toml")).expect("a recipe");
    let model = recipe
        .assemble(&Device::flex())
        .unwrap_or_else(|error| panic!("{error}"));
    let saved = world.path("llm.safetensors");
    model.save(Component::Llm, &saved).expect("saved");
    let used = tensors(&saved).data(name).expect("a tensor");
    let kept = whole
        .data(&format!("base_model.model.{name}"))
        .expect("kept");
    assert_eq!(difference(&used, &kept), 0.0);
}

#[test]
fn quantised_weights_under_an_adapter_train_nearly_as_well() {
    let world = World::new();
    let dense = world.train("dense", LORA);
    let last = |run: &Run| run.metrics().last().expect("steps").loss;
    for (kind, share) in [("q8", 0.002), ("nf4", 0.05)] {
        let quantised = LORA.replace("alpha = 8", &format!("alpha = 8, quantize = \"{kind}\""));
        let run = world.train(kind, &quantised);
        let (dense, quantised) = (last(&dense), last(&run));
        let off = (quantised / dense - 1.0).abs();
        assert!(off < share, "{kind}: {quantised} for {dense}, {off} off");
        // The adapter lies over the weights as they were, to be merged into them.
        let model = run.text("model.toml");
        assert!(
            model.contains("weights = \"weights/align/llm.safetensors\""),
            "{model}"
        );
        let said = world.menagerie(&["ask", kind, "what is red?", "--max-new-tokens", "2"]);
        assert_eq!(said.code, Some(0), "{said:?}");
    }
}

#[test]
fn an_adapter_that_does_not_fit_is_an_error_that_says_why() {
    let world = World::new();
    let message = |name: &str, difference: &str| match world.try_train(name, difference) {
        Ok(_) => panic!("{name} trained"),
        Err(error @ (TrainError::Recipe(_) | TrainError::Weights(_))) => error.to_string(),
        Err(error) => panic!("{error:?}"),
    };
    let lora = |table: &str| LORA.replace("rank = 4, alpha = 8", table);
    let said = message(
        "nowhere",
        &lora("rank = 4, alpha = 8, on = [\"llm.layer\"]"),
    );
    assert!(said.contains("did you mean `llm.layers"), "{said}");
    let said = message("norm", &lora("rank = 4, alpha = 8, on = [\"llm.norm\"]"));
    assert!(said.contains("`llm.norm` holds no linear layer"), "{said}");
    let other = TWICE.replacen("rank = 4", "rank = 2", 1);
    let said = message("other", &other);
    assert!(
        said.contains("goes on with the adapter of stage `finetune`"),
        "{said}"
    );

    world.train("first", LORA);
    let adapter = world.path("first/weights/finetune/llm");
    let weights = world.path("first/weights/align/llm.safetensors");
    let from = |table: &str| {
        let llm = format!("[llm]\nweights = {weights:?}\nadapter = {adapter:?}\n");
        format!("stages = [\"finetune\"]\n{llm}{}", lora(table))
    };
    world.train("goes-on", &from("rank = 4, alpha = 8"));
    for (name, table, expected) in [
        (
            "rank",
            "rank = 8, alpha = 8",
            "its rank is 4, and `rank` says 8",
        ),
        (
            "alpha",
            "rank = 4, alpha = 16",
            "`alpha` = 8, and `alpha` says 16",
        ),
        (
            "less",
            "rank = 4, alpha = 8, on = [\"llm.layers.0\"]",
            "which `on` does not name",
        ),
    ] {
        let said = message(name, &from(table));
        assert!(said.contains(expected), "{said}");
    }
}

/// A new adapter, the same over quantised weights, and its merger; scores and checkpoints between.
#[test]
fn a_run_with_adapters_stopped_after_any_step_ends_with_the_bytes_of_one_that_was_not() {
    let world = World::new();
    let stage = |name: &str, lora: &str| {
        format!(
            "[stage.{name}]\nfreeze = [\"vision\"]\n{lora}micro_batch_size = 5\n\
             sampler = \"sequential\"\n{MORE}"
        )
    };
    let difference = format!(
        "stages = [\"align\", \"first\", \"second\", \"whole\"]\n\
         [checkpoint]\nevery_steps = 1\nevery_minutes = 0\n\
         [eval]\ndata = {{ conversations = \"questions.json\", images = \"images\" }}\n\
         every_steps = 1\nmax_new_tokens = 2\n[stage.align]\nsteps = 1\n{}{}{}",
        stage("first", "lora = { rank = 2, alpha = 4, dropout = 0.3 }\n"),
        stage(
            "second",
            "lora = { rank = 2, alpha = 4, quantize = \"nf4\" }\n"
        ),
        stage("whole", ""),
    );
    let whole = world.train("all", &difference);
    let recipe = world.recipe("parts", &difference);
    for stopped in 1..7 {
        let path = world.path(&format!("stopped-{stopped}"));
        assert!(!go(&recipe, &path, stopped).0, "{stopped}");
        assert!(go(&recipe, &path, usize::MAX).0);
        assert_eq!(differing(&whole.0, &path), NONE, "{stopped}");
    }
    let path = world.path("parts");
    while !go(&recipe, &path, 1).0 {}
    assert_eq!(differing(&whole.0, &path), NONE);
}
