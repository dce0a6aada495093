//! Work in threads.

use std::ops::Range;

use rayon::prelude::*;

use crate::isa::LANES;

/// Multiply-adds below which threads cost more than they gain: some 10 µs of one thread.
const ALONE: usize = 1 << 18;

/// Calls `work` for each of `0..tasks`, in rayon's current pool if `cost` multiply-adds are worth it.
pub(crate) fn each(tasks: usize, cost: usize, work: impl Fn(usize) + Send + Sync) {
    let per_task = cost / tasks.max(1);
    if cost < ALONE || tasks == 1 || rayon::current_num_threads() == 1 {
        (0..tasks).for_each(work);
    } else {
        let least = (ALONE / 2).div_ceil(per_task.max(1));
        (0..tasks)
            .into_par_iter()
            .with_min_len(least)
            .for_each(work);
    }
}

/// Calls `work` with each chunk of `memory` and its number, in threads if `cost` is worth it. Chunks
/// of nothing are none.
pub(crate) fn chunks<T: Send>(
    memory: &mut [T],
    size: usize,
    cost: usize,
    work: impl Fn(usize, &mut [T]) + Send + Sync,
) {
    if size == 0 {
        return;
    }
    if cost < ALONE || rayon::current_num_threads() == 1 {
        for (number, chunk) in memory.chunks_mut(size).enumerate() {
            work(number, chunk);
        }
    } else {
        let per_chunk = cost / memory.len().div_ceil(size).max(1);
        memory
            .par_chunks_mut(size)
            .enumerate()
            .with_min_len((ALONE / 2).div_ceil(per_chunk.max(1)))
            .for_each(|(number, chunk)| work(number, chunk));
    }
}

/// Calls `work` with the parts of three slices that belong together, of these sizes, and their number; in
/// threads if `cost` is worth it. There are as many as the first slice has; a size of 0 stands for
/// nothing, of the first slice for no call.
pub(crate) fn rows<A: Send, B: Send, C: Send>(
    (a, b, c): (&mut [A], &mut [B], &mut [C]),
    sizes: (usize, usize, usize),
    cost: usize,
    work: impl Fn(usize, (&mut [A], &mut [B], &mut [C])) + Send + Sync,
) {
    if sizes.0 == 0 {
        return;
    }
    let count = a.len() / sizes.0;
    assert!(b.len() == count * sizes.1 && c.len() == count * sizes.2);
    halve(
        (a, b, c),
        sizes,
        0,
        (ALONE / 2).div_ceil((cost / count.max(1)).max(1)),
        &work,
    );
}

/// Halves the rows until `least` of them are left.
fn halve<A: Send, B: Send, C: Send>(
    (a, b, c): (&mut [A], &mut [B], &mut [C]),
    sizes: (usize, usize, usize),
    first: usize,
    least: usize,
    work: &(impl Fn(usize, (&mut [A], &mut [B], &mut [C])) + Send + Sync),
) {
    let count = a.len() / sizes.0;
    if count < 2 * least || count < 2 {
        for row in 0..count {
            let a = &mut a[row * sizes.0..][..sizes.0];
            let b = &mut b[row * sizes.1..][..sizes.1];
            let c = &mut c[row * sizes.2..][..sizes.2];
            work(first + row, (a, b, c));
        }
        return;
    }
    let half = count / 2;
    let (a, later_a) = a.split_at_mut(half * sizes.0);
    let (b, later_b) = b.split_at_mut(half * sizes.1);
    let (c, later_c) = c.split_at_mut(half * sizes.2);
    rayon::join(
        || halve((a, b, c), sizes, first, least, work),
        || {
            halve(
                (later_a, later_b, later_c),
                sizes,
                first + half,
                least,
                work,
            );
        },
    );
}

/// Panels that are worked on together, and share a task.
const GROUP: usize = 4;
/// Rows below which a task is not split further.
const ROWS: usize = 48;

/// The result of a product in parts, each for one task.
pub(crate) struct Grid {
    rows: usize,
    panels: usize,
    inputs: usize,
    /// Rows of a part.
    height: usize,
}

impl Grid {
    /// Parts are strips of four panels, and of some rows each if there are too few strips for all threads.
    pub(crate) fn new(rows: usize, panels: usize, inputs: usize) -> Self {
        let strips = panels.div_ceil(GROUP).max(1);
        let parts = (4 * rayon::current_num_threads()).div_ceil(strips);
        Self {
            rows,
            panels,
            inputs,
            height: rows.div_ceil(parts).max(ROWS),
        }
    }

    /// Calls `work` with the rows and the panels of each part.
    pub(crate) fn each(&self, work: impl Fn(Range<usize>, Range<usize>) + Send + Sync) {
        let parts = self.rows.div_ceil(self.height);
        let tasks = parts * self.panels.div_ceil(GROUP);
        let cost = self.rows * self.panels * LANES * self.inputs;
        each(tasks, cost, |task| {
            let (strip, part) = (task / parts, task % parts);
            let (row, panel) = (part * self.height, strip * GROUP);
            work(
                row..(row + self.height).min(self.rows),
                panel..(panel + GROUP).min(self.panels),
            );
        });
    }
}

/// Splits rows evenly into tiles of at most `most`, and calls `work` with the first row and the number.
pub(crate) fn tiles(rows: Range<usize>, most: usize, mut work: impl FnMut(usize, usize)) {
    let (mut row, mut left) = (rows.start, rows.len().div_ceil(most));
    while left > 0 {
        let count = (rows.end - row).div_ceil(left);
        work(row, count);
        row += count;
        left -= 1;
    }
}

/// Calls `work` with neighbouring parts of slices that belong together, and the number of the first grain in
/// them; in threads if `cost` is worth it. A grain is so many elements of each slice; the last one of all may be
/// shorter. A slice of which a grain takes nothing is handed on empty.
pub(crate) fn parts<'a, T: Send, const N: usize>(
    slices: [&'a mut [T]; N],
    grains: [usize; N],
    cost: usize,
    work: impl Fn(usize, [&'a mut [T]; N]) + Send + Sync,
) {
    let count = slices[0].len().div_ceil(grains[0].max(1));
    if let Some(cost) = cost.checked_div(count) {
        let least = (ALONE / 2).div_ceil(cost.max(1));
        split(slices, grains, 0..count, least, &work);
    }
}

/// Halves the grains until `least` of them are left.
fn split<'a, T: Send, const N: usize>(
    slices: [&'a mut [T]; N],
    grains: [usize; N],
    range: Range<usize>,
    least: usize,
    work: &(impl Fn(usize, [&'a mut [T]; N]) + Send + Sync),
) {
    if range.len() < 2 * least || range.len() < 2 || rayon::current_num_threads() == 1 {
        return work(range.start, slices);
    }
    let half = range.len() / 2;
    let middle = range.start + half;
    let [mut firsts, mut lasts] = [(); 2].map(|()| [(); N].map(|()| &mut [][..]));
    for (number, slice) in slices.into_iter().enumerate() {
        let at = (half * grains[number]).min(slice.len());
        (firsts[number], lasts[number]) = slice.split_at_mut(at);
    }
    rayon::join(
        || split(firsts, grains, range.start..middle, least, work),
        || split(lasts, grains, middle..range.end, least, work),
    );
}
