//! Blocks run again and logits in chunks: less memory, the same result.

use menagerie::burn::tensor::{Device, Tensor};
use menagerie::parameters::parameters;
use menagerie::recipe::FreezePattern;
use menagerie::splice::Padding;
use menagerie::testing::normal;
use menagerie::tokens::{IGNORE, IMAGE_TOKEN};
use menagerie::train::{GradientSet, Pass, PassOptions, loss_sum, trainable};
use menagerie::{Model, Network};

use crate::tiny::World;

/// Token ids with their labels.
type Sample = (Vec<i64>, Vec<i64>);

/// Relative, in f32: of the loss, and of all gradients together.
const TOLERANCE: f64 = 1e-6;
/// Likewise of one parameter's gradient.
const EACH: f64 = 1e-5;

/// Everything on: blocks run twice, logits of two tokens at a time.
const SAVING: PassOptions = PassOptions {
    padding: Padding::Right,
    checkpoint_blocks: true,
    logits_bytes: 2 * 4 * 365,
};

/// Three blocks on either side, and what the two tables add.
fn model(world: &World, name: &str, vision: &str, llm: &str) -> Model {
    let difference = format!(
        "[vision]\n{vision}\nimage_size = 16\npatch_size = 8\nhidden_size = 16\n\
         intermediate_size = 24\nnum_layers = 3\nnum_heads = 2\n\
         [llm]\n{llm}\ntokenizer = \"tokenizer.json\"\nchat = \"hf-llava\"\nvocab_size = 365\n\
         hidden_size = 24\nintermediate_size = 32\nnum_layers = 3\nnum_heads = 2\n\
         max_position_embeddings = 256"
    );
    let recipe = world.recipe(name, &difference);
    recipe.assemble(&Device::flex()).unwrap()
}

/// A row of text, one with an image, and one with two and a turn between; nothing else alike.
fn samples() -> Vec<Sample> {
    let row = |ids: &[i64], first: usize| {
        let labels = ids.iter().enumerate();
        let labels = labels.map(|(place, &id)| if place < first { IGNORE } else { id });
        (ids.to_vec(), labels.collect())
    };
    vec![
        row(&[1, 20, 30, 40, 50], 2),
        row(&[1, IMAGE_TOKEN, 7, 8, 9, 10, 11], 4),
        row(&[1, IMAGE_TOKEN, 60, 3, IMAGE_TOKEN, 70, 71, 72], 6),
    ]
}

fn borrowed(samples: &[Sample]) -> Vec<(&[i64], &[i64])> {
    let pairs = samples.iter();
    pairs.map(|(ids, labels)| (&ids[..], &labels[..])).collect()
}

fn pixels(samples: &[Sample]) -> Option<Tensor<4>> {
    let ids = samples.iter().flat_map(|(ids, _)| ids);
    let count = ids.filter(|&&id| id == IMAGE_TOKEN).count();
    (count > 0).then(|| normal([count, 3, 16, 16]))
}

/// The whole graph and all logits at once.
fn plainly(network: &Network, samples: &[Sample], pixels: Option<Tensor<4>>) -> (f64, GradientSet) {
    let images = pixels.map(|pixels| network.encode(pixels).into());
    let rows = borrowed(samples);
    let (loss, _) = loss_sum(network, &rows, images, Padding::Right);
    let gradients = if loss.is_tracked() {
        GradientSet::collect(network, &loss.clone().backward())
    } else {
        GradientSet::default()
    };
    let loss: f32 = loss.into_scalar();
    (f64::from(loss), gradients)
}

fn norm(gradient: &Tensor<1>) -> f64 {
    let squares: f32 = gradient.clone().square().sum().into_scalar();
    f64::from(squares).sqrt()
}

fn assert_same(what: &str, network: &Network, one: &GradientSet, other: &GradientSet) {
    let whole = one.norm();
    let mut far = 0.0;
    for path in parameters(network).into_iter().map(|info| info.path) {
        match (one.get(&path), other.get(&path)) {
            (None, None) => {}
            (Some(one), Some(other)) => {
                let difference = norm(&(one.clone() - other));
                // Some are nothing but rounding: what a key's bias adds to all scores, the softmax
                // takes away.
                let size = norm(&one).max(1e-3 * whole);
                let relative = difference / size;
                assert!(relative <= EACH, "{what}, {path}: {relative:e}");
                far += difference * difference;
            }
            (one, _) => panic!("{what}, {path}: a gradient {} alone", one.is_some()),
        }
    }
    let relative = far.sqrt() / whole;
    assert!(
        whole == 0.0 || relative <= TOLERANCE,
        "{what}: {relative:e}"
    );
}

fn freeze(patterns: &[&str]) -> Vec<FreezePattern> {
    let patterns = patterns.iter().map(|pattern| pattern.parse());
    patterns.collect::<Result<_, _>>().unwrap()
}

/// Two encoders, one of them read at several states; decoders tied and not, with windows shorter than
/// a row and capped logits, with biases; all that learns alone and together.
#[test]
fn gradients_are_those_of_the_whole_graph() {
    let world = World::new();
    let several = "type = \"clip\"\nlayer = [0, -1, 1]";
    let tied = "type = \"llama\"\ntie_word_embeddings = true";
    let capped = "type = \"gemma2\"\nhead_dim = 12\nsliding_window = 4\n\
                  attn_logit_softcapping = 5.0\nfinal_logit_softcapping = 3.0";
    let models = [
        model(&world, "clip", "type = \"clip\"", "type = \"llama\""),
        model(&world, "siglip", "type = \"siglip\"\nlayer = -1", tied),
        model(&world, "states", several, "type = \"qwen2\""),
        model(&world, "capped", "type = \"clip\"", capped),
        model(&world, "biased", "type = \"clip\"", "type = \"phi\""),
    ];
    let stages: [&[&str]; 7] = [
        &["vision", "llm"],
        &["vision"],
        &[],
        &["vision", "projector", "llm.embed_tokens", "llm.layers.0..2"],
        &["vision.layers.0", "projector", "llm.layers.1"],
        &["vision", "projector", "llm.layers"],
        &["vision", "projector", "llm"],
    ];
    for (number, model) in models.iter().enumerate() {
        for stage in stages {
            let frozen = freeze(stage);
            let network = trainable::for_stage(model.network().clone(), |path| {
                !frozen.iter().any(|pattern| pattern.matches(path))
            });
            let samples = samples();
            for batch in [&samples[..], &samples[..1], &samples[1..]] {
                let pixels = pixels(batch);
                let (loss, expected) = plainly(&network, batch, pixels.clone());
                let checkpointed = PassOptions {
                    checkpoint_blocks: true,
                    ..PassOptions::default()
                };
                let chunked = PassOptions {
                    checkpoint_blocks: false,
                    ..SAVING
                };
                for options in [PassOptions::default(), checkpointed, chunked, SAVING] {
                    let pass = Pass::new(model, &network, options);
                    let done = pass.run(&borrowed(batch), pixels.clone().map(Into::into));
                    let what = format!(
                        "model {number}, {stage:?}, {} rows, {options:?}",
                        batch.len()
                    );
                    let far = (done.loss_sum / loss - 1.0).abs();
                    assert!(far <= TOLERANCE, "{what}: loss {far:e}");
                    assert_same(&what, &network, &expected, &done.gradients);
                }
            }
        }
    }
}

#[test]
fn a_stage_with_checkpointed_blocks_learns_the_same() {
    let world = World::new();
    let stages = |value: &str| format!("[stage.align]\n{value}\n[stage.finetune]\n{value}");
    let whole = world.train("whole", &stages("micro_batch_size = 4"));
    let parts = world.train(
        "parts",
        &stages("micro_batch_size = 4\ncheckpoint_blocks = true"),
    );
    for (one, other) in whole.metrics().iter().zip(parts.metrics()) {
        for (one, other) in [(one.loss, other.loss), (one.grad_norm, other.grad_norm)] {
            let far = (one / other - 1.0).abs();
            assert!(far < 1e-5, "step {one}: {far:e}");
        }
    }
    let again = world.train(
        "again",
        &stages("micro_batch_size = 4\ncheckpoint_blocks = true"),
    );
    assert!(parts.all_weights("finetune") == again.all_weights("finetune"));
}
