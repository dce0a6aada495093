//! The arithmetic of a recorded operation.

use burn_ir::{FloatOperationIr, IntOperationIr, ModuleOperationIr, OperationIr, TensorIr};

/// Multiplications and additions of the operation's matrix products and convolutions, two to a
/// term. All other arithmetic counts as nothing: beside these it is a few percent.
pub(super) fn product_flops(operation: &OperationIr) -> f64 {
    use ModuleOperationIr as Module;
    let terms = match operation {
        OperationIr::Float(_, FloatOperationIr::Matmul(product))
        | OperationIr::Int(IntOperationIr::Matmul(product)) => {
            count(&product.out) * last(&product.lhs)
        }
        OperationIr::Module(module) => match module {
            Module::Linear(op) => count(&op.out) * last(&op.x),
            Module::Attention(op) => 2.0 * count(&op.query) * from_end(&op.key, 2),
            Module::Conv1d(op) => convolution(&op.out, &op.weight),
            Module::Conv2d(op) => convolution(&op.out, &op.weight),
            _ => 0.0,
        },
        _ => 0.0,
    };
    2.0 * terms
}

/// Terms of a convolution with this result: each of its numbers is a sum over `weight`'s
/// `[out, in / groups, …]` but for the first.
fn convolution(out: &TensorIr, weight: &TensorIr) -> f64 {
    count(out) * count(weight) / weight.shape.as_slice()[0] as f64
}

fn count(tensor: &TensorIr) -> f64 {
    tensor.shape.num_elements() as f64
}

fn last(tensor: &TensorIr) -> f64 {
    from_end(tensor, 1)
}

fn from_end(tensor: &TensorIr, place: usize) -> f64 {
    let dims = tensor.shape.as_slice();
    dims[dims.len() - place] as f64
}
