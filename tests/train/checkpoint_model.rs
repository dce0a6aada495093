//! A checkpoint answers as the run did when it was taken.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use menagerie::burn::tensor::{Device, TensorData};
use menagerie::train::{CheckpointModel, weights_after};
use menagerie::weights::Shards;
use menagerie::{Component, Model, Recipe};

use crate::tiny::{Run, World};

/// Another stage, without what is its own.
const DATA: &str = "data = { conversations = \"data.json\", images = \"images\" }\nsteps = 2\n\
     batch_size = 11\noptimizer = { type = \"adamw\", learning_rate = 1e-2 }\n";

fn tensors(world: &World, model: &Model) -> BTreeMap<String, TensorData> {
    let mut all = BTreeMap::new();
    for component in Component::ALL {
        let file = world.path("one.safetensors");
        model.save(component, &file).expect("saved");
        let shards = Shards::open(&file).expect("opened");
        for name in shards.names() {
            all.insert(
                format!("{component} {name}"),
                shards.data(name).expect("read"),
            );
        }
        drop(shards);
        fs::remove_file(&file).expect("removed");
    }
    all
}

fn at(run: &Run, name: &str) -> Model {
    let folder = run.0.join("checkpoints").join(name);
    CheckpointModel::open(&folder, &[])
        .and_then(|checkpoint| checkpoint.assemble_to_train(&Device::flex(), &mut |_, _| {}))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn after(run: &Run, stage: &str) -> Model {
    let mut recipe = Recipe::load(run.0.join("model.toml")).expect("a recipe");
    weights_after(&mut recipe, &run.0, stage).expect("weights");
    recipe
        .assemble(&Device::flex())
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The largest difference of any number.
fn difference(world: &World, one: &Model, other: &Model) -> f32 {
    let (one, other) = (tensors(world, one), tensors(world, other));
    assert!(one.keys().eq(other.keys()));
    let values = |data: &TensorData| -> Vec<f32> { data.clone().try_to_vec().expect("f32") };
    let pairs = one.values().zip(other.values());
    let off = pairs.flat_map(|(one, other)| {
        let pairs = values(one).into_iter().zip(values(other));
        pairs.map(|(one, other)| (one - other).abs())
    });
    off.fold(0.0, f32::max)
}

#[test]
fn a_checkpoint_at_the_end_of_a_stage_is_the_model_after_it() {
    let lora = "freeze = [\"vision\"]\nlora = { rank = 4, alpha = 8, dropout = 0.3 }\n";
    let adapters = format!(
        "[checkpoint]\nkeep = 20\nevery_steps = 1\n\
         [stage.finetune]\nfreeze = [\"vision\"]\nlora = {{ rank = 4, alpha = 8, quantize = \"nf4\" }}\n\
         [stage.more]\n{lora}{DATA}\
         [stage.still]\nfreeze = [\"vision\", \"llm\"]\n{DATA}\
         [stage.whole]\nfreeze = [\"projector\"]\n{DATA}"
    );
    let stages = "stages = [\"align\", \"finetune\", \"more\", \"still\", \"whole\"]\n";
    let world = World::new();
    let run = world.train("run", &format!("{stages}{adapters}"));
    let steps = [
        ("align", 5),
        ("finetune", 4),
        ("more", 2),
        ("still", 2),
        ("whole", 2),
    ];
    let mut before: Option<(&str, Model)> = None;
    for (stage, steps) in steps {
        let model = after(&run, stage);
        let off = difference(&world, &at(&run, &format!("{stage}-{steps:08}")), &model);
        assert!(off < 1e-6, "{stage}: {off}");
        if let Some((previous, before)) = &before {
            let first = at(&run, &format!("{stage}-00000000"));
            let off = difference(&world, &first, before);
            assert!(
                off < 1e-6,
                "{stage} began otherwise than {previous} ended: {off}"
            );
            assert!(difference(&world, &model, before) > 1e-3, "{stage}");
        }
        before = Some((stage, model));
    }
}

#[test]
fn a_checkpoint_is_asked_scored_and_exported_while_the_run_is_held() {
    let world = World::new();
    let run = world.train(
        "run",
        "[checkpoint]\nkeep = 20\nevery_steps = 1\n\
         [eval]\ndata = { conversations = \"questions.json\", images = \"images\" }\n\
         every_steps = 3\nmax_new_tokens = 3",
    );
    let lock = fs::File::open(run.0.join(".lock")).expect("a lock");
    lock.lock().expect("held");
    let say = |args: &[&str], code: i32| {
        let said = world.menagerie(args);
        assert_eq!(said.code, Some(code), "{args:?}: {said:?}");
        said
    };
    let checkpoint = "run/checkpoints/align-00000003";
    let score = |model: &str| {
        let args = [
            "bench",
            "run",
            "exact",
            model,
            "questions.json",
            "--images",
            "images",
            "--max-new-tokens",
            "3",
            "--no-out",
            "--json",
        ];
        say(&args, 0).json()["score"].as_f64().expect("a score")
    };
    let scores = run.text("scores.jsonl");
    let taken = scores.lines().find_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        (line["stage"] == "align" && line["step"] == 3).then(|| line["score"].as_f64())
    });
    assert_eq!(taken.flatten(), Some(score(checkpoint)));

    say(&["export", checkpoint, "--layout", "burnpack", "out"], 0);
    let model = Recipe::load(world.path("out/model.toml")).expect("a recipe");
    let exported = model.assemble(&Device::flex()).expect("a model");
    let own = at(&run, "align-00000003");
    assert_eq!(difference(&world, &exported, &own), 0.0);

    let said = say(&["inspect", checkpoint], 0).stdout;
    assert!(
        said.contains("of step 3 of stage `align`, 4 tensors"),
        "{said}"
    );
    let said = say(&["export", checkpoint, "--layout", "adapter", "no"], 3);
    assert!(said.stderr.contains("another layout"), "{said:?}");

    fs::remove_file(run.0.join("model.toml")).expect("removed");
    let said = say(&["ask", "run", "w3"], 3).stderr;
    assert!(said.contains("run with no stage done"), "{said}");

    // What lies under it is gone, and then it is damaged itself.
    let copy = world.path("copy");
    fs::create_dir(&copy).expect("made");
    copy_folder(
        &run.0.join("checkpoints/finetune-00000004"),
        &copy.join("finetune-00000004"),
    );
    let said = say(&["inspect", "copy/finetune-00000004"], 3).stderr;
    assert!(
        said.contains("weights/align/vision.safetensors`, which is missing"),
        "{said}"
    );
    let file = run.0.join("checkpoints/align-00000003/weights.safetensors");
    let mut bytes = fs::read(&file).expect("read");
    *bytes.last_mut().expect("a byte") ^= 1;
    fs::write(&file, bytes).expect("written");
    let said = say(&["ask", checkpoint, "w3"], 3).stderr;
    assert!(
        said.contains("is damaged: weights.safetensors is not what was written"),
        "{said}"
    );
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}
