//! SentencePiece models: LLaMA's tokenizer as transformers' converter builds it.

use tokenizers::decoders::DecoderWrapper;
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as Decoders;
use tokenizers::decoders::strip::Strip;
use tokenizers::models::bpe::BPE;
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::replace::ReplacePattern;
use tokenizers::normalizers::{NormalizerWrapper, Precompiled, Prepend, Replace, Sequence};
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};

use super::{Ids, charsmap};
use crate::tokens::vocabulary::{PieceKind, Vocabulary, VocabularyError};

/// What stands for a space.
const SPACE: char = '\u{2581}';
/// The longest piece that is taken apart for its merges; SentencePiece itself makes none of more
/// than 16 characters unless told to.
const PIECE_LIMIT: usize = 512;
/// Far below any piece's score: what a text may spell and still is no piece of it.
const NEVER: f64 = -1e9;

pub(super) fn bpe(
    vocabulary: &Vocabulary,
    ids: Ids,
) -> Result<tokenizers::Tokenizer, VocabularyError> {
    let merges = merges(vocabulary, &ids)?;
    let unk = unk(vocabulary).and_then(|id| vocabulary.text(id));
    let mut model = BPE::builder()
        .vocab_and_merges(ids.into_iter().collect::<Vocab>(), merges)
        .fuse_unk(true)
        .byte_fallback(has_bytes(vocabulary));
    if let Some(unk) = unk {
        model = model.unk_token(unk.to_owned());
    }
    around(vocabulary, tokenizers::Tokenizer::new(model.build()?))
}

type Vocab = tokenizers::models::bpe::Vocab;

pub(super) fn unigram(vocabulary: &Vocabulary) -> Result<tokenizers::Tokenizer, VocabularyError> {
    let pieces = vocabulary.pieces.iter().enumerate().map(|(id, piece)| {
        let text = piece.text.clone();
        match piece.kind {
            _ if !piece.score.is_finite() => Err(VocabularyError::Score { id, text }),
            PieceKind::Normal | PieceKind::UserDefined => Ok((text, f64::from(piece.score))),
            _ => Ok((text, NEVER)),
        }
    });
    let pieces: Vec<(String, f64)> = pieces.collect::<Result<_, _>>()?;
    let unk = unk(vocabulary).map(|id| id as usize);
    let model = Unigram::from(pieces, unk, has_bytes(vocabulary));
    let model = model.map_err(|error| VocabularyError::Backend(error.to_string()))?;
    around(vocabulary, tokenizers::Tokenizer::new(model))
}

fn unk(vocabulary: &Vocabulary) -> Option<u32> {
    let mut pieces = (0..).zip(&vocabulary.pieces);
    let first = pieces.find(|(_, piece)| piece.kind == PieceKind::Unknown);
    vocabulary.unk.or(first.map(|(id, _)| id))
}

fn has_bytes(vocabulary: &Vocabulary) -> bool {
    let mut pieces = vocabulary.pieces.iter();
    pieces.any(|piece| piece.kind == PieceKind::Byte)
}

/// Each way to make a piece of two others, the best piece first. SentencePiece merges the pair
/// whose whole scores best; where scores are equal the order is that of transformers' converter.
/// Special tokens and bytes are never merged: text that spells one stays text.
fn merges(vocabulary: &Vocabulary, ids: &Ids) -> Result<Vec<(String, String)>, VocabularyError> {
    struct Merge<'v> {
        score: f32,
        left: (&'v str, usize),
        right: (&'v str, usize),
    }
    let pieces = &vocabulary.pieces;
    let normal = |text: &str| {
        let id = *ids.get(text)?;
        (pieces[id as usize].kind == PieceKind::Normal).then_some(id)
    };
    let mut merges = Vec::new();
    for (id, piece) in pieces.iter().enumerate() {
        if piece.kind != PieceKind::Normal {
            continue;
        }
        if piece.text.len() > PIECE_LIMIT {
            let (bytes, limit) = (piece.text.len(), PIECE_LIMIT);
            return Err(VocabularyError::LongPiece { id, bytes, limit });
        }
        if !piece.score.is_finite() {
            let text = piece.text.clone();
            return Err(VocabularyError::Score { id, text });
        }
        let length = piece.text.chars().count();
        let places = piece.text.char_indices().enumerate().skip(1);
        let ways = places.filter_map(|(chars, (place, _))| {
            let (left, right) = piece.text.split_at(place);
            let order = (normal(left)?, normal(right)?);
            let merge = Merge {
                score: piece.score,
                left: (left, chars),
                right: (right, length - chars),
            };
            Some((order, merge))
        });
        let mut ways: Vec<_> = ways.collect();
        ways.sort_by_key(|(order, _)| *order);
        merges.extend(ways.into_iter().map(|(_, merge)| merge));
    }
    merges.sort_by(|a, b| {
        let by_score = b.score.total_cmp(&a.score);
        by_score.then((b.left.1, b.right.1).cmp(&(a.left.1, a.right.1)))
    });
    let texts = |merge: Merge<'_>| (merge.left.0.to_owned(), merge.right.0.to_owned());
    Ok(merges.into_iter().map(texts).collect())
}

/// What is done to a text before and after.
fn around(
    vocabulary: &Vocabulary,
    mut tokenizer: tokenizers::Tokenizer,
) -> Result<tokenizers::Tokenizer, VocabularyError> {
    let space = SPACE.to_string();
    let mut before: Vec<NormalizerWrapper> = Vec::new();
    if !vocabulary.charsmap.is_empty() {
        charsmap::check(&vocabulary.charsmap)?;
        let table = Precompiled::from(&vocabulary.charsmap);
        let table = table.map_err(|_| VocabularyError::Charsmap("it cannot be read"))?;
        before.push(table.into());
    }
    if vocabulary.remove_extra_whitespaces {
        let pattern = |text: &str| ReplacePattern::Regex(text.to_owned());
        before.push(Replace::new(pattern(r"\A +| +\z"), "")?.into());
        before.push(Replace::new(pattern(" {2,}"), " ")?.into());
    }
    if vocabulary.legacy {
        if vocabulary.add_space_prefix {
            before.push(Prepend::new(space.clone()).into());
        }
        before.push(Replace::new(" ", space.clone())?.into());
    } else {
        let scheme = if vocabulary.add_space_prefix {
            PrependScheme::First
        } else {
            PrependScheme::Never
        };
        tokenizer.with_pre_tokenizer(Some(Metaspace::new(SPACE, scheme, false)));
    }
    tokenizer.with_normalizer(Some(Sequence::new(before)))?;
    let mut after: Vec<DecoderWrapper> = vec![
        Replace::new(space, " ")?.into(),
        ByteFallback::new().into(),
        Fuse::new().into(),
    ];
    if vocabulary.add_space_prefix {
        after.push(Strip::new(' ', 1, 0).into());
    }
    tokenizer.with_decoder(Some(Decoders::new(after)));
    Ok(tokenizer)
}
