//! What every decoder must do.

use burn::module::Param;
use burn::tensor::{Device, Gradients, Int, Tensor};

use super::{assert_close, check_hf, check_options, check_round_trip, normal, widened};
use crate::cache::KvCache;
use crate::context::{Context, Rows};
use crate::decoder::{Decoder, DecoderSpec};
use crate::parameters::{ParameterVisitor, draw, visit_parameters};
use crate::plugin;
use crate::slot::Slot;

/// Off by more than this is a mistake and not rounding, at the tiny size in f32.
const TOLERANCE: f64 = 1e-4;

/// Checks the registered decoder `name` at its tiny size: the spec states its sizes, no token sees
/// a later one, padding and packed neighbours change nothing, the cache changes nothing, blocks
/// give what the whole gives, every parameter has a gradient, options and weights survive being
/// written and read, to a Hugging Face config too.
///
/// # Panics
/// If something does not hold.
pub fn check_decoder(name: &str) {
    let plugin = plugin::decoder(name).unwrap_or_else(|error| panic!("{error}"));
    let config = plugin
        .configure(plugin.info.tiny())
        .unwrap_or_else(|error| panic!("{error}"));
    check_options(name, &config.options(), |options| {
        Ok(plugin.configure(options)?.options())
    });
    check_hf(
        name,
        &config.options(),
        config.to_hf(),
        "text_config",
        |config| plugin.info.from_hf(config),
    );

    let spec = config.spec().unwrap_or_else(|error| panic!("{error}"));
    let build_on = |device: &Device| {
        let module = config.init(device);
        module.unwrap_or_else(|error| panic!("{error}"))
    };
    let build = || build_on(&Device::flex());
    check_gradients(name, &build_on(&Device::flex().autodiff()));
    let module = widened(build());
    check_shapes(name, &module, &spec);
    check_causal(name, &module, &spec);
    check_padding(name, &module, &spec);
    check_packing(name, &module, &spec);
    check_cache(name, &module, &spec);
    check_blocks(name, &module, &spec);
    check_round_trip(name, &module, build(), &config.checkpoint());
}

/// Hidden states of whole rows, without a cache.
fn whole(module: &Slot<dyn Decoder>, embeds: &Tensor<3>, rows: &Rows) -> Tensor<3> {
    let mut context = Context::new(rows, &Device::flex());
    module.forward(embeds.clone(), &mut context)
}

fn check_shapes(name: &str, module: &Slot<dyn Decoder>, spec: &DecoderSpec) {
    let ids: Tensor<2, Int> = Tensor::from_ints([[0, 1, 2], [3, 2, 1]], &Device::flex());
    let embeds = module.embed(ids);
    assert_eq!(
        embeds.dims(),
        [2, 3, spec.hidden_size],
        "`{name}`: embeddings are not what its spec states"
    );
    let hidden = whole(module, &embeds, &Rows::padded_right(&[3, 3]));
    assert_eq!(
        hidden.dims(),
        [2, 3, spec.hidden_size],
        "`{name}`: hidden states are not what its spec states"
    );
    let logits = module.logits(hidden.narrow(1, 1, 2));
    assert_eq!(
        logits.dims(),
        [2, 2, spec.vocab_size],
        "`{name}`: logits are not what its spec states"
    );
}

fn check_causal(name: &str, module: &Slot<dyn Decoder>, spec: &DecoderSpec) {
    let rows = Rows::padded_right(&[6]);
    let embeds = normal([1, 6, spec.hidden_size]);
    let changed = Tensor::cat(
        vec![
            embeds.clone().narrow(1, 0, 4),
            normal([1, 2, spec.hidden_size]),
        ],
        1,
    );
    let first = |embeds: &Tensor<3>| whole(module, embeds, &rows).narrow(1, 0, 4);
    assert_close(
        &format!("`{name}`: a token sees a later one"),
        first(&changed),
        first(&embeds),
        TOLERANCE,
    );
}

fn check_padding(name: &str, module: &Slot<dyn Decoder>, spec: &DecoderSpec) {
    let embeds = normal([2, 5, spec.hidden_size]);
    let alone = |row: usize, start: usize, len: usize| {
        let embeds = embeds.clone().narrow(0, row, 1).narrow(1, start, len);
        whole(module, &embeds, &Rows::padded_right(&[len]))
    };
    let right = whole(module, &embeds, &Rows::padded_right(&[5, 3]));
    let what = format!("`{name}`: padding on the right changes a row");
    assert_close(
        &what,
        right.narrow(0, 1, 1).narrow(1, 0, 3),
        alone(1, 0, 3),
        TOLERANCE,
    );
    let left = whole(module, &embeds, &Rows::padded_left(&[5, 3]));
    let what = format!("`{name}`: padding on the left changes a row");
    assert_close(
        &what,
        left.narrow(0, 1, 1).narrow(1, 2, 3),
        alone(1, 2, 3),
        TOLERANCE,
    );
}

fn check_packing(name: &str, module: &Slot<dyn Decoder>, spec: &DecoderSpec) {
    let embeds = normal([1, 7, spec.hidden_size]);
    let packed = Rows {
        positions: vec![vec![0, 1, 2, 0, 1, 2, 3]],
        segments: vec![vec![1, 1, 1, 2, 2, 2, 2]],
    };
    let second = whole(module, &embeds, &packed).narrow(1, 3, 4);
    let alone = whole(module, &embeds.narrow(1, 3, 4), &Rows::padded_right(&[4]));
    assert_close(
        &format!("`{name}`: a packed sample sees its neighbour"),
        second,
        alone,
        TOLERANCE,
    );
}

/// Each block twice, as a trainer that keeps no block's activations runs them.
fn check_blocks(name: &str, module: &Slot<dyn Decoder>, spec: &DecoderSpec) {
    let Some(blocks) = module.blocks() else {
        return;
    };
    let rows = Rows::padded_right(&[5, 3]);
    let embeds = normal([2, 5, spec.hidden_size]);
    let mut context = Context::new(&rows, &Device::flex());
    let parts = blocks.run(embeds.clone(), &mut |index, hidden| {
        blocks.block(index, hidden.clone(), &mut context);
        blocks.block(index, hidden, &mut context)
    });
    assert_close(
        &format!("`{name}`: its blocks give other hidden states than its `forward`"),
        parts,
        whole(module, &embeds, &rows),
        TOLERANCE,
    );
}

/// A loss of all logits reaches every parameter.
fn check_gradients(name: &str, module: &Slot<dyn Decoder>) {
    struct Unreached<'g> {
        gradients: &'g Gradients,
        paths: Vec<String>,
    }

    impl ParameterVisitor for Unreached<'_> {
        fn visit<const D: usize>(&mut self, path: String, param: &Param<Tensor<D>>) {
            if param.val().grad(self.gradients).is_none() {
                self.paths.push(path);
            }
        }
    }

    draw(module, 1);
    let device = Device::flex().autodiff();
    let ids: Tensor<2, Int> = Tensor::from_ints([[0, 1, 2, 3]], &device);
    let mut context = Context::new(&Rows::padded_right(&[4]), &device);
    let hidden = module.forward(module.embed(ids), &mut context);
    let gradients = module.logits(hidden).square().sum().backward();
    let mut unreached = Unreached {
        gradients: &gradients,
        paths: Vec::new(),
    };
    visit_parameters(module, &mut unreached);
    let none: [String; 0] = [];
    assert_eq!(
        unreached.paths, none,
        "`{name}`: parameters that no gradient reaches"
    );
}

/// A prompt, then token after token, with rows of different lengths.
fn check_cache(name: &str, module: &Slot<dyn Decoder>, spec: &DecoderSpec) {
    let device = Device::flex();
    let embeds = normal([2, 8, spec.hidden_size]);
    let rows = Rows::padded_left(&[8, 6]);
    let expected = whole(module, &embeds, &rows);
    let mut cache = KvCache::new(spec.num_layers, 8);
    let mut start = 0;
    for len in [5, 1, 1, 1] {
        let part = |all: &[Vec<u32>]| {
            all.iter()
                .map(|row| row[start..start + len].to_vec())
                .collect()
        };
        let step = Rows {
            positions: part(&rows.positions),
            segments: part(&rows.segments),
        };
        let mut context = Context::with_cache(&step, cache, &device);
        let hidden = module.forward(embeds.clone().narrow(1, start, len), &mut context);
        let what = format!("`{name}`: the cache changes token {start}");
        let real = |all: Tensor<3>, start: usize| all.narrow(1, start + len - 1, 1);
        assert_close(
            &what,
            real(hidden, 0),
            real(expected.clone(), start),
            TOLERANCE,
        );
        cache = context.into_cache().expect("the cache that was given");
        start += len;
    }
}
