//! The tiny world with a run in it that nothing befell, to compare others with.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::shim::{Call, Calls, Fault, calls, with};
use crate::tiny::state::{differing, state};
use crate::tiny::{Said, World, says};

/// Two stages of 5 and 4 steps, with scores within them and checkpoints every two steps; the second on
/// data of which some is bad.
pub const CHECKED: &str = "\
[stage.finetune]
data = { conversations = \"mixed.json\", images = \"images\", workers = 2, on_bad_sample = \"skip\" }
[checkpoint]
every_steps = 2
every_minutes = 0
[eval]
data = { conversations = \"questions.json\", images = \"images\" }
every_steps = 3
max_new_tokens = 3";

/// One step of a model that is wide enough to be computed by several threads, and that takes a while.
pub const WIDE: &str = "\
stages = [\"align\"]
max_tokens = 700
[vision]
image_size = 128
hidden_size = 128
intermediate_size = 512
[llm]
hidden_size = 192
intermediate_size = 512
max_position_embeddings = 1024
[stage.align]
freeze = []
steps = 1
batch_size = 11";

pub struct Place {
    pub world: World,
    /// The run that nothing befell.
    pub whole: PathBuf,
    state: BTreeMap<PathBuf, Vec<u8>>,
    /// How long it took.
    pub span: Duration,
    runs: AtomicUsize,
}

impl Place {
    pub fn new() -> Self {
        Self::with(CHECKED)
    }

    pub fn with(difference: &str) -> Self {
        let world = World::new();
        write_mixed(&world);
        world.recipe("checked", difference);
        let mut place = Self {
            whole: world.path("whole"),
            state: BTreeMap::new(),
            span: Duration::ZERO,
            runs: AtomicUsize::new(0),
            world,
        };
        let begun = Instant::now();
        let said = said(place.go(&place.whole));
        assert_eq!(said.code, Some(0), "{said:?}");
        place.span = begun.elapsed();
        place.state = state(&place.whole);
        place
    }

    /// The path of a run of its own.
    pub fn run(&self) -> PathBuf {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        self.world.path(&format!("run-{number}"))
    }

    /// The calls with which a new run writes below its folder `under`.
    pub fn survey(&self, under: &str) -> Vec<Call> {
        let run = self.run();
        let log = run.with_extension("log");
        let found = calls(self.go(&run), &run.join(under), Calls::Writing, &log);
        self.ends_equal(&run, "the survey");
        found
    }

    /// A run that was killed in its second stage, after the checkpoint at its second step.
    pub fn stopped(&self) -> PathBuf {
        let found = self.survey("checkpoints");
        let mut calls = found.iter();
        let next = calls.find(|call| call.path.ends_with(".partial-finetune-00000003"));
        let (run, at) = (self.run(), next.expect("a later checkpoint").number);
        let under = run.join("checkpoints");
        let killed = said(with(self.go(&run), &under, Calls::Writing, at, Fault::Kill));
        assert_eq!(killed.code, None, "{killed:?}");
        run
    }

    /// What a user runs to train into `run`: begins it, or goes on with it.
    pub fn go(&self, run: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_menagerie"));
        command.arg("train");
        if run.join("recipe.toml").exists() {
            command.arg("--resume").arg(run);
        } else {
            command
                .arg(self.world.path("checked.toml"))
                .arg("--out")
                .arg(run);
        }
        command
    }

    /// Lets `run` go on to its end, which must be that of the run that nothing befell.
    pub fn ends_equal(&self, run: &Path, trial: &str) {
        let said = said(self.go(run));
        assert_eq!(said.code, Some(0), "{trial}: {said:?}");
        assert_eq!(self.differing(run), Vec::<PathBuf>::new(), "{trial}");
        fs::remove_dir_all(run).unwrap();
    }

    /// The files in which `run` differs from the one that nothing befell.
    pub fn differing(&self, run: &Path) -> Vec<PathBuf> {
        differing(&self.state, &state(run))
    }
}

/// `mixed.json`: the samples of `data.json` and three that nothing can be learned from.
fn write_mixed(world: &World) {
    let text = fs::read_to_string(world.path("data.json")).unwrap();
    let mut samples: Vec<Value> = serde_json::from_str(&text).unwrap();
    world.write("images/torn.bmp", "no picture");
    let ask = |answer: &str| says(&["<image>\nwhat color is it?", answer]);
    let bad = [
        json!({"id": "ghost", "image": "ghost.bmp", "conversations": ask("red")}),
        json!({"id": "torn", "image": "torn.bmp", "conversations": ask("red")}),
        json!({"id": "mute", "image": "red.bmp", "conversations": ask("")}),
    ];
    for (place, sample) in bad.into_iter().enumerate() {
        samples.insert(3 * place, sample);
    }
    world.write("mixed.json", Value::from(samples).to_string());
}

/// Runs a command to its end.
pub fn said(mut command: Command) -> Said {
    let output = command.stdin(Stdio::null()).output();
    output.expect("the program starts").into()
}

/// How many of `all` trials to do.
pub fn share(all: usize, by_default: usize) -> usize {
    match std::env::var("MENAGERIE_FAULTS") {
        Ok(word) if word == "all" => all,
        Ok(word) => panic!("MENAGERIE_FAULTS is `{word}`; it may be `all`"),
        Err(_) => by_default.min(all),
    }
}

/// About `by_default` of `trials`, evenly spread, or all of them.
pub fn spread<T>(trials: Vec<T>, by_default: usize) -> Vec<T> {
    let all = trials.len();
    let wanted = share(all, by_default);
    let chosen = trials.into_iter().enumerate();
    // Whether a whole number lies between the two, as in Bresenham's line.
    let chosen = chosen.filter(|(n, _)| (n + 1) * wanted / all > n * wanted / all);
    chosen.map(|(_, trial)| trial).collect()
}

/// Does the trials, two at a time: all of them, even if one fails.
pub fn each<T: Sync>(trials: &[T], trial: impl Fn(&T) + Sync) {
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(item) = trials.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if catch_unwind(AssertUnwindSafe(|| trial(item))).is_err() {
                        failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner();
    assert_eq!(failed, 0, "of {} trials", trials.len());
}

/// Writes a file of a checkpoint anew, and its sum.
pub fn rewrite(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    let sums = file.with_file_name("SHA256SUMS");
    let lines = fs::read_to_string(&sums).unwrap();
    let hash: String = Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let lines = lines.lines().map(|line| match line.split_once("  ") {
        Some((_, other)) if other == name => format!("{hash}  {name}\n"),
        _ => format!("{line}\n"),
    });
    fs::write(&sums, lines.collect::<String>()).unwrap();
}

/// A copy of a run folder.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}
