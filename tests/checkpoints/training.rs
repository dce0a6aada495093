//! A model that there is already, as the start of a training.

use menagerie::Component;

use super::files::fixture;
use crate::tiny::{Run, World};

#[test]
fn a_later_stage_starts_from_a_run_as_if_there_had_been_no_break() {
    let world = World::new();
    let whole = world.train("whole", "");
    let run = |args: &[&str]| {
        let said = world.menagerie(&[&["train"], args].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
    };
    run(&["align.toml", "--out", "first"]);
    run(&[
        "tiny.toml",
        "--from",
        "finetune",
        "--init",
        "first",
        "--out",
        "second",
    ]);
    let second = Run(world.path("second"));
    for component in Component::ALL {
        let same = whole.weights("finetune", component) == second.weights("finetune", component);
        assert!(same, "{component} differs");
    }
    // Of a run that has gone on, the weights are those before the stage.
    run(&[
        "tiny.toml",
        "--from",
        "finetune",
        "--init",
        "whole",
        "--out",
        "third",
    ]);
    let third = Run(world.path("third"));
    assert_eq!(whole.all_weights("finetune"), third.all_weights("finetune"));

    let said = world.menagerie(&["train", "tiny.toml", "--from", "finetun", "--init", "first"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.stderr.contains("did you mean `finetune`?"), "{said:?}");
}

#[test]
fn ones_own_data_over_an_existing_llava() {
    let world = World::new();
    let model = fixture("hf-clip-llama");
    world.write(
        "mine.toml",
        format!(
            "extends = \"tiny.toml\"\nname = \"mine\"\nmodel = \"{}\"\nstages = [\"finetune\"]\n\
             [stage.finetune]\nfreeze = [\"vision\"]\nsteps = 2\nbatch_size = 4\n",
            model.display()
        ),
    );
    let said = world.menagerie(&["train", "mine.toml", "--out", "mine"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    // What came from the folder is in the run, and the run is a model.
    let run = Run(world.path("mine"));
    assert!(run.text("recipe.toml").contains("chat = \"hf-llava\""));
    let image = model.join("image.png");
    let image = image.to_str().expect("a path");
    let said = world.menagerie(&[
        "ask",
        "mine",
        "--image",
        image,
        "hello",
        "--max-new-tokens",
        "3",
    ]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = world.menagerie(&["export", "mine", "--layout", "hf", "out"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = world.menagerie(&[
        "ask",
        "out",
        "--image",
        image,
        "hello",
        "--max-new-tokens",
        "3",
    ]);
    assert_eq!(said.code, Some(0), "{said:?}");
}
