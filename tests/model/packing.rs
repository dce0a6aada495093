//! Samples that share a row compute what they compute alone.

use menagerie::burn::module::Module;
use menagerie::burn::tensor::Tensor;
use menagerie::packed::unpacked;
use menagerie::parameters::parameters;
use menagerie::splice::{Padding, Splice};
use menagerie::testing::Reference;
use menagerie::tokens::{IGNORE, IMAGE_TOKEN};
use menagerie::train::{GradientSet, loss_sum};

use super::{fixture, llava};

/// Samples of 2 to 46 tokens, with two images, one and none.
fn samples(visual_tokens: usize) -> Vec<(Vec<i64>, Vec<i64>)> {
    let text = |len: i64| (0..len).map(|n| 3 + (n * 7) % 90);
    let with_images = |images: &[i64], len: i64| -> Vec<i64> {
        let images = images.iter().map(|_| IMAGE_TOKEN);
        [1].into_iter().chain(images).chain(text(len)).collect()
    };
    let ids = [
        with_images(&[], 5),
        with_images(&[0, 1], 13),
        with_images(&[], 1),
        with_images(&[2], 9),
        with_images(&[], 19),
    ];
    assert_eq!(ids[1].len() - 2 + 2 * visual_tokens, 46);
    let labels = |ids: &Vec<i64>| {
        // All text is learned, the very first token too as far as labels say.
        let label = |&id: &i64| if id == IMAGE_TOKEN { IGNORE } else { id };
        ids.iter().map(label).collect()
    };
    ids.iter().map(|ids| (ids.clone(), labels(ids))).collect()
}

#[test]
fn packed_samples_have_the_loss_and_gradients_of_padded_ones() {
    let model = llava("llava", "mlp");
    let visual_tokens = model.visual_tokens();
    let samples = samples(visual_tokens);
    let rows: Vec<(&[i64], &[i64])> = samples
        .iter()
        .map(|(ids, labels)| (&ids[..], &labels[..]))
        .collect();
    let ids: Vec<&[i64]> = rows.iter().map(|(ids, _)| *ids).collect();
    assert_eq!(Splice::new(&ids, visual_tokens, Padding::Right).batch(), 5);
    assert_eq!(Splice::new(&ids, visual_tokens, Padding::Packed).batch(), 3);

    let network = unpacked(model.network().clone()).train();
    let pixels: Tensor<4> =
        Reference::open(fixture("llava/expected.safetensors")).tensor("pixel_values");
    let shades = [1.0, -0.5, 0.25].map(|shade| pixels.clone().narrow(0, 0, 1) * shade);
    let learn = |padding| {
        let images = network.encode(Tensor::cat(shades.to_vec(), 0).autodiff());
        let (loss, count) = loss_sum(&network, &rows, Some(images.into()), padding);
        let gradients = GradientSet::collect(&network, &loss.clone().backward());
        (f64::from(loss.into_scalar::<f32>()), count, gradients)
    };
    let (loss, count, gradients) = learn(Padding::Right);
    let (packed_loss, packed_count, packed_gradients) = learn(Padding::Packed);
    assert_eq!(packed_count, count);
    assert!(
        (packed_loss / loss - 1.0).abs() < 1e-5,
        "{packed_loss} {loss}"
    );

    let mut compared = 0;
    for info in parameters(&network) {
        let Some(expected) = gradients.get(&info.path) else {
            assert!(packed_gradients.get(&info.path).is_none(), "{}", info.path);
            continue;
        };
        let packed = packed_gradients.get(&info.path).expect(&info.path);
        let norm = |gradient: Tensor<1>| gradient.square().sum().sqrt().into_scalar::<f32>();
        let size = norm(expected.clone());
        let far = norm(packed.clone() - expected.clone());
        // Keys have no use for a bias: its gradient is rounding alone.
        if !info.path.ends_with("key.bias") {
            assert!(far <= 1e-5 * size, "{}: {far:e} of {size:e}", info.path);
            compared += 1;
        }
    }
    assert!(compared > 40, "{compared}");
}
