//! The embedding table.

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Int, Tensor};

use super::normal;
use crate::native;
use crate::packed::PackedWeight;

/// A vector for each token. Where a decoder ties them, it is the output layer as well.
pub type Embedding = PackableEmbedding;

/// [`Embedding`], under a name of its own for the reason that [`PackableLinear`](super::PackableLinear) has one.
#[derive(Module, Debug)]
pub struct PackableEmbedding {
    /// `[row, feature]`
    pub weight: Param<Tensor<2>>,
}

impl PackableEmbedding {
    /// A table drawn from `N(0, std²)`.
    #[must_use]
    pub fn new(rows: usize, features: usize, std: f64, device: &Device) -> Self {
        Self {
            weight: normal(std).init([rows, features], device),
        }
    }

    /// The rows at `ids`: `[batch, token]` -> `[batch, token, feature]`
    pub fn forward(&self, ids: Tensor<2, Int>) -> Tensor<3> {
        if let Some(packed) = PackedWeight::at(&self.weight)
            && native::is_cpu(&ids.device())
        {
            let [batch, tokens] = ids.dims();
            let ids = ids.into_data().convert::<i64>();
            let ids = ids.as_slice::<i64>().expect("they were converted");
            let row = |&id: &i64| usize::try_from(id).expect("ids are not negative");
            let ids: Vec<usize> = ids.iter().map(row).collect();
            let rows = packed.rows(&ids);
            let [_, features] = rows.dims();
            return rows.reshape([batch, tokens, features]);
        }
        let rows = burn::tensor::module::embedding(self.weight.val(), ids);
        if native::is_cpu(&rows.device()) && rows.dtype() == DType::BF16 {
            rows.cast(DType::F32)
        } else {
            rows
        }
    }

    /// The product of hidden states with every row: `[batch, token, feature]` -> `[batch, token, row]`
    pub fn logits(&self, hidden: Tensor<3>) -> Tensor<3> {
        if let Some(packed) = PackedWeight::at(&self.weight)
            && let Some(logits) = packed.multiply(hidden.clone(), None)
        {
            return logits;
        }
        let weight = self.weight.val().transpose();
        native::thin(&hidden, &weight, None).unwrap_or_else(|| native::product(hidden, weight))
    }
}
