//! The network of boxed plugins is a Burn module: records, adapters and groups of Burn's own work on
//! it.

use menagerie::Network;
use menagerie::burn::module::{Lora, Module, ParamGroup};
use menagerie::burn::store::ModuleRecord;
use menagerie::burn::tensor::Tensor;
use menagerie::parameters::parameters;
use menagerie::splice::Padding;
use menagerie::testing::{Reference, assert_close};
use menagerie::train::{AdamW, AdamWConfig, GradientSet, Rates, loss_sum};

use super::{fixture, network};

/// Projected images of the fixture: encoder and projector at work.
fn projected(network: &Network) -> Tensor<3> {
    let reference = Reference::open(fixture("llava/expected.safetensors"));
    network.encode(reference.tensor("pixel_values")).inner()
}

#[test]
fn a_record_carries_every_parameter() {
    let trained = network("llava", "mlp");
    let mut other = network("llava", "mlp");
    other = other.map(&mut Zero);
    assert!(projected(&other).abs().max().into_scalar::<f32>() < 1e-6);
    let bytes = trained.clone().into_record().into_bytes().expect("bytes");
    let record = ModuleRecord::from_bytes(bytes).expect("a record");
    let restored = other.load_record(record);
    assert_close("restored", projected(&restored), projected(&trained), 0.0);
}

struct Zero;

impl menagerie::burn::module::ModuleMapper for Zero {
    fn map_float<const D: usize>(
        &mut self,
        param: menagerie::burn::module::Param<Tensor<D>>,
    ) -> menagerie::burn::module::Param<Tensor<D>> {
        param.map(|tensor| tensor.zeros_like())
    }
}

#[test]
fn adapters_learn_and_their_bases_do_not() {
    let base = network("llava", "mlp");
    let queries = ParamGroup::from_regex(r"^llm\.layers\.\d+\.attention\.query\.weight$");
    let lora = Lora::new(2, 4.0).set_param_group(queries.expect("a pattern"));
    let network = base.clone().train().apply_lora(lora);
    let plain = parameters(&base).len();
    assert_eq!(
        parameters(&network).len(),
        plain + 2 * 2,
        "two factors a layer"
    );

    let sample: (&[i64], &[i64]) = (&[1, 5, 7, 9], &[-100, 5, 7, 9]);
    let (before, _) = loss_sum(&network, &[sample], None, Padding::Right);
    let (unadapted, _) = loss_sum(&base, &[sample], None, Padding::Right);
    assert_close("fresh adapters", before.clone().inner(), unadapted, 1e-5);

    let gradients = GradientSet::collect(&network, &before.backward());
    let mut optimizer = AdamW::new(AdamWConfig {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
    });
    let network = optimizer.step(network, &gradients, |_| Rates {
        learning_rate: 0.05,
        weight_decay: 0.0,
    });
    assert_eq!(optimizer.state().count(), 2 * 2);
    let merged = network.valid().materialize();
    assert_eq!(parameters(&merged).len(), plain);
    let (after, _) = loss_sum(&merged, &[sample], None, Padding::Right);
    let (after, before): (f32, f32) = (after.into_scalar(), before.into_scalar());
    assert!(after < before, "{after} after a step from {before}");
}
