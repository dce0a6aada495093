//! Files that lie: an error or a tokenizer, and never a panic.

use super::model::small_model;
use super::*;

/// A table that rewrites `A` to `b`, as SentencePiece compiles it: 512 units, so that every step
/// from the root stays within.
fn charsmap() -> Vec<u8> {
    let mut units = [0_u32; 512];
    let offset = |to: u32| to << 10;
    units[0] = offset(0x100);
    // From the root's place a step by `A` leads to a node that has a leaf.
    units[0x100 ^ 0x41] = 0x41 | 1 << 8 | offset(0x100 ^ 0x41 ^ 0x180);
    units[0x180] = 1 << 31;
    let units = units.iter().flat_map(|unit| unit.to_le_bytes());
    let size = 4 * 512_u32;
    size.to_le_bytes()
        .into_iter()
        .chain(units)
        .chain(*b"b\0")
        .collect()
}

fn try_out(vocabulary: Result<Vocabulary, String>) -> bool {
    let tokenizer = vocabulary.map(Tokenizer::from_vocabulary);
    let Ok(Ok(tokenizer)) = tokenizer else {
        return false;
    };
    for text in ["a ab Ab", "<s>☃\n", ""] {
        let ids = tokenizer.encode_text(text).unwrap_or_default();
        let _ = tokenizer.decode(&ids);
    }
    true
}

/// Numbers that are the same in every run.
fn numbers() -> impl FnMut(usize) -> usize {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    move |below| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("small")
    }
}

#[test]
fn a_mutated_model_never_panics() {
    let mut number = numbers();
    let mut read = 0;
    for kind in [1, 2] {
        let model = small_model(&[3 << 3, 1], kind, &[("X", 0.0, 4), ("<0x0A>", 0.0, 6)]);
        assert!(try_out(Vocabulary::from_sentencepiece(&model)));
        for end in 0..model.len() {
            try_out(Vocabulary::from_sentencepiece(&model[..end]));
        }
        for _ in 0..2000 {
            let mut model = model.clone();
            for _ in 0..=number(3) {
                let place = number(model.len());
                model[place] = u8::try_from(number(256)).expect("a byte");
            }
            read += usize::from(try_out(Vocabulary::from_sentencepiece(&model)));
        }
    }
    assert!(read > 500, "{read} of 4000 are still a model");
}

#[test]
fn a_mutated_table_of_characters_never_panics() {
    let vocabulary = |table: &[u8]| {
        let model = small_model(&[3 << 3, 1], 2, &[("A", -3.0, 1)]);
        let model = Vocabulary::from_sentencepiece(&model);
        model.map(|model| Vocabulary {
            charsmap: table.to_owned(),
            ..model
        })
    };
    let table = charsmap();
    let whole = vocabulary(&table).expect("a vocabulary");
    let tokenizer = Tokenizer::from_vocabulary(whole).expect("a tokenizer");
    let ids = tokenizer.encode_text("A").expect("encodes");
    assert_eq!(tokenizer.decode(&ids).expect("decodes"), "b");

    let mut number = numbers();
    for _ in 0..2000 {
        let mut table = table.clone();
        // The places that matter: the size, the root, and the node of `A` with its leaf.
        let places = [0, 4, 4 + 4 * 0x141, 4 + 4 * 0x180, 4 * 513];
        let place = places[number(places.len())] + number(4);
        if let Some(byte) = table.get_mut(place) {
            *byte = u8::try_from(number(256)).expect("a byte");
        }
        try_out(vocabulary(&table));
    }
}

#[test]
fn ids_out_of_range_and_broken_merges_are_errors() {
    let piece = |text: &str| Piece {
        text: text.to_owned(),
        ..Piece::default()
    };
    let vocabulary = |pre: &str| Vocabulary {
        pieces: ["a", "b", "ab"].map(piece).into(),
        ..Vocabulary::new(VocabularyKind::ByteLevelBpe {
            pre: pre.to_owned(),
        })
    };
    let failure = |vocabulary| {
        let tokenizer = Tokenizer::from_vocabulary(vocabulary);
        tokenizer.expect_err("broken").to_string()
    };
    let (bos, merges) = (Some(3), vec![("ab".to_owned(), "b".to_owned())]);
    let far = Vocabulary {
        bos,
        ..vocabulary("qwen2")
    };
    assert_eq!(failure(far), "`bos` is token 3, and there are 3");
    let unknown = Vocabulary {
        merges,
        ..vocabulary("qwen2")
    };
    assert_eq!(
        failure(unknown),
        "merge 1 is of `ab` and `b`, and `abb` is no token"
    );
    let pre = failure(vocabulary("falcon"));
    assert!(
        pre.starts_with("words are split as in `falcon`, which is not known here"),
        "{pre}"
    );
    assert!(failure(Vocabulary::new(VocabularyKind::SentencePieceBpe)).contains("0 tokens"));
}
