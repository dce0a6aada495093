//! Transposing a stored matrix while its bytes are on the way to the parameter.

/// Side of the square tiles, chosen so that a tile's rows on both sides stay in the first cache.
const TILE: usize = 32;

/// The bytes of `[rows, columns]` as those of `[columns, rows]`, elements of `width` bytes.
pub(super) fn transpose(bytes: &[u8], rows: usize, columns: usize, width: usize) -> Vec<u8> {
    match width {
        2 => transpose_elements::<2>(bytes, rows, columns),
        4 => transpose_elements::<4>(bytes, rows, columns),
        8 => transpose_elements::<8>(bytes, rows, columns),
        other => unreachable!("a float of {other} bytes"),
    }
}

fn transpose_elements<const WIDTH: usize>(bytes: &[u8], rows: usize, columns: usize) -> Vec<u8> {
    let (source, _) = bytes.as_chunks::<WIDTH>();
    let mut target = vec![[0; WIDTH]; source.len()];
    for row_tile in (0..rows).step_by(TILE) {
        for column_tile in (0..columns).step_by(TILE) {
            for row in row_tile..rows.min(row_tile + TILE) {
                for column in column_tile..columns.min(column_tile + TILE) {
                    target[column * rows + row] = source[row * columns + column];
                }
            }
        }
    }
    target.into_flattened()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_is_the_identity_at_odd_sizes() {
        let (rows, columns) = (37, 70);
        let values = (0_u16..).take(rows * columns);
        let bytes: Vec<u8> = values.flat_map(u16::to_le_bytes).collect();
        let once = transpose(&bytes, rows, columns, 2);
        assert_eq!(once[2..4], bytes[2 * columns..2 * columns + 2]);
        assert_eq!(transpose(&once, columns, rows, 2), bytes);
    }
}
