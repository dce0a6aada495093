//! Step for step the numbers of the original LLaVA's own training, in PyTorch.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use menagerie::burn::tensor::Device;
use menagerie::train::{RunFolder, Silent};
use menagerie::weights::Shards;
use menagerie::{Component, Recipe};
use serde::Deserialize;

use crate::tiny::Run;

/// Relative; 4.1e-7 was reached.
const TOLERANCE: f64 = 1e-5;
/// Of a tensor's largest weight; 1.5e-7 was reached.
const WEIGHT_TOLERANCE: f32 = 2e-5;

/// A line of `expected.jsonl`.
#[derive(Debug, Deserialize)]
struct Expected {
    stage: String,
    step: usize,
    loss: f64,
    grad_norm: f64,
    lr: f64,
    projector_lr: Option<f64>,
    vision_lr: Option<f64>,
    supervised_tokens: usize,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/training-steps")
        .join(name)
}

/// Captions, then conversations, then with a part of the encoder and groups of the optimizer: mixed
/// lengths, several turns, text alone (a whole batch of it too), micro-batches, smaller last batches.
#[test]
fn every_step_equals_the_originals() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = Recipe::load(fixture("recipe.toml")).unwrap_or_else(|error| panic!("{error}"));
    let path = folder.path().join("run");
    let run = RunFolder::create(&path).unwrap();
    let stop = AtomicBool::new(false);
    menagerie::train::train(&recipe, &run, &Device::flex(), &mut Silent, &stop).unwrap();
    let run = Run(path);

    let expected = std::fs::read_to_string(fixture("expected.jsonl")).unwrap();
    let expected: Vec<Expected> = expected
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let metrics = run.metrics();
    assert_eq!((metrics.len(), expected.len()), (20, 20));
    let mut farthest = 0.0_f64;
    for (ours, theirs) in metrics.iter().zip(&expected) {
        let place = format!("step {} of {}", theirs.step, theirs.stage);
        assert_eq!((&ours.stage, ours.step), (&theirs.stage, theirs.step));
        assert_eq!(ours.supervised_tokens, theirs.supervised_tokens, "{place}");
        let rates: Vec<f64> = theirs
            .projector_lr
            .into_iter()
            .chain(theirs.vision_lr)
            .collect();
        assert_eq!(ours.group_lrs.len(), rates.len(), "{place}");
        let rates = ours.group_lrs.iter().zip(&rates);
        for (what, ours, theirs) in [
            ("loss", ours.loss, theirs.loss),
            ("norm", ours.grad_norm, theirs.grad_norm),
            ("rate", ours.lr, theirs.lr),
        ]
        .into_iter()
        .chain(rates.map(|(ours, theirs)| ("a group's rate", *ours, *theirs)))
        {
            let difference = (ours - theirs).abs();
            let relative = if difference == 0.0 {
                0.0
            } else {
                difference / theirs.abs()
            };
            assert!(
                relative <= TOLERANCE,
                "{what} at {place}: {ours} for {theirs}"
            );
            farthest = farthest.max(relative);
        }
    }
    println!("relative difference of losses, norms and rates: at most {farthest:e}");

    let expected = Shards::open(&fixture("expected.safetensors")).unwrap();
    let mut farthest = BTreeMap::new();
    for name in expected.names() {
        let (stage, key) = name.split_once('.').unwrap();
        let values = |shards: &Shards, key: &str| -> Vec<f32> {
            shards.data(key).unwrap().try_to_vec().unwrap()
        };
        let theirs = values(&expected, name);
        let (component, key) = our_name(key);
        let file = run
            .0
            .join(format!("weights/{stage}/{component}.safetensors"));
        let ours = values(&Shards::open(&file).unwrap(), &key);
        assert_eq!(ours.len(), theirs.len(), "{name}");
        let largest = theirs.iter().copied().map(f32::abs).fold(0.0, f32::max);
        let pairs = ours.iter().zip(&theirs);
        let far = pairs.map(|(ours, theirs)| (ours - theirs).abs());
        let far = far.fold(0.0, f32::max) / largest;
        assert!(far <= WEIGHT_TOLERANCE, "{name} is {far:e} off");
        farthest.insert(
            stage.to_owned(),
            far.max(farthest.get(stage).copied().unwrap_or(0.0)),
        );
    }
    println!("difference of weights, of a tensor's largest: {farthest:?}");
    assert_eq!(farthest.len(), 3);
}

/// Component and name in its file of a tensor of the original's whole model.
fn our_name(key: &str) -> (Component, String) {
    if let Some(rest) = key.strip_prefix("model.mm_projector.") {
        return (Component::Projector, rest.to_owned());
    }
    match key.strip_prefix("model.vision_tower.vision_tower.") {
        Some(rest) => (Component::Vision, rest.to_owned()),
        None => (Component::Llm, key.to_owned()),
    }
}
