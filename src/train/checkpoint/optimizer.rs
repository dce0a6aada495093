//! The optimizer's state as named tensors.

use std::collections::{BTreeMap, HashMap};

use burn::tensor::Tensor;

use super::snapshot::Named;
use crate::train::adamw::{AdamW, Moments};

/// The tensors of `optimizer`, `first.PATH`, `second.PATH` and, where there is one, `master.PATH`.
pub(in crate::train) fn tensors(optimizer: &AdamW) -> Vec<Named> {
    let mut tensors = Vec::new();
    for (path, moments) in optimizer.state() {
        let parts = [
            ("first", Some(&moments.first)),
            ("second", Some(&moments.second)),
            ("master", moments.master.as_ref()),
        ];
        for (part, tensor) in parts {
            if let Some(tensor) = tensor {
                let shape = tensor.dims().to_vec();
                tensors.push((format!("{part}.{path}"), shape, tensor.clone()));
            }
        }
    }
    tensors
}

/// Updates of each parameter that `optimizer` knows.
pub(in crate::train) fn steps(optimizer: &AdamW) -> BTreeMap<String, i32> {
    let state = optimizer.state();
    state
        .map(|(path, moments)| (path.to_owned(), moments.steps))
        .collect()
}

/// The inverse of [`tensors`] and [`steps`]. The error is the name of the first tensor that is
/// missing, or that is of no parameter in `steps`.
pub(super) fn moments(
    tensors: Vec<(String, Tensor<1>)>,
    steps: &BTreeMap<String, i32>,
) -> Result<Vec<(String, Moments)>, String> {
    let mut tensors: HashMap<String, Tensor<1>> = tensors.into_iter().collect();
    let mut take = |part: &str, path: &str| {
        let name = format!("{part}.{path}");
        tensors.remove(&name).ok_or(name)
    };
    let moments = steps.iter().map(|(path, &steps)| {
        let moments = Moments {
            first: take("first", path)?,
            second: take("second", path)?,
            master: take("master", path).ok(),
            steps,
        };
        Ok((path.clone(), moments))
    });
    let moments = moments.collect::<Result<_, String>>()?;
    match tensors.into_keys().min() {
        Some(name) => Err(name),
        None => Ok(moments),
    }
}
