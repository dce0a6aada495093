//! Values that an independent implementation made, and comparison with them.

use std::path::Path;

use burn::tensor::{Device, Int, Tensor};

use crate::weights::Shards;

/// A safetensors file of reference values.
#[derive(Debug)]
pub struct Reference(Shards);

impl Reference {
    /// Opens the file.
    ///
    /// # Panics
    /// If it cannot be opened.
    pub fn open(path: impl AsRef<Path>) -> Self {
        Self(Shards::open(path.as_ref()).unwrap_or_else(|error| panic!("{error}")))
    }

    /// The float tensor of that name, on the CPU.
    ///
    /// # Panics
    /// If there is none.
    pub fn tensor<const D: usize>(&self, name: &str) -> Tensor<D> {
        let data = self.0.data(name).unwrap_or_else(|error| panic!("{error}"));
        Tensor::from_data(data, &Device::flex())
    }

    /// The integers of that name, on the CPU.
    ///
    /// # Panics
    /// If there are none.
    pub fn integers<const D: usize>(&self, name: &str) -> Tensor<D, Int> {
        let data = self.0.data(name).unwrap_or_else(|error| panic!("{error}"));
        Tensor::from_data(data, &Device::flex())
    }
}

/// Panics unless `actual` lies within `tolerance` (absolute) of `expected` everywhere.
///
/// # Panics
/// As said, with the largest difference.
pub fn assert_close<const D: usize>(
    what: &str,
    actual: Tensor<D>,
    expected: Tensor<D>,
    tolerance: f64,
) {
    assert_eq!(actual.dims(), expected.dims(), "{what}: another shape");
    let difference: f32 = (actual - expected).abs().max().into_scalar();
    let within = f64::from(difference) <= tolerance;
    assert!(
        within,
        "{what}: off by {difference:e}, allowed {tolerance:e}"
    );
}
