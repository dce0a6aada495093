//! Packed layers beside plain ones.

use std::cell::Cell;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Device, Distribution, Int, Tensor, TensorData};

use super::*;
use crate::nn::{Embedding, Linear, in_parts};
use crate::parameters::{parameters, seeded};

const FORMATS: [Format; 4] = [Format::F32, Format::Bf16, Format::Q8, Format::Q4];

#[derive(Module, Debug)]
struct Layers {
    embed: Embedding,
    first: Linear,
    /// Not packed, whatever its type is called.
    other: burn_like::Linear,
}

/// A layer of somebody's own that bears the same name.
mod burn_like {
    use burn::module::{Module, Param};
    use burn::tensor::Tensor;

    #[derive(Module, Debug)]
    pub struct Linear {
        pub weight: Param<Tensor<2>>,
    }
}

fn random<const D: usize>(seed: u64, shape: [usize; D]) -> Tensor<D> {
    let device = Device::flex();
    let normal = Distribution::Normal(0.0, 1.0);
    seeded(&device, seed, || {
        Tensor::random(shape, normal, (&device, DType::F32))
    })
}

fn layers() -> Layers {
    let device = Device::flex();
    let layers = Layers {
        embed: Embedding::new(29, 70, 0.02, &device),
        first: Linear::new(70, 45, true, &device),
        other: burn_like::Linear {
            weight: Param::from_tensor(random(3, [45, 5])),
        },
    };
    crate::parameters::draw(&layers, 5);
    layers
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data()
        .convert::<f32>()
        .try_to_vec()
        .expect("f32")
}

fn largest<const D: usize>(tensor: Tensor<D>) -> f32 {
    tensor.abs().max().into_scalar()
}

#[test]
fn a_packed_layer_computes_what_the_weight_it_stands_for_does() {
    let x = random(6, [2, 3, 70]);
    for format in FORMATS {
        let plain = unpacked(pack(layers(), format));
        let packed = pack(layers(), format);
        let Linear { weight, bias } = plain.first;
        let wanted = burn::tensor::module::linear(
            x.clone(),
            weight.val().cast(DType::F32),
            bias.as_ref().map(Param::val),
        );
        let off = largest(packed.first.forward(x.clone()) - wanted.clone()) / largest(wanted);
        // Activations are rounded to 8 bits, or to bytes, or not at all.
        let (least, most) = match format {
            Format::F32 => (-1.0, 1e-6),
            _ => (0.0, 0.01),
        };
        assert!(off > least && off < most, "{format}: {off}");
        assert_eq!(packed.first.rounds(), format != Format::F32);
    }
}

#[test]
fn parts_of_a_packed_layer_give_the_bits_of_the_whole() {
    let most = Cell::new(0);
    let layer = |layer: &Linear, x: Tensor<3>| {
        most.set(most.get().max(x.dims()[1]));
        layer.forward(x)
    };
    for shape in [[3, 171, 70], [1, 257, 70], [1, 256, 70], [2, 1, 70]] {
        let x = random(8, shape);
        for format in FORMATS {
            let first = pack(layers(), format).first;
            most.set(0);
            let parts = in_parts(&first, x.clone(), |x| layer(&first, x));
            assert!(most.take() <= 256, "{format}: {shape:?}");
            let whole = first.forward(x.clone());
            assert_eq!(parts.dims(), whole.dims());
            assert_eq!(values(parts), values(whole), "{format}: {shape:?}");
        }
        let plain = layers().first;
        let whole = values(plain.forward(x.clone()));
        assert_eq!(values(in_parts(&plain, x, |x| layer(&plain, x))), whole);
        assert_eq!(most.take(), shape[1], "all at once");
    }
}

#[test]
fn a_packed_table_gives_its_rows_and_ties_the_output_layer() {
    let ids = TensorData::new(vec![3_i32, 28, 0, 3], [2, 2]);
    let ids: Tensor<2, Int> = Tensor::from_data(ids, &Device::flex());
    for format in FORMATS {
        let plain = unpacked(pack(layers(), format)).embed.weight.val();
        let packed = pack(layers(), format).embed;
        let rows = values(packed.forward(ids.clone()));
        let table = values(plain.clone());
        let wanted = [3, 28, 0, 3].map(|id| &table[id * 70..][..70]).concat();
        assert_eq!(rows, wanted, "{format}");
        let hidden = random(7, [1, 4, 70]);
        let wanted = hidden
            .clone()
            .matmul(plain.cast(DType::F32).transpose().unsqueeze());
        let off = largest(packed.logits(hidden) - wanted.clone()) / largest(wanted);
        assert!(off < 0.01, "{format}: {off}");
    }
}

#[test]
fn bf16_comes_back_to_the_bit_and_other_layers_stay_as_they_are() {
    let module = layers();
    let packed = pack(module.clone(), Format::Bf16);
    let mut paths: Vec<String> = packed_paths(&packed).into_iter().collect();
    paths.sort();
    assert_eq!(paths, ["embed.weight", "first.weight"]);
    assert_eq!(
        parameters(&packed)
            .iter()
            .map(|info| &info.path)
            .collect::<Vec<_>>(),
        parameters(&module)
            .iter()
            .map(|info| &info.path)
            .collect::<Vec<_>>()
    );
    let back = unpacked(packed);
    let rounded = |tensor: Tensor<2>| values(tensor.cast(DType::BF16));
    assert_eq!(
        values(back.first.weight.val()),
        rounded(module.first.weight.val())
    );
    assert_eq!(
        values(back.embed.weight.val()),
        rounded(module.embed.weight.val())
    );
    assert_eq!(
        values(back.other.weight.val()),
        values(module.other.weight.val())
    );
}

#[test]
#[should_panic(expected = "a packed weight cannot learn")]
fn a_packed_weight_that_is_to_learn_is_no_silent_failure() {
    let packed = pack(layers(), Format::Q8).train();
    packed.first.forward(random(6, [2, 70]).autodiff());
}

#[test]
#[should_panic(expected = "a packed weight cannot be changed")]
fn a_packed_weight_that_was_changed_is_no_silent_failure() {
    struct Twice;

    impl ModuleMapper for Twice {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|tensor| tensor * 2.0)
        }
    }

    let changed = pack(layers(), Format::F32).map(&mut Twice);
    changed.first.forward(random(6, [2, 70]));
}

#[test]
fn a_gradient_flows_through_packed_weights_to_what_is_before_them() {
    let packed = pack(layers(), Format::Bf16);
    let x = random(6, [2, 70]).autodiff().require_grad();
    let gradients = packed.first.forward(x.clone()).sum().backward();
    let found = x.grad(&gradients).expect("a gradient");
    let weight = unpacked(packed).first.weight.val().cast(DType::F32);
    let wanted: Tensor<2> = weight.sum_dim(1).transpose().expand([2, 70]);
    assert!(largest(found - wanted) < 1e-4);
}
