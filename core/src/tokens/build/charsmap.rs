//! SentencePiece's `precompiled_charsmap`: which characters are rewritten.
//!
//! A `u32` with the size of a trie in bytes, the trie as a double array of `u32`, then the
//! replacements, each ended by a zero byte. The library that walks the trie trusts it, so all that
//! it can reach is checked before.

use crate::tokens::vocabulary::VocabularyError;

pub(super) fn check(table: &[u8]) -> Result<(), VocabularyError> {
    let broken = |reason| Err(VocabularyError::Charsmap(reason));
    let Some((size, rest)) = table.split_first_chunk::<4>() else {
        return broken("it ends before the trie");
    };
    let size = u32::from_le_bytes(*size) as usize;
    if !size.is_multiple_of(4) || size > rest.len() {
        return broken("it ends within the trie");
    }
    let (trie, replacements) = rest.split_at(size);
    let Ok(replacements) = std::str::from_utf8(replacements) else {
        return broken("a replacement is no UTF-8");
    };
    let units: Vec<usize> = trie
        .as_chunks::<4>()
        .0
        .iter()
        .map(|unit| u32::from_le_bytes(*unit) as usize)
        .collect();
    let Some(&root) = units.first() else {
        return broken("the trie is empty");
    };
    let mut reached = vec![false; units.len()];
    let mut open = vec![offset(root)];
    while let Some(node) = open.pop() {
        // A step goes to the node's place with its low byte changed.
        if node | 0xFF >= units.len() {
            return broken("a step leads out of the trie");
        }
        if std::mem::replace(&mut reached[node], true) {
            continue;
        }
        for byte in 1..=0xFF {
            let unit = units[node ^ byte];
            if unit & (1 << 31 | 0xFF) != byte {
                continue;
            }
            let next = node ^ byte ^ offset(unit);
            let is_end = unit >> 8 & 1 == 1;
            if is_end {
                let value = units.get(next).map(|leaf| leaf & !(1 << 31));
                if !value.is_some_and(|place| replacements.is_char_boundary(place)) {
                    return broken("a replacement lies outside of the table");
                }
            }
            open.push(next);
        }
    }
    Ok(())
}

fn offset(unit: usize) -> usize {
    (unit >> 10) << ((unit & (1 << 9)) >> 6)
}
