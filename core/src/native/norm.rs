//! Norms of rows.

use burn::backend::flex::FlexTensor;
use burn::tensor::Tensor;
use menagerie_kernels::{Norm, NormGradients};

use super::fused::{Fused, Input, f32s, run};
use super::memory::{changed, dense, filled, together, values, values_mut, vector};

/// `x / √(mean(x²) + ε) · (offset + gamma)`, of tensors that [`fuses`](super::fuses) holds for; `has_offset`: of 1.
pub(crate) fn rms_norm<const D: usize>(
    x: Tensor<D>,
    gamma: Tensor<1>,
    epsilon: f64,
    has_offset: bool,
) -> Tensor<D> {
    let norm = Rms {
        epsilon,
        has_offset,
    };
    run(norm, [Input::fused(x), Input::fused(gamma)])
}

/// `(x − mean) / √(var + ε) · gamma + beta`, of tensors that [`fuses`](super::fuses) holds for.
pub(crate) fn layer_norm<const D: usize>(
    x: Tensor<D>,
    [gamma, beta]: [Tensor<1>; 2],
    epsilon: f64,
) -> Tensor<D> {
    let [gamma, beta] = [gamma, beta].map(Input::fused);
    run(Layer { epsilon }, [Input::fused(x), gamma, beta])
}

#[derive(Debug, Clone, Copy)]
struct Rms {
    epsilon: f64,
    has_offset: bool,
}

impl Rms {
    fn of<'a>(&self, gamma: &'a FlexTensor) -> Norm<'a> {
        if self.has_offset {
            Norm::rms_offset(f32s(gamma), self.epsilon)
        } else {
            Norm::rms(f32s(gamma), self.epsilon)
        }
    }
}

impl Fused<2> for Rms {
    /// Rows and gamma.
    type Saved = [FlexTensor; 2];

    fn forward(&self, [x, gamma]: [FlexTensor; 2]) -> FlexTensor {
        forward(&self.of(&gamma.to_contiguous()), x)
    }

    fn forward_saving(&self, [x, gamma]: [FlexTensor; 2]) -> (FlexTensor, [FlexTensor; 2]) {
        let (x, gamma) = (dense(x), gamma.to_contiguous());
        let y = filled(&x, |y| self.of(&gamma).forward(values(&x), y));
        (y, [x, gamma])
    }

    fn backward(
        &self,
        [x, gamma]: [FlexTensor; 2],
        dy: FlexTensor,
        [of_x, of_gamma]: [bool; 2],
    ) -> [Option<FlexTensor>; 2] {
        let [dx, dgamma, _] = backward(&self.of(&gamma), [x, dy], [of_gamma, false]);
        [dx.filter(|_| of_x), dgamma]
    }
}

#[derive(Debug, Clone, Copy)]
struct Layer {
    epsilon: f64,
}

impl Layer {
    fn of<'a>(self, gamma: &'a FlexTensor, beta: &'a FlexTensor) -> Norm<'a> {
        Norm::layer(f32s(gamma), f32s(beta), self.epsilon)
    }
}

impl Fused<3> for Layer {
    /// Rows, gamma and beta.
    type Saved = [FlexTensor; 3];

    fn forward(&self, [x, gamma, beta]: [FlexTensor; 3]) -> FlexTensor {
        let [gamma, beta] = [gamma, beta].map(|vector| vector.to_contiguous());
        forward(&self.of(&gamma, &beta), x)
    }

    fn forward_saving(&self, [x, gamma, beta]: [FlexTensor; 3]) -> (FlexTensor, [FlexTensor; 3]) {
        let [gamma, beta] = [gamma, beta].map(|vector| vector.to_contiguous());
        let x = dense(x);
        let y = filled(&x, |y| self.of(&gamma, &beta).forward(values(&x), y));
        (y, [x, gamma, beta])
    }

    fn backward(
        &self,
        [x, gamma, beta]: [FlexTensor; 3],
        dy: FlexTensor,
        [of_x, of_gamma, of_beta]: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        let norm = self.of(&gamma, &beta);
        let [dx, dgamma, dbeta] = backward(&norm, [x, dy], [of_gamma, of_beta]);
        [dx.filter(|_| of_x), dgamma, dbeta]
    }
}

fn forward(norm: &Norm<'_>, x: FlexTensor) -> FlexTensor {
    changed(
        dense(x),
        |x| norm.forward_in_place(x),
        |x, y| norm.forward(x, y),
    )
}

/// Gradients of the rows, and of gamma and beta if they are wanted.
fn backward(norm: &Norm<'_>, given: [FlexTensor; 2], wanted: [bool; 2]) -> [Option<FlexTensor>; 3] {
    let [x, mut dy] = together(given);
    let width = x.layout().shape().last().copied().unwrap_or(1);
    let [mut gamma, mut beta] = wanted.map(|wanted| wanted.then(|| vec![0.0_f32; width]));
    let parameters = NormGradients {
        gamma: gamma.as_deref_mut(),
        beta: beta.as_deref_mut(),
    };
    let x = values(&x);
    let dx = match values_mut(&mut dy) {
        Some(values) => {
            norm.backward_in_place(x, values, parameters);
            dy
        }
        None => filled(&dy, |dx| norm.backward(x, values(&dy), dx, parameters)),
    };
    [Some(dx), gamma.map(vector), beta.map(vector)]
}
