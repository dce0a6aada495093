//! A run that was stopped or killed goes on as if nothing had been.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use menagerie::Recipe;
use menagerie::burn::tensor::Device;
use menagerie::train::{
    Observer, RunFolder, Score, StagePlan, StepMetrics, StepTiming, TrainError,
};
use menagerie::weights::Shards;

use serde_json::Value;

use crate::tiny::{World, state};

/// Two stages of 5 and 4 steps, scores within them, and a checkpoint every two steps.
const CHECKED: &str = "\
[checkpoint]
every_steps = 2
every_minutes = 0
[eval]
data = { conversations = \"questions.json\", images = \"images\" }
every_steps = 3
max_new_tokens = 3";
const STEPS: usize = 9;
pub const NONE: [PathBuf; 0] = [];

/// Asks to stop after so many steps.
struct After<'a> {
    steps: usize,
    stop: &'a AtomicBool,
    notes: Vec<String>,
}

impl Observer for After<'_> {
    fn stage(&mut self, _plan: &StagePlan) {}
    fn step(&mut self, _metrics: &StepMetrics, _timing: &StepTiming) {
        self.steps = self.steps.saturating_sub(1);
        if self.steps == 0 {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
    fn scoring(&mut self, _stage: &str, _done: usize, _total: usize) {}
    fn scored(&mut self, _score: &Score) {}
    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }
    fn done(&mut self, _run: &Path) {}
}

/// Goes on with a run, or begins it, for so many steps. Whether it came to its end, and what was noted.
pub fn go(recipe: &Recipe, path: &Path, steps: usize) -> (bool, Vec<String>) {
    let stop = AtomicBool::new(false);
    let notes = Vec::new();
    let mut observer = After {
        steps,
        stop: &stop,
        notes,
    };
    let device = Device::flex();
    let ended = if path.join("recipe.toml").is_file() {
        let run = RunFolder::open(path).unwrap();
        let own = Recipe::load(path.join("recipe.toml")).unwrap();
        menagerie::train::resume(&own, &run, false, &device, &mut observer, &stop)
    } else {
        let run = RunFolder::create(path).unwrap();
        menagerie::train::train(recipe, &run, &device, &mut observer, &stop)
    };
    match ended {
        Ok(()) => (true, observer.notes),
        Err(TrainError::Interrupted { .. }) => (false, observer.notes),
        Err(error) => panic!("{error}"),
    }
}

pub fn differing(one: &Path, other: &Path) -> Vec<PathBuf> {
    state::differing(&state::state(one), &state::state(other))
}

#[test]
fn a_run_stopped_after_any_step_ends_with_the_bytes_of_one_that_was_not() {
    let world = World::new();
    let whole = world.train("whole", CHECKED);
    let recipe = world.recipe("parts", CHECKED);
    for stopped in 1..STEPS {
        let path = world.path(&format!("stopped-{stopped}"));
        assert!(!go(&recipe, &path, stopped).0, "{stopped}");
        let (ended, notes) = go(&recipe, &path, usize::MAX);
        assert!(ended);
        assert!(notes[0].starts_with("going on after step"), "{notes:?}");
        assert_eq!(differing(&whole.0, &path), NONE, "{stopped}");
    }
}

#[test]
fn a_run_may_be_stopped_after_each_of_its_steps() {
    let world = World::new();
    let whole = world.train("whole", CHECKED);
    let recipe = world.recipe("parts", CHECKED);
    let path = world.path("parts");
    let mut sessions = 1;
    while !go(&recipe, &path, 1).0 {
        sessions += 1;
    }
    // Each stage's last step leaves its score to the next session.
    assert_eq!(sessions, STEPS + 1);
    assert_eq!(differing(&whole.0, &path), NONE);
    // Going on with a run that is finished changes nothing.
    assert!(go(&recipe, &path, 1).0);
    assert_eq!(differing(&whole.0, &path), NONE);
}

fn checkpoints(run: &Path) -> Vec<String> {
    let entries = fs::read_dir(run.join("checkpoints")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names
}

/// The newest and those of the best scores, here the first ones: this model never answers right.
#[test]
fn checkpoints_are_kept_by_count_and_by_score() {
    let world = World::new();
    let every_step = CHECKED.replace("every_steps = 2", "every_steps = 1");
    let run = world.train("kept", &every_step);
    let kept = [
        "align-00000000",
        "align-00000003",
        "finetune-00000000",
        "finetune-00000003",
        "finetune-00000004",
    ];
    assert_eq!(checkpoints(&run.0), kept);

    let fewer = every_step.replace(
        "every_minutes",
        "keep = 1\nkeep_best = false\nevery_minutes",
    );
    let run = world.train("fewer", &fewer);
    let kept = ["align-00000000", "finetune-00000000", "finetune-00000004"];
    assert_eq!(checkpoints(&run.0), kept);

    let timed = "[checkpoint]\nevery_minutes = 1e-9\nkeep = 100";
    let run = world.train("timed", timed);
    assert_eq!(checkpoints(&run.0).len(), STEPS + 2);
}

/// It holds what the files of a model do not: the optimizer, and the parameters by path.
#[test]
fn a_checkpoint_holds_what_learns_and_names_what_does_not() {
    let world = World::new();
    let run = world.train("run", CHECKED);
    let folder = run.0.join("checkpoints/finetune-00000004");
    let names = |file: &str| -> Vec<String> {
        let shards = Shards::open(&folder.join(file)).unwrap();
        shards.names().map(ToOwned::to_owned).collect()
    };
    let weights = names("weights.safetensors");
    let learns = |path: &String| {
        (path.starts_with("llm.") && !path.starts_with("llm.layers.0."))
            || path.starts_with("projector.")
    };
    assert!(weights.iter().all(learns), "{weights:?}");
    let optimizer = names("optimizer.safetensors");
    assert_eq!(optimizer.len(), 2 * weights.len());
    let said: Value =
        serde_json::from_slice(&fs::read(folder.join("checkpoint.json")).unwrap()).expect("JSON");
    let base = said["base"].as_array().unwrap();
    let base: Vec<&str> = base
        .iter()
        .map(|file| file["path"].as_str().unwrap())
        .collect();
    let expected = ["vision", "projector", "llm"];
    assert_eq!(
        base,
        expected.map(|name| format!("weights/align/{name}.safetensors"))
    );
}
