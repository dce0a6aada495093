//! Transposing a stored matrix while its bytes are on the way to the parameter.

use burn::tensor::{DType, TensorData, bf16, f16};
use rayon::prelude::*;

/// Side of the square tiles: 64 floats of 2 bytes fill two cache lines.
const TILE: usize = 64;

/// `[columns, rows]` of the bytes of floats `[rows, columns]`, which are `dtype`: those of 2 bytes as f32 where these are
/// `wanted`, and all others as they are.
pub(super) fn transposed(
    bytes: &[u8],
    [rows, columns]: [usize; 2],
    dtype: DType,
    wanted: DType,
) -> TensorData {
    let shape = [columns, rows];
    let wide = match (dtype, wanted) {
        (DType::BF16, DType::F32) => elements(bytes, rows, columns, |bits| {
            bf16::from_le_bytes(bits).to_f32()
        }),
        (DType::F16, DType::F32) => elements(bytes, rows, columns, |bits| {
            f16::from_le_bytes(bits).to_f32()
        }),
        _ => {
            let bytes = transpose(bytes, rows, columns, dtype.size());
            return TensorData::from_bytes_vec(bytes, shape, dtype);
        }
    };
    TensorData::new(wide, shape)
}

/// The bytes of `[rows, columns]` as those of `[columns, rows]`, elements of `width` bytes.
pub(super) fn transpose(bytes: &[u8], rows: usize, columns: usize, width: usize) -> Vec<u8> {
    match width {
        2 => elements::<2, _>(bytes, rows, columns, |bits| bits).into_flattened(),
        4 => elements::<4, _>(bytes, rows, columns, |bits| bits).into_flattened(),
        8 => elements::<8, _>(bytes, rows, columns, |bits| bits).into_flattened(),
        other => unreachable!("a float of {other} bytes"),
    }
}

/// Goes through a copy of each tile. Where a row of the result is a power of two long, a column of it
/// lies in so few sets of the cache that its lines push each other out. Through the copy both matrices
/// are touched in whole lines: bf16 `[4096, 11008]` takes a tenth of the time.
fn elements<const WIDTH: usize, T: Copy + Default + Send>(
    bytes: &[u8],
    rows: usize,
    columns: usize,
    read: impl Fn([u8; WIDTH]) -> T + Sync,
) -> Vec<T> {
    let (source, _) = bytes.as_chunks::<WIDTH>();
    let mut target = vec![T::default(); source.len()];
    // A thread's share is whole columns: TILE lines of the result.
    let bands = target.par_chunks_mut((TILE * rows).max(1)).enumerate();
    bands.for_each(|(band, target)| {
        let mut tile = [[[0; WIDTH]; TILE]; TILE];
        let first_column = band * TILE;
        let width = TILE.min(columns - first_column);
        for first_row in (0..rows).step_by(TILE) {
            let height = TILE.min(rows - first_row);
            for (row, line) in tile.iter_mut().enumerate().take(height) {
                let start = (first_row + row) * columns + first_column;
                line[..width].copy_from_slice(&source[start..start + width]);
            }
            for column in 0..width {
                let start = column * rows + first_row;
                let line = &mut target[start..start + height];
                for (element, row) in line.iter_mut().zip(&tile) {
                    *element = read(row[column]);
                }
            }
        }
    });
    target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_is_the_identity_at_odd_sizes() {
        let (rows, columns) = (67, 150);
        let values = (0_u16..).take(rows * columns);
        let bytes: Vec<u8> = values.flat_map(u16::to_le_bytes).collect();
        for dtype in [DType::BF16, DType::F16] {
            let once = transposed(&bytes, [rows, columns], dtype, dtype);
            assert_eq!(once.as_bytes()[2..4], bytes[2 * columns..2 * columns + 2]);
            let twice = transposed(once.as_bytes(), [columns, rows], dtype, dtype);
            assert_eq!(twice.as_bytes(), bytes);
            let wide = transposed(&bytes, [rows, columns], dtype, DType::F32);
            assert_eq!(wide, once.convert_dtype(DType::F32), "{dtype:?}");
        }
    }
}
