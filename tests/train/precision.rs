//! bf16, with what must not be bf16 in f32.

use menagerie::Component;
use menagerie::burn::module::Module;
use menagerie::burn::tensor::{DType, Device, Tensor, TensorData};
use menagerie::parameters::parameters;
use menagerie::splice::Padding;
use menagerie::tokens::{IGNORE, IMAGE_TOKEN};
use menagerie::train::{GradientSet, loss_sum};
use menagerie::weights::Shards;

use crate::tiny::{Run, World};

/// Mean loss over the last steps of the last stage.
fn smoothed(run: &Run) -> f64 {
    let metrics = run.metrics();
    let last = &metrics[metrics.len() - 20..];
    last.iter().map(|line| line.loss).sum::<f64>() / 20.0
}

const STAGES: &str = "[stage.align]\nsteps = 20\n[stage.finetune]\nfreeze = []\nsteps = 120\n\
                      micro_batch_size = 4";

#[test]
fn bf16_learns_as_f32_does() {
    let world = World::new();
    let train = |name: &str| world.train(name, &format!("dtype = \"{name}\"\n{STAGES}"));
    let (f32, bf16) = (train("f32"), train("bf16"));
    let first = f32.metrics()[0].loss;
    let (whole, half) = (smoothed(&f32), smoothed(&bf16));
    println!("loss from {first} to {whole} in f32, {half} in bf16");
    assert!(whole < 0.5 * first, "{whole} from {first}");
    assert!(
        (half / whole - 1.0).abs() < 0.02,
        "{half} in bf16, {whole} in f32"
    );

    let file = bf16
        .0
        .join(format!("weights/finetune/{}.safetensors", Component::Llm));
    let weights = Shards::open(&file).unwrap();
    for name in weights.names() {
        let data = weights.data(name).unwrap();
        let is_matrix = data.shape().num_dims() == 2;
        let expected = if is_matrix { DType::BF16 } else { DType::F32 };
        assert_eq!(data.dtype(), expected, "{name}");
    }
}

/// The gradient of an embedding, a bias or a norm is a sum over all tokens: in bf16 it would stand
/// still after a few hundred.
#[test]
fn sums_of_gradients_are_taken_in_f32() {
    const ROWS: usize = 256;
    let world = World::new();
    let ids: &[i64] = &[IMAGE_TOKEN, 9, 7, 9, 9, 9, 7, 9];
    let labels: &[i64] = &[IGNORE, 9, 7, 9, 9, 9, 7, 9];
    let pixels: Vec<f32> = (0..ROWS * 3 * 16 * 16)
        .map(|index| (index * 37 % 101) as f32 / 50.0 - 1.0)
        .collect();
    let gradients = |dtype: &str| {
        let recipe = world.recipe(dtype, &format!("dtype = \"{dtype}\""));
        let model = recipe.assemble_to_train(&[], &Device::flex(), &mut |_, _| {});
        let model = model.unwrap();
        let network = model.network().clone().train();
        let pixels = TensorData::new(pixels.clone(), [ROWS, 3, 16, 16]);
        let pixels: Tensor<4> = Tensor::from_data(pixels, (&Device::flex(), model.dtype()));
        let images = Some(network.encode(pixels).into());
        let (loss, _) = loss_sum(&network, &[(ids, labels); ROWS], images, Padding::Right);
        (GradientSet::collect(&network, &loss.backward()), network)
    };
    let ((whole, network), (half, _)) = (gradients("f32"), gradients("bf16"));
    let mut compared = 0;
    for info in parameters(&network) {
        let (Some(whole), Some(half)) = (whole.get(&info.path), half.get(&info.path)) else {
            continue;
        };
        let norm = |tensor: Tensor<1>| tensor.square().sum().sqrt().into_scalar::<f32>();
        let off = norm(half.clone() - whole.clone()) / norm(whole.clone());
        println!("{off:.4} {}", info.path);
        // A key's bias adds the same to all scores of a query, so its gradient is rounding alone.
        let is_nothing = info.path.ends_with("key.bias");
        assert!(off < 0.05 || is_nothing, "{} is {off} off", info.path);
        compared += 1;
    }
    assert!(compared > 50, "{compared}");
}
