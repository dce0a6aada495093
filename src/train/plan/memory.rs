//! How much memory a step holds, moment by moment.
//!
//! Memory begins where an operation writes its result anew and ends with the last operation that
//! reads it: Burn's graph gives up what it kept for an operation once that operation's gradient is
//! taken.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use super::tape::{Event, Kind, Place, Tape};

/// Bytes that tensors take at a moment of a step, by what they are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Held {
    /// The parameters.
    pub weights: u64,
    /// The optimizer's state.
    pub optimizer: u64,
    /// Gradients of parameters.
    pub gradients: u64,
    /// Logits, their softmax and their gradients.
    pub logits: u64,
    /// All else: what the backward pass needs of the forward pass, and what is being computed.
    pub activations: u64,
}

impl Held {
    /// Their sum.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.weights + self.optimizer + self.gradients + self.logits + self.activations
    }
}

/// A piece of memory.
#[derive(Debug)]
struct Piece {
    bytes: u64,
    /// The first and the last event that has to do with it.
    life: (usize, usize),
    kind: Kind,
}

/// From this size on, free memory in mimalloc serves pieces of any size.
const SHARED: u64 = 16 << 20;

/// Where a tensor lies, and whether its elements follow one another there.
type Lies = (usize, bool);

/// The fullest moment of these events.
pub(super) fn fullest(tape: &Tape, events: Range<usize>) -> Held {
    let pieces = pieces(tape);
    let mut change = vec![0_i64; tape.events.len() + 1];
    for piece in &pieces {
        change[piece.life.0] += piece.bytes.cast_signed();
        change[piece.life.1 + 1] -= piece.bytes.cast_signed();
    }
    let mut held = 0;
    let totals: Vec<i64> = change
        .iter()
        .map(|change| {
            held += change;
            held
        })
        .collect();
    let fullest = events.max_by_key(|&moment| totals[moment]);
    fullest
        .map(|moment| at(&pieces, moment))
        .unwrap_or_default()
}

/// What the process holds for all this with mimalloc, the program's allocator. It has a pool for each
/// of eight sizes from one power of two to the next, and memory that one of them was given does not
/// serve the others before it is given back, which takes longer than a step. So each pool is as large
/// as its fullest moment, whenever that was.
pub(super) fn resident(tape: &Tape) -> u64 {
    let moments = tape.events.len() + 1;
    let mut pools: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
    let mut shared = vec![0; moments];
    for piece in pieces(tape).iter().filter(|piece| piece.bytes > 0) {
        let (change, bytes) = if piece.bytes < SHARED {
            let size = pool_size(piece.bytes);
            (pools.entry(size).or_insert_with(|| vec![0; moments]), size)
        } else {
            (&mut shared, piece.bytes)
        };
        change[piece.life.0] += bytes.cast_signed();
        change[piece.life.1 + 1] -= bytes.cast_signed();
    }
    let all = pools.into_values().chain([shared]);
    all.map(|change| fullest_of(&change))
        .sum::<i64>()
        .unsigned_abs()
}

/// The size of the pool's pieces: the next of eight steps to a power of two.
fn pool_size(bytes: u64) -> u64 {
    let step = (bytes.next_power_of_two() / 16).max(1);
    bytes.next_multiple_of(step)
}

/// The largest sum of the first changes.
fn fullest_of(change: &[i64]) -> i64 {
    let mut held = 0;
    let held = change.iter().map(|change| {
        held += change;
        held
    });
    held.max().unwrap_or(0)
}

fn at(pieces: &[Piece], moment: usize) -> Held {
    let mut held = Held::default();
    let alive = |piece: &&Piece| (piece.life.0..=piece.life.1).contains(&moment);
    for piece in pieces.iter().filter(alive) {
        let sum = match piece.kind {
            Kind::Weights => &mut held.weights,
            Kind::Optimizer => &mut held.optimizer,
            Kind::Gradients => &mut held.gradients,
            Kind::Logits => &mut held.logits,
            Kind::Activations => &mut held.activations,
        };
        *sum += piece.bytes;
    }
    held
}

/// All memory of a tape in time.
fn pieces(tape: &Tape) -> Vec<Piece> {
    let mut last_read = vec![0; tape.tensors.len()];
    for (number, event) in tape.events.iter().enumerate() {
        for read in &event.reads {
            last_read[read.index()] = number;
        }
    }
    let mut pieces: Vec<Piece> = Vec::new();
    let mut lies: Vec<Lies> = Vec::with_capacity(tape.tensors.len());
    for (number, event) in tape.events.iter().enumerate() {
        let Some((out, _)) = event.made else { continue };
        let info = &tape.tensors[out.index()];
        let shared = shared(tape, number, event, &pieces, &lies);
        let (piece, in_order) = shared.unwrap_or_else(|| {
            pieces.push(Piece {
                bytes: info.size.bytes(),
                life: (number, number),
                kind: info.kind,
            });
            (pieces.len() - 1, true)
        });
        let piece_of = &mut pieces[piece];
        piece_of.life.1 = piece_of.life.1.max(last_read[out.index()]);
        // A gradient that is kept may be a view of the one that was computed.
        if piece_of.kind == Kind::Activations {
            piece_of.kind = info.kind;
        }
        lies.push((piece, in_order));
    }
    pieces
}

/// The memory that a result shares with an input.
fn shared(
    tape: &Tape,
    number: usize,
    event: &Event,
    pieces: &[Piece],
    lies: &[Lies],
) -> Option<Lies> {
    let (out, place) = event.made?;
    let size = &tape.tensors[out.index()].size;
    let first = || event.reads.first().map(|id| (*id, lies[id.index()]));
    match place {
        Place::New => None,
        Place::View => {
            let (id, (piece, in_order)) = first()?;
            let same = tape.tensors[id.index()].size.shape == size.shape;
            Some((piece, in_order && same))
        }
        Place::Reshaped => {
            let (_, (piece, in_order)) = first()?;
            in_order.then_some((piece, true))
        }
        Place::Over => {
            let free = event.reads.iter().take(2).map(|id| lies[id.index()]);
            let mut free = free.filter(|&(piece, in_order)| {
                let piece = &pieces[piece];
                in_order && piece.life.1 == number && piece.bytes == size.bytes()
            });
            free.next()
        }
    }
}
