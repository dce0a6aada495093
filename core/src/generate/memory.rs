//! What a decoder remembers: the rows of a cache, what they hold, and passes over them.

use std::cmp::Reverse;

use burn::tensor::{DType, Int, Tensor, TensorData};

use crate::cache::KvCache;
use crate::context::{Context, Reaches, Rows};
use crate::decoder::DecoderSpec;
use crate::network::Network;
use crate::prompt::{self, Piece, SeenImage};
use crate::splice::{Padding, Splice};
use crate::tokens::IMAGE_TOKEN;
use crate::visual::VisualTokens;

/// Tokens of a pass over several prompts at most; one prompt may be longer.
const PASS: usize = 2048;

/// The rows of a cache and what each holds, kept from one call to the next.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// None before the first pass, and while a pass holds it.
    cache: Option<KvCache>,
    rows: Vec<Held>,
    /// What the decoder asked of how far passes reach; `None` before the first pass.
    asked: Option<Reaches>,
}

/// What a row of the cache holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    /// The pieces whose keys and values are there.
    pieces: Vec<Piece>,
    /// How far the row was to reach when they were computed.
    reach: usize,
}

/// Logits `[row, vocab]`.
#[derive(Debug)]
pub(super) struct Logits {
    values: Vec<f32>,
    vocab: usize,
}

impl Logits {
    pub(super) fn rows(&mut self) -> impl Iterator<Item = &mut [f32]> {
        self.values.chunks_mut(self.vocab)
    }
}

/// A prompt that is to be read into a row.
#[derive(Debug)]
pub(super) struct Entry {
    pub row: usize,
    pub pieces: Vec<Piece>,
    /// How many of them the row holds already.
    known: usize,
    reach: usize,
}

impl Entry {
    fn rest(&self) -> &[Piece] {
        &self.pieces[self.known..]
    }

    /// Slots that remain to be computed.
    fn len(&self) -> usize {
        prompt::len(self.rest())
    }
}

impl Memory {
    /// Makes room for `rows` rows of `capacity` tokens.
    pub(super) fn reserve(
        &mut self,
        spec: &DecoderSpec,
        dtype: DType,
        [rows, capacity]: [usize; 2],
    ) {
        match &mut self.cache {
            None => {
                let cache = KvCache::of(dtype, spec.num_layers, capacity);
                self.cache = Some(cache.with_rows(rows));
            }
            Some(cache) if capacity > cache.capacity() => {
                // Twice as much, so that a conversation is not moved at every turn.
                let twice = (2 * cache.capacity()).min(spec.max_position_embeddings);
                cache.grow(rows, capacity.max(twice));
            }
            Some(cache) => cache.grow(rows, capacity),
        }
        let rows = rows.max(self.rows.len());
        self.rows.resize_with(rows, Held::default);
    }

    /// Whether rows that reach so far may be computed together.
    pub(super) fn alike(&self, one: usize, other: usize) -> bool {
        let asked = self.asked.as_ref();
        one == other || asked.is_some_and(|asked| asked.alike(one, other))
    }

    /// How many of `pieces` `row` holds from the beginning. Of a prompt at least the last piece is left to compute.
    fn shared(&self, row: usize, pieces: &[Piece], reach: usize) -> usize {
        let held = &self.rows[row];
        if !self.alike(held.reach, reach) {
            return 0;
        }
        let most = pieces.len().saturating_sub(1);
        prompt::common(&held.pieces, &pieces[..most])
    }

    /// The row that holds most of the beginning of `pieces`, the first of `liked` or else of all that do, and how many
    /// pieces that is.
    pub(super) fn best(&self, pieces: &[Piece], reach: usize, liked: &[usize]) -> (usize, usize) {
        let shared = (0..self.rows.len()).map(|row| (row, self.shared(row, pieces, reach)));
        let best = shared.max_by_key(|&(row, count)| (count, liked.contains(&row), Reverse(row)));
        best.expect("room is made before")
    }

    /// Gives `row` to a prompt, with what any row holds of its beginning.
    pub(super) fn enter(&mut self, row: usize, pieces: Vec<Piece>, reach: usize) -> Entry {
        let (from, known) = self.best(&pieces, reach, &[row]);
        let tokens = prompt::len(&pieces[..known]);
        let cache = self.cache.as_mut().expect("room is made before");
        if from == row || known == 0 {
            cache.keep(row, tokens);
        } else {
            cache.copy(from, row, tokens);
        }
        let held = &mut self.rows[row];
        held.reach = reach;
        held.pieces.clear();
        // So that no step of an answer allocates.
        held.pieces.reserve(reach);
        held.pieces.extend_from_slice(&pieces[..known]);
        Entry {
            row,
            pieces,
            known,
            reach,
        }
    }

    /// Moves what row `from` holds to row `to`.
    pub(super) fn shift(&mut self, from: usize, to: usize) {
        let cache = self.cache.as_mut().expect("rows are in a cache");
        cache.copy(from, to, cache.len_of(from));
        self.rows[to] = self.rows[from].clone();
    }

    /// Reads prompts into their rows. Logits after each, in the order of `entries`, which are sorted by row.
    pub(super) fn read(&mut self, network: &Network, entries: &[Entry]) -> Vec<Logits> {
        let passes = passes(entries);
        passes.map(|pass| self.pass(network, pass)).collect()
    }

    fn pass(&mut self, network: &Network, entries: &[Entry]) -> Logits {
        let first = entries[0].row;
        let cache = self.cache.as_ref().expect("rows are in a cache");
        let ids: Vec<Vec<i64>> = entries.iter().map(|entry| ids(entry.rest())).collect();
        let ids: Vec<&[i64]> = ids.iter().map(Vec::as_slice).collect();
        let images = visual_tokens(entries);
        let counts = images.as_ref().map_or(&[][..], |images| &images.counts);
        let mut splice = Splice::new(&ids, counts, Padding::Right);
        for (positions, entry) in splice.rows.positions.iter_mut().zip(entries) {
            let start = u32::try_from(cache.len_of(entry.row)).expect("fewer than 2^32 tokens");
            for position in positions {
                *position += start;
            }
        }
        let embeds = network.embed(&splice, images);
        let reach = entries.iter().map(|entry| entry.reach).max().unwrap_or(0);
        let parts = splice.rows.parts(&network.device()).into_iter();
        let hidden = parts.map(|(tokens, rows)| {
            let embeds = embeds.clone().narrow(1, tokens.start, tokens.len());
            self.forward(network, embeds, first, &rows, reach)
        });
        let hidden = hidden.last().expect("there is a part");
        for entry in entries {
            self.rows[entry.row].pieces.clone_from(&entry.pieces);
        }
        logits(network, last_of_each(hidden, entries))
    }

    /// Adds a token to each of the first rows. Logits after it.
    pub(super) fn step(&mut self, network: &Network, tokens: &[i64]) -> Logits {
        let count = tokens.len();
        let cache = self.cache.as_ref().expect("rows are in a cache");
        let position = |row| u32::try_from(cache.len_of(row)).expect("fewer than 2^32 tokens");
        let rows = Rows {
            positions: (0..count).map(|row| vec![position(row)]).collect(),
            segments: vec![vec![1]; count],
        };
        let data = TensorData::new(tokens.to_vec(), [count, 1]);
        let ids: Tensor<2, Int> = Tensor::from_data(data, &network.device());
        let reach = self.rows[..count].iter().map(|row| row.reach).max();
        let embeds = network.llm.embed(ids);
        let hidden = self.forward(network, embeds, 0, &rows, reach.unwrap_or(0));
        for (row, &token) in self.rows.iter_mut().zip(tokens) {
            row.pieces.push(Piece::Token(token));
        }
        logits(network, hidden)
    }

    fn forward(
        &mut self,
        network: &Network,
        embeds: Tensor<3>,
        first: usize,
        rows: &Rows,
        reach: usize,
    ) -> Tensor<3> {
        let cache = self.cache.take().expect("every pass gives the cache back");
        let mut context = Context::over(first, rows, reach, cache, &network.device());
        let hidden = network.llm.forward(embeds, &mut context);
        let (cache, asked) = context.into_parts();
        self.cache = cache;
        self.asked.get_or_insert_default().extend(asked);
        hidden
    }
}

/// Neighbours that are read in one pass, at most half of which is padding.
fn passes(mut entries: &[Entry]) -> impl Iterator<Item = &[Entry]> {
    std::iter::from_fn(move || {
        let first = entries.first()?;
        let (mut count, mut sum, mut longest) = (0, 0, 0);
        for (entry, row) in entries.iter().zip(first.row..) {
            (sum, longest) = (sum + entry.len(), longest.max(entry.len()));
            let size = longest * (count + 1);
            if entry.row != row || count > 0 && (size > PASS || size > 2 * sum) {
                break;
            }
            count += 1;
        }
        let pass;
        (pass, entries) = entries.split_at(count);
        Some(pass)
    })
}

fn ids(pieces: &[Piece]) -> Vec<i64> {
    let id = |piece: &Piece| match piece {
        Piece::Token(id) => *id,
        Piece::Image(_) => IMAGE_TOKEN,
    };
    pieces.iter().map(id).collect()
}

/// The images of all of them in order.
fn visual_tokens(entries: &[Entry]) -> Option<VisualTokens> {
    let pieces = entries.iter().flat_map(Entry::rest);
    let images: Vec<&SeenImage> = pieces
        .filter_map(|piece| match piece {
            Piece::Token(_) => None,
            Piece::Image(image) => Some(image),
        })
        .collect();
    let vectors: Vec<Tensor<2>> = images.iter().map(|image| image.tokens()).collect();
    (!images.is_empty()).then(|| VisualTokens {
        vectors: Tensor::cat(vectors, 0),
        counts: images.iter().map(|image| image.len()).collect(),
    })
}

/// The end of rows `[batch, token, hidden]`, padded on the right -> `[batch, 1, hidden]`
fn last_of_each(hidden: Tensor<3>, entries: &[Entry]) -> Tensor<3> {
    let [batch, width, size] = hidden.dims();
    let lengths: Vec<usize> = entries.iter().map(Entry::len).collect();
    if batch == 1 || lengths.iter().all(|&len| len == width) {
        return hidden.narrow(1, width - 1, 1);
    }
    let last = |(row, len): (usize, &usize)| (row * width + len - 1).cast_signed() as i64;
    let places: Vec<i64> = lengths.iter().enumerate().map(last).collect();
    let places = TensorData::new(places, [batch]);
    let places: Tensor<1, Int> = Tensor::from_data(places, &hidden.device());
    let flat = hidden.reshape([batch * width, size]);
    flat.select(0, places).reshape([batch, 1, size])
}

/// Of `[batch, 1, hidden]`.
fn logits(network: &Network, hidden: Tensor<3>) -> Logits {
    let logits = network.llm.logits(hidden);
    let [_, _, vocab] = logits.dims();
    let values: Vec<f32> = logits.try_to_vec_as().expect("logits are floats");
    Logits { values, vocab }
}
