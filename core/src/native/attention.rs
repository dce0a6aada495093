//! Attention on the CPU, a tile of scores at a time.

use std::ops::Range;
use std::sync::Arc;

use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Tensor, TensorData, bf16};
use menagerie_kernels::{
    Attention, AttentionGradients, Element, Forwarded, Heads, Products, Seen, Segments,
};

use super::fused::{Fused, Input, f32s, run};

/// Which keys each query sees.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sight {
    /// `[batch or 1, query]`: the first key and the one after the last.
    pub spans: Vec<Range<u32>>,
    /// Segments `[batch, query]` and `[batch, key]`, where spans hold keys of other segments.
    pub segments: Option<[Vec<u32>; 2]>,
}

impl Sight {
    fn seen(&self) -> Seen<'_> {
        Seen::Spans {
            spans: &self.spans,
            segments: self
                .segments
                .as_ref()
                .map(|[queries, keys]| Segments { queries, keys }),
        }
    }
}

/// What attention is told beyond queries, keys and values.
#[derive(Debug, Clone)]
pub(crate) struct Attending {
    pub scale: f64,
    pub soft_cap: Option<f64>,
    /// Whether products round to bf16.
    pub rounds: bool,
    /// None: everything.
    pub sight: Option<Arc<Sight>>,
}

/// As [`attention`](crate::attention::attention), of f32 queries and keys and values in f32 or bf16; nothing where
/// they are others, or not the CPU's.
pub(crate) fn attention(
    [query, key, value]: [Tensor<4>; 3],
    attending: &Attending,
) -> Option<Tensor<4>> {
    let [queries, keys, values] = [&query, &key, &value].map(Tensor::dtype);
    let is_known = matches!(keys, DType::F32 | DType::BF16) && keys == values;
    if queries != DType::F32 || !is_known {
        return None;
    }
    let inputs = [Input::of(query)?, Input::of(key)?, Input::of(value)?];
    let by_token: Tensor<4> = run(attending.clone(), inputs);
    Some(by_token.swap_dims(1, 2))
}

/// What the way back reads.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    inputs: [FlexTensor; 3],
    out: FlexTensor,
    log_sums: Arc<Vec<f32>>,
}

impl Fused<3> for Attending {
    type Saved = Saved;

    fn forward(&self, inputs: [FlexTensor; 3]) -> FlexTensor {
        self.attend(&inputs.map(by_heads), None)
    }

    /// `[batch, token, heads, head_dim]`
    fn forward_saving(&self, inputs: [FlexTensor; 3]) -> (FlexTensor, Saved) {
        let inputs = inputs.map(by_heads);
        let [batch, heads, tokens, _] = shape(&inputs[0]);
        let mut log_sums = vec![0.0_f32; batch * heads * tokens];
        let out = self.attend(&inputs, Some(&mut log_sums));
        let saved = Saved {
            inputs,
            out: out.clone(),
            log_sums: Arc::new(log_sums),
        };
        (out, saved)
    }

    fn backward(
        &self,
        saved: Saved,
        gradient: FlexTensor,
        wanted: [bool; 3],
    ) -> [Option<FlexTensor>; 3] {
        let Saved {
            inputs: [query, key, value],
            out,
            log_sums,
        } = saved;
        let gradient = gradient.to_contiguous();
        let shapes = [&query, &key, &value].map(shape);
        let mut gradients = shapes.map(|shape| vec![0.0_f32; shape.iter().product()]);
        let [dq, dk, dv] = &mut gradients;
        let forwarded = Forwarded {
            queries: f32_heads(&query),
            keys: f32_heads(&key),
            values: f32_heads(&value),
            out: f32s(&out),
            log_sums: &log_sums,
        };
        let found = AttentionGradients {
            queries: dq,
            keys: dk,
            values: dv,
        };
        self.with_seen(|attention| attention.backward(forwarded, f32s(&gradient), found));
        let mut found = gradients.into_iter().zip(shapes).zip(wanted);
        std::array::from_fn(|_| {
            let ((gradient, [batch, heads, tokens, features]), wanted) = found.next()?;
            let data = TensorData::new(gradient, [batch, tokens, heads, features]);
            let by_token = FlexTensor::from_data(data);
            let layout = by_token.layout().transpose(1, 2);
            wanted.then(|| by_token.with_layout(layout))
        })
    }
}

impl Attending {
    #[allow(clippy::cast_possible_truncation)]
    fn with_seen<T>(&self, work: impl FnOnce(Attention<'_>) -> T) -> T {
        work(Attention {
            scale: self.scale as f32,
            cap: self.soft_cap.map(|cap| cap as f32),
            seen: self.sight.as_deref().map_or(Seen::Everything, Sight::seen),
            products: if self.rounds {
                Products::Bf16
            } else {
                Products::F32
            },
        })
    }

    /// `[batch, token, heads, head_dim]`
    fn attend(
        &self,
        [query, key, value]: &[FlexTensor; 3],
        log_sums: Option<&mut [f32]>,
    ) -> FlexTensor {
        let [batch, count, tokens, features] = shape(query);
        let mut out = vec![0.0_f32; batch * count * tokens * features];
        self.with_seen(|attention| {
            if key.dtype() == DType::BF16 {
                let (key, value) = (bf16_heads(key), bf16_heads(value));
                attention.forward(f32_heads(query), key, value, &mut out, log_sums);
            } else {
                let (key, value) = (f32_heads(key), f32_heads(value));
                attention.forward(f32_heads(query), key, value, &mut out, log_sums);
            }
        });
        FlexTensor::from_data(TensorData::new(out, [batch, tokens, count, features]))
    }
}

/// The tensor, copied unless the features of a head lie side by side and nothing lies backwards.
fn by_heads(tensor: FlexTensor) -> FlexTensor {
    let strides = tensor.layout().strides();
    if strides[3] == 1 && strides.iter().all(|&stride| stride >= 0) {
        tensor
    } else {
        tensor.to_contiguous()
    }
}

fn shape(tensor: &FlexTensor) -> [usize; 4] {
    let shape = tensor.layout().shape();
    [shape[0], shape[1], shape[2], shape[3]]
}

/// A tensor that [`by_heads`] gave, its memory as `storage` shows it.
fn heads<'a, E: Element>(tensor: &FlexTensor, storage: &'a [E]) -> Heads<'a, E> {
    let layout = tensor.layout();
    let stride = |axis: usize| layout.strides()[axis].unsigned_abs();
    let values = &storage[layout.start_offset()..];
    Heads::new(values, shape(tensor), [stride(0), stride(1), stride(2)])
}

fn f32_heads(tensor: &FlexTensor) -> Heads<'_, f32> {
    heads(tensor, tensor.storage())
}

fn bf16_heads(tensor: &FlexTensor) -> Heads<'_, bf16> {
    heads(tensor, tensor.storage())
}
