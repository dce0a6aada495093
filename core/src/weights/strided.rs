//! Gathering a tensor whose elements do not lie in row-major order: a transposed matrix, a slice.

use std::io::{Read, Seek};

use super::entry::byte_len;
use super::input::{Input, Problem};

/// Bytes of the file held at once.
const CHUNK: u64 = 1 << 20;

/// Elements at regular distances. They are visited in the order of the file, in one pass, and each
/// is put where it belongs.
#[derive(Debug, Clone)]
pub(super) struct Strided {
    /// Offset in the file of the element at index 0.
    start: u64,
    /// Bytes of an element.
    width: usize,
    /// Bytes of the tensor.
    len: usize,
    /// Outermost in the file first.
    axes: Vec<Axis>,
}

#[derive(Debug, Clone)]
struct Axis {
    size: usize,
    /// Distance in the file, in elements.
    stride: usize,
    /// Distance in the tensor, in elements.
    target: usize,
}

impl Strided {
    /// A tensor at `start` of the file with `strides` in elements. The caller has checked that its
    /// last element lies within the file.
    ///
    /// # Errors
    /// Elements that lie on each other: no checkpoint has such, and a small file could pose as a
    /// large one by it.
    pub(super) fn new(
        start: u64,
        width: usize,
        shape: &[usize],
        strides: &[usize],
    ) -> Result<Self, Problem> {
        let len = byte_len(shape, width).ok_or("is larger than any memory")?;
        let mut axes = Vec::new();
        let mut target = 1;
        for (&size, &stride) in shape.iter().zip(strides).rev() {
            if size > 1 {
                axes.push(Axis {
                    size,
                    stride,
                    target,
                });
            }
            target *= size;
        }
        axes.sort_by_key(|axis| axis.stride);
        let mut reach = 0_usize;
        for axis in &axes {
            if axis.stride <= reach {
                return Err(format!(
                    "has strides {strides:?} for shape {shape:?}, so elements lie on each other"
                )
                .into());
            }
            reach = (axis.size - 1)
                .checked_mul(axis.stride)
                .and_then(|reached| reach.checked_add(reached))
                .ok_or("is larger than any file")?;
        }
        axes.reverse();
        Ok(Self {
            start,
            width,
            len,
            axes,
        })
    }

    pub(super) fn read<R: Read + Seek>(&self, input: &mut Input<R>) -> Result<Vec<u8>, Problem> {
        let end = self.end().ok_or("is larger than any file")?;
        input.check(self.start, end - self.start)?;
        let mut target = vec![0; self.len];
        let mut window = Window {
            input,
            bytes: Vec::new(),
            start: self.start,
            end,
        };
        let mut index = vec![0; self.axes.len()];
        for _ in 0..self.len / self.width {
            let (mut from, mut to) = (0, 0);
            for (&i, axis) in index.iter().zip(&self.axes) {
                from += i * axis.stride;
                to += i * axis.target;
            }
            let to = to * self.width;
            let at = self.start + (from * self.width) as u64;
            target[to..to + self.width].copy_from_slice(window.element(at, self.width)?);
            for (i, axis) in index.iter_mut().zip(&self.axes).rev() {
                *i += 1;
                if *i < axis.size {
                    break;
                }
                *i = 0;
            }
        }
        Ok(target)
    }

    /// Offset in the file of the byte after the last element.
    fn end(&self) -> Option<u64> {
        let last: usize = self.axes.iter().try_fold(0_usize, |last, axis| {
            last.checked_add((axis.size - 1).checked_mul(axis.stride)?)
        })?;
        let bytes = last.checked_add(1)?.checked_mul(self.width)?;
        self.start.checked_add(bytes as u64)
    }
}

/// A chunk of the file that moves forward.
struct Window<'i, R> {
    input: &'i mut Input<R>,
    bytes: Vec<u8>,
    start: u64,
    /// Where the tensor ends.
    end: u64,
}

impl<R: Read + Seek> Window<'_, R> {
    /// The `width` bytes at `at`, which never goes back and never passes the end.
    fn element(&mut self, at: u64, width: usize) -> Result<&[u8], Problem> {
        let held = self.start + self.bytes.len() as u64;
        if at + width as u64 > held {
            let len = CHUNK.min(self.end - at);
            self.bytes.resize(usize::try_from(len).unwrap_or(0), 0);
            self.input.read_into(at, &mut self.bytes)?;
            self.start = at;
        }
        let from = usize::try_from(at - self.start).unwrap_or(0);
        Ok(&self.bytes[from..from + width])
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn gather(bytes: Vec<u8>, strided: &Strided) -> Vec<u8> {
        let mut input = Input::new(Cursor::new(bytes)).unwrap();
        strided.read(&mut input).unwrap()
    }

    #[test]
    fn a_permuted_tensor_larger_than_a_chunk_comes_out_in_order() {
        let (rows, columns) = (1031, 700);
        let values = (0_u32..).take(rows * columns);
        let bytes: Vec<u8> = [0; 3]
            .into_iter()
            .chain(values.flat_map(u32::to_le_bytes))
            .collect();
        assert!(bytes.len() as u64 > 2 * CHUNK);
        let transposed = Strided::new(3, 4, &[columns, rows], &[1, columns]).unwrap();
        let gathered = gather(bytes, &transposed);
        let (gathered, _) = gathered.as_chunks();
        let expected = (0..columns).flat_map(|c| (0..rows).map(move |r| r * columns + c));
        assert!(
            gathered
                .iter()
                .map(|bytes| u32::from_le_bytes(*bytes) as usize)
                .eq(expected)
        );
    }

    #[test]
    fn every_second_column_from_an_offset_comes_out() {
        let slice = Strided::new(1, 1, &[2, 1, 3], &[6, 9, 2]).unwrap();
        assert_eq!(gather((0..12).collect(), &slice), [1, 3, 5, 7, 9, 11]);
    }

    #[test]
    fn elements_on_each_other_are_refused() {
        for strides in [[0, 1], [1, 1], [3, 0], [2, 1]] {
            assert!(
                Strided::new(0, 4, &[4, 3], &strides).is_err(),
                "{strides:?}"
            );
        }
        assert!(Strided::new(0, 4, &[4, 3], &[3, 1]).is_ok());
        assert!(Strided::new(0, 4, &[4, 3], &[usize::MAX / 2, 1]).is_err());
    }
}
