//! Mistakes: each with its message and exit code, before or in training.

use menagerie::Component;
use menagerie::burn::tensor::Device;
use serde_json::json;

use crate::tiny::{Run, World, says};

/// Trains `tiny.toml` with a difference: exit code and message, without the folder's path.
fn refuse(world: &World, difference: &str) -> (Option<i32>, String) {
    world.write(
        "wrong.toml",
        format!("extends = \"tiny.toml\"\n{difference}\n"),
    );
    let said = world.menagerie(&["train", "wrong.toml", "--out", "wrong"]);
    assert_eq!(said.stdout, "");
    let folder = world.path("").display().to_string();
    let error = said
        .stderr
        .find("error: ")
        .unwrap_or_else(|| panic!("{said:?}"));
    let _ = std::fs::remove_dir_all(world.path("wrong"));
    (said.code, said.stderr[error..].replace(&folder, ""))
}

#[test]
fn data_that_teaches_nothing_is_refused() {
    let world = World::new();
    let ask = |answer: &str| says(&["<image>\nwhat color is it?", answer]);
    world.write(
        "missing.json",
        json!([{ "id": "ghost", "image": "none.bmp", "conversations": ask("red") }]).to_string(),
    );
    world.write(
        "silent.json",
        json!([{ "id": "mute", "image": "red.bmp", "conversations": ask(" ") }]).to_string(),
    );
    world.write("images/broken.bmp", "not a picture");
    world.write(
        "broken.json",
        json!([{ "id": "torn", "image": "broken.bmp", "conversations": ask("red") }]).to_string(),
    );
    for (difference, messages) in [
        (
            "[stage.finetune.data]\nconversations = \"missing.json\"",
            ["missing.json: sample `ghost`", "images/none.bmp"],
        ),
        (
            "[stage.align.data]\nconversations = \"silent.json\"",
            ["silent.json: sample `mute`", "nothing is learned from it"],
        ),
        (
            "[stage.align.data]\nconversations = \"broken.json\"",
            ["broken.json: sample `torn`", "image broken.bmp"],
        ),
        (
            "max_tokens = 8",
            ["cut to max_tokens = 8", "raise max_tokens"],
        ),
        (
            "[eval]\ndata = { conversations = \"missing.json\", images = \"images\" }",
            ["missing.json: sample `ghost#0`", "images/none.bmp"],
        ),
    ] {
        let (code, said) = refuse(&world, difference);
        assert_eq!(code, Some(3), "{said}");
        for message in messages {
            assert!(said.contains(message), "{message}: {said}");
        }
        assert!(!said.contains("done in"), "{said}");
    }
}

/// All data is looked at before the first step: a long stage is not wasted.
#[test]
fn a_missing_image_of_the_score_shows_before_training() {
    let world = World::new();
    let asked = says(&["<image>\nwhat color is it?", "red"]);
    let sample = json!([{ "id": "ghost", "image": "none.bmp", "conversations": asked }]);
    world.write("missing.json", sample.to_string());
    let difference = "[eval]\ndata = { conversations = \"missing.json\", images = \"images\" }";
    assert!(world.try_train("run", difference).is_err());
    assert!(!world.path("run/metrics.jsonl").exists());
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let world = World::new();
    let model = world
        .recipe("tiny-copy", "")
        .assemble(&Device::flex())
        .unwrap();
    for component in Component::ALL {
        let file = world.path(&format!("{component}.safetensors"));
        model.save(component, &file).unwrap();
    }
    for (difference, code, message) in [
        (
            "[llm]\nchat = \"v2\"",
            3,
            "wrong.toml:3:1: no chat template is called `v2`",
        ),
        (
            "[stage.align.data]\nchat = \"plian\"",
            3,
            "(did you mean `plain`?)",
        ),
        (
            "[vision]\nweights = \"vision.safetensors\"\nnum_layers = 1",
            3,
            "wrong.toml:3:1: `vision.safetensors` holds 16 tensors that `vision` does not want",
        ),
        (
            "[llm]\nweights = \"llm.safetensors\"\nnum_layers = 3",
            3,
            "wrong.toml:3:1: 9 of the 30 tensors of `llm` are not in `llm.safetensors`:\n  \
             model.layers.2.",
        ),
        (
            "[projector]\nweights = \"projector.safetensors\"\n[llm]\nhidden_size = 32",
            3,
            "wrong.toml:3:1: `0.weight` in `projector.safetensors` has shape [24, 16]; \
             `projector` wants [32, 16]",
        ),
        (
            "[vision]\nweights = \"./nowhere\"",
            4,
            "wrong.toml:3:1: no weights at `nowhere`",
        ),
        (
            "[llm]\nvocab_size = 364",
            3,
            "the tokenizer has 365 tokens and the decoder embeds 364",
        ),
        (
            "[stage.align]\nfreeze = [\"vision\", \"llm.layer\"]",
            3,
            "`llm.layer` matches no parameter; there are: llm.embed_tokens, llm.layers",
        ),
    ] {
        let (found, said) = refuse(&world, difference);
        assert!(said.contains(message), "{message}\n{said}");
        assert_eq!(found, Some(code), "{said}");
    }
}

#[test]
fn a_run_folder_that_holds_something_is_left_alone() {
    let world = World::new();
    let said = world.menagerie(&["train", "tiny.toml", "--out", "images"]);
    assert_eq!(said.code, Some(1));
    assert_eq!(
        said.stderr,
        "error: `images` is not empty; choose another folder with --out, or remove it\n"
    );
    assert!(world.path("images/red.bmp").is_file());
}

#[test]
fn a_loss_that_is_no_number_names_its_samples_and_keeps_what_was_good() {
    let world = World::new();
    world.write(
        "wild.toml",
        "extends = \"tiny.toml\"\ncheckpoint = { every_steps = 1 }\n[stage.align]\nbatch_size = 2\n\
         sampler = \"sequential\"\noptimizer = { learning_rate = 1e36 }",
    );
    let said = world.menagerie(&["train", "wild.toml", "--out", "run"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    // Step 0 has the rate 0, step 1 does the harm, step 2 sees it.
    let message = "at step 2 of stage `align` (the smoothed loss was 5.9";
    assert!(said.stderr.contains(message), "{said:?}");
    let message = "the batch held: blue, blue-red. Look at these samples";
    assert!(said.stderr.contains(message), "{said:?}");
    assert_eq!(Run(world.path("run")).metrics().len(), 2);

    // What it says to do does it: from the step before the harm.
    let calm = "stage.align.optimizer.learning_rate = 1e-3";
    let again = ["train", "--resume", "run", "--allow-changes", "--set", calm];
    let said = world.menagerie(&again);
    assert_eq!(said.code, Some(0), "{said:?}");
    let note = "note: going on after step 1 of 5 of stage `align`";
    assert!(said.stderr.contains(note), "{said:?}");
    let metrics = Run(world.path("run")).metrics();
    assert!(metrics.iter().all(|line| line.loss < 7.0), "{metrics:?}");
}

#[test]
fn a_loss_that_explodes_ends_the_run() {
    let world = World::new();
    let difference = "extends = \"align.toml\"\n[stage.align]\nsteps = 60\nbatch_size = 2\n\
                      max_loss_ratio = 1.001\nmax_grad_norm = 0\nschedule = { type = \"constant\" }\n\
                      optimizer = { learning_rate = 3.0 }";
    let message = world.try_train("wild", difference).unwrap_err().to_string();
    assert!(message.starts_with("the loss is "), "{message}");
    let off = difference.replace("1.001", "0");
    world.train("off", &off);
}
