//! The fixtures' READMEs say how their values were made.

use menagerie::GenerationConfig;
use menagerie::burn::tensor::{Int, Tensor};
use menagerie::splice::{Padding, Splice};
use menagerie::testing::{Reference, assert_close};
use menagerie::train::loss_sum;
use menagerie::weights::Shards;

use super::{fixture, llama, llava};
use crate::answers::answer;

fn row(ids: Tensor<2, Int>) -> Vec<i64> {
    ids.into_data().try_to_vec_as().expect("integers")
}

/// Encoder, projector, splice of two images, decoder and loss.
#[test]
fn the_assembled_model_equals_transformers() {
    for (name, projector) in [("llava", "mlp"), ("llava-linear", "linear")] {
        let model = llava(name, projector);
        let network = model.network();
        let expected = Reference::open(fixture(name).join("expected.safetensors"));

        let pixels: Tensor<4> = expected.tensor("pixel_values");
        let features = network.vision.forward(pixels.clone());
        assert_close("features", features, expected.tensor("features"), 1e-4);
        let visual = network.encode(pixels);
        assert_close(
            "projected",
            visual.clone(),
            expected.tensor("projected"),
            1e-4,
        );

        let ids = row(expected.integers("input_ids"));
        let labels = row(expected.integers("labels"));
        let splice = Splice::new(&[&ids], model.visual_tokens(), Padding::Right);
        let embeds = network.embed(&splice, Some(visual.clone().into()));
        assert_close(
            "spliced",
            embeds.clone(),
            expected.tensor("spliced_embeds"),
            1e-4,
        );
        let logits = network.llm.logits(network.hidden(embeds, &splice.rows));
        assert_close("logits", logits, expected.tensor("logits"), 1e-4);

        let samples: [(&[i64], &[i64]); 1] = [(&ids, &labels)];
        let (sum, count) = loss_sum(network, &samples, Some(visual.into()), Padding::Right);
        assert_eq!(count, 7);
        let loss: f32 = sum.div_scalar(7.0).into_scalar();
        let file = Shards::open(&fixture(name).join("expected.safetensors")).unwrap();
        let stored = file.data("loss").unwrap().try_to_vec::<f32>().unwrap();
        assert!((loss - stored[0]).abs() < 1e-5, "{loss} {stored:?}");
    }
}

#[test]
fn greedy_answers_equal_transformers() {
    let model = llama();
    let expected = Reference::open(fixture("llama/expected.safetensors"));
    let prompt: Vec<i64> = expected
        .integers::<1>("prompt")
        .into_data()
        .try_to_vec_as()
        .unwrap();
    let generated: Vec<i64> = expected
        .integers::<1>("generated")
        .into_data()
        .try_to_vec_as()
        .unwrap();
    let config = GenerationConfig {
        max_new_tokens: generated.len(),
        ..GenerationConfig::default()
    };
    assert_eq!(answer(&model, &prompt, None, &config).ids, generated);
}
