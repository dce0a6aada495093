//! Attention on the CPU, a tile of scores at a time.

use std::ops::Range;
use std::sync::Arc;

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{DType, Tensor, TensorData, bf16};
use menagerie_kernels::{Attention, Element, Heads, Products, Seen, Segments};

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
/// they are others, belong to a graph, or are not the CPU's.
pub(crate) fn attention(
    [query, key, value]: [Tensor<4>; 3],
    attending: &Attending,
) -> Option<Tensor<4>> {
    let [queries, keys, values] = [&query, &key, &value].map(Tensor::dtype);
    let is_known = matches!(keys, DType::F32 | DType::BF16) && keys == values;
    if queries != DType::F32 || !is_known {
        return None;
    }
    let plain = |tensor: Tensor<4>| tensor.try_into_primitive::<Flex>().ok();
    let inputs = [plain(query)?, plain(key)?, plain(value)?].map(by_heads);
    let by_token = Tensor::<4>::from_primitive::<Flex>(attending.attend(&inputs, None));
    Some(by_token.swap_dims(1, 2))
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
