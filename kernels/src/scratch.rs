//! Memory for rows of activations, kept by each thread from one product to the next.

use std::cell::RefCell;

use crate::line::{Line, split};

/// Buffers of one product.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    buffers: [Vec<Line>; 3],
}

thread_local! {
    static KEPT: RefCell<Vec<Scratch>> = const { RefCell::new(Vec::new()) };
}

impl Scratch {
    /// Hands `work` buffers that this thread keeps. A product that begins while another waits on the same
    /// thread, as its part or because the thread was lent to others, gets its own.
    pub(crate) fn with<T>(work: impl FnOnce(&mut Self) -> T) -> T {
        let mut scratch = KEPT.with_borrow_mut(Vec::pop).unwrap_or_default();
        let out = work(&mut scratch);
        KEPT.with_borrow_mut(|kept| kept.push(scratch));
        out
    }

    /// Buffers of at least these numbers of lines, with anything in them.
    pub(crate) fn lines(&mut self, counts: [usize; 3]) -> [&mut [Line]; 3] {
        for (buffer, count) in self.buffers.iter_mut().zip(counts) {
            if buffer.len() < count {
                buffer.resize(count, Line::ZERO);
            }
        }
        let [a, b, c] = &mut self.buffers;
        [
            &mut a[..counts[0]],
            &mut b[..counts[1]],
            &mut c[..counts[2]],
        ]
    }

    /// The first buffer in parts of these numbers of lines, with anything in them.
    pub(crate) fn parts<const N: usize>(&mut self, counts: [usize; N]) -> [&mut [Line]; N] {
        let [all, ..] = self.lines([counts.iter().sum(), 0, 0]);
        split(all, counts)
    }
}
