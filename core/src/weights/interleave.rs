//! The order of rotated features in a head: GGUF files of LLaMA keep the two that turn together
//! side by side, Hugging Face's layout keeps a head's first halves before its second ones.
//!
//! llama.cpp's converter reorders output row `[head, half, pair]` to `[head, pair, half]`
//! (`permute` in `convert_hf_to_gguf.py`).

/// The `rows` rows of a stored tensor, pairs side by side, in the order of halves.
pub(super) fn to_halves(bytes: &[u8], rows: usize, heads: usize) -> Vec<u8> {
    let pairs = rows / heads / 2;
    reorder(bytes, rows, heads, |row| 2 * (row % pairs) + row / pairs)
}

/// The inverse of [`to_halves`].
pub(super) fn to_pairs(bytes: &[u8], rows: usize, heads: usize) -> Vec<u8> {
    let pairs = rows / heads / 2;
    reorder(bytes, rows, heads, |row| row / 2 + pairs * (row % 2))
}

/// Each row of a head from the row of the same head that `source` gives.
fn reorder(bytes: &[u8], rows: usize, heads: usize, source: impl Fn(usize) -> usize) -> Vec<u8> {
    let width = bytes.len() / rows;
    let head_dim = rows / heads;
    assert!(
        rows == heads * head_dim && head_dim.is_multiple_of(2),
        "{rows} rows are not {heads} heads of pairs"
    );
    let mut ordered = Vec::with_capacity(bytes.len());
    for row in 0..rows {
        let (head, row) = (row / head_dim, row % head_dim);
        let start = (head * head_dim + source(row)) * width;
        ordered.extend_from_slice(&bytes[start..start + width]);
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `permute` in llama.cpp's converter gives for the rows 0 to 11 of 2 heads:
    /// `numpy.arange(12).reshape(2, 2, 3).swapaxes(1, 2).reshape(12)`.
    const PERMUTED: [u8; 12] = [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11];

    #[test]
    fn the_converters_permutation_is_undone_and_redone() {
        for width in [1, 4, 6] {
            let rows = |order: [u8; 12]| -> Vec<u8> {
                let row = |row: u8| (0..width).map(move |column| 12 * column + row);
                order.into_iter().flat_map(row).collect()
            };
            let plain = rows([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
            assert_eq!(to_pairs(&plain, 12, 2), rows(PERMUTED));
            assert_eq!(to_halves(&rows(PERMUTED), 12, 2), plain);
        }
    }
}
