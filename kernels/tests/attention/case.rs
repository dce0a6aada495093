//! Random attention, and what it is in f64.

use std::collections::HashMap;
use std::ops::Range;

use menagerie_kernels::{Attention, Element, Heads, Products, Seen, Segments, bf16};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Numbers whose products make softmax neither flat nor a choice of one.
pub fn gentle(rng: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
    (0..count).map(|_| rng.random_range(-1.5..1.5)).collect()
}

pub fn narrow(values: &[f32]) -> Vec<bf16> {
    values.iter().map(|value| bf16::from_f32(*value)).collect()
}

/// Sizes, numbers and who sees what. Queries are the last tokens of the keys.
#[derive(Clone)]
pub struct Case {
    pub batch: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub queries: usize,
    pub keys: usize,
    pub features: usize,
    pub scale: f32,
    pub cap: Option<f32>,
    /// `[batch, key]`, 0 for padding; `None` where all see all.
    pub segments: Option<Vec<Vec<u32>>>,
    pub spans: Vec<Range<u32>>,
    pub query_segments: Vec<u32>,
    pub key_segments: Vec<u32>,
    pub window: Option<usize>,
    /// `[batch, query, heads, head_dim]`
    pub q: Vec<f32>,
    /// `[batch, kv_heads, room, head_dim]`
    pub k: Vec<f32>,
    pub v: Vec<f32>,
    /// Tokens that the keys have room for.
    pub room: usize,
}

impl Case {
    /// `[batch, heads, kv_heads, queries, keys, features]`
    pub fn new(
        rng: &mut ChaCha8Rng,
        sizes: [usize; 6],
        segments: Option<Vec<Vec<u32>>>,
        window: Option<usize>,
    ) -> Self {
        let [batch, heads, kv_heads, queries, keys, features] = sizes;
        let room = keys + rng.random_range(0..4);
        let mut case = Self {
            batch,
            heads,
            kv_heads,
            queries,
            keys,
            features,
            scale: 1.0 / (features as f32).sqrt(),
            cap: None,
            spans: Vec::new(),
            query_segments: Vec::new(),
            key_segments: Vec::new(),
            window,
            q: gentle(rng, batch * queries * heads * features),
            k: gentle(rng, batch * kv_heads * room * features),
            v: gentle(rng, batch * kv_heads * room * features),
            room,
            segments,
        };
        for row in case.segments.iter().flatten() {
            assert_eq!(row.len(), keys);
            case.key_segments.extend(row);
            case.query_segments.extend(&row[keys - queries..]);
            for query in 0..queries {
                let own = keys - queries + query;
                let span = if row[own] == 0 {
                    0..0
                } else {
                    first_seen(row, window)[own]..own + 1
                };
                case.spans.push(slots(span));
            }
        }
        case
    }

    /// Odd sizes, with all that may be seen: everything, causal, padding on either side, packed samples, windows.
    pub fn random(rng: &mut ChaCha8Rng) -> Self {
        let kv_heads = rng.random_range(1..=3);
        let keys = rng.random_range(1..=260);
        let sizes = [
            rng.random_range(1..=3),
            kv_heads * rng.random_range(1..=4),
            kv_heads,
            if rng.random() {
                rng.random_range(1..=keys)
            } else {
                keys.min(rng.random_range(1..=3))
            },
            keys,
            rng.random_range(1..=140),
        ];
        let segments = match rng.random_range(0..4) {
            0 => None,
            1 => Some(vec![vec![1; keys]; sizes[0]]),
            2 => {
                let row = |rng: &mut ChaCha8Rng| {
                    let left = rng.random_range(0..=keys / 2);
                    let right = rng.random_range(0..=keys / 4);
                    (0..keys)
                        .map(|slot| u32::from(slot >= left && slot < keys - right))
                        .collect()
                };
                Some((0..sizes[0]).map(|_| row(rng)).collect())
            }
            _ => {
                let row = |rng: &mut ChaCha8Rng| {
                    let mut segment = 1;
                    let mut each = |_| {
                        segment += u32::from(rng.random_range(0..40) == 0);
                        if rng.random_range(0..30) == 0 {
                            0
                        } else {
                            segment
                        }
                    };
                    (0..keys).map(&mut each).collect()
                };
                Some((0..sizes[0]).map(|_| row(rng)).collect())
            }
        };
        let window = (rng.random_range(0..3) == 0).then(|| rng.random_range(1..=keys));
        let mut case = Self::new(rng, sizes, segments, window);
        case.cap = (rng.random_range(0..3) == 0).then(|| rng.random_range(0.5..4.0));
        case
    }

    pub fn attention(&self, products: Products) -> Attention<'_> {
        let plain = self.key_segments.iter().all(|segment| *segment == 1);
        Attention {
            scale: self.scale,
            cap: self.cap,
            seen: match self.segments {
                None => Seen::Everything,
                Some(_) => Seen::Spans {
                    spans: if plain {
                        &self.spans[..self.queries]
                    } else {
                        &self.spans
                    },
                    segments: (!plain).then_some(Segments {
                        queries: &self.query_segments,
                        keys: &self.key_segments,
                    }),
                },
            },
            products,
        }
    }

    pub fn query_heads<'a, E: Element>(&self, values: &'a [E]) -> Heads<'a, E> {
        Heads::by_token(
            values,
            [self.batch, self.heads, self.queries, self.features],
        )
    }

    /// Keys or values in their room, of which the last tokens are not filled in.
    pub fn key_heads<'a, E: Element>(&self, values: &'a [E]) -> Heads<'a, E> {
        let shape = [self.batch, self.kv_heads, self.keys, self.features];
        let head = self.room * self.features;
        Heads::new(values, shape, [self.kv_heads * head, head, self.features])
    }

    /// Whether a query sees a key, as `core`'s mask has it: it is of its own segment, not after it, and of the last so
    /// many of its segment; padding sees nothing.
    pub fn sees(&self, batch: usize, query: usize, key: usize) -> bool {
        let Some(segments) = &self.segments else {
            return true;
        };
        let row = &segments[batch];
        let own = self.keys - self.queries + query;
        row[own] != 0
            && row[key] == row[own]
            && key <= own
            && key >= first_seen(row, self.window)[own]
    }

    /// The scores of a query of a head for the keys that it sees, capped: `(key, score, Σ |scale · q · k|)`.
    pub fn scores(
        &self,
        (q, k): (&[f64], &[f64]),
        [batch, head, query]: [usize; 3],
    ) -> Vec<(usize, f64, f64)> {
        let q = &q[self.query_place([batch, head, query])..][..self.features];
        let seen = (0..self.keys).filter(|key| self.sees(batch, query, *key));
        let scores = seen.map(|key| {
            let k = &k[self.key_place(batch, head, key)..][..self.features];
            let terms = q.iter().zip(k).map(|(q, k)| q * k * f64::from(self.scale));
            let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), term| {
                (sum + term, size + term.abs())
            });
            let score = self.cap.map_or(sum, |cap| {
                let cap = f64::from(cap);
                cap * (sum / cap).tanh()
            });
            (key, score, size)
        });
        scores.collect()
    }

    pub fn query_place(&self, [batch, head, query]: [usize; 3]) -> usize {
        ((batch * self.queries + query) * self.heads + head) * self.features
    }

    /// Of a head of queries.
    pub fn key_place(&self, batch: usize, head: usize, key: usize) -> usize {
        let head = head / (self.heads / self.kv_heads);
        ((batch * self.kv_heads + head) * self.room + key) * self.features
    }

    /// All queries of all heads.
    pub fn each_query(&self) -> impl Iterator<Item = [usize; 3]> + use<> {
        let (heads, queries) = (self.heads, self.queries);
        (0..self.batch).flat_map(move |batch| {
            (0..heads).flat_map(move |head| (0..queries).map(move |query| [batch, head, query]))
        })
    }
}

pub fn slots(span: Range<usize>) -> Range<u32> {
    let slot = |slot| u32::try_from(slot).unwrap();
    slot(span.start)..slot(span.end)
}

/// For each slot the first that it sees of its own segment through a window; 0 without one.
fn first_seen(row: &[u32], window: Option<usize>) -> Vec<usize> {
    let Some(window) = window else {
        return vec![0; row.len()];
    };
    let mut slots: HashMap<u32, Vec<usize>> = HashMap::new();
    let each = row.iter().enumerate().map(|(slot, segment)| {
        let own = slots.entry(*segment).or_default();
        own.push(slot);
        own[own.len().saturating_sub(window)]
    });
    each.collect()
}
