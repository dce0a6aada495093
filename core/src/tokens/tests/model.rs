//! SentencePiece models.

use super::*;

/// LLaMA's `tokenizer.model` and nothing else, and what is beside it if anything is.
pub(super) fn llama_folder(beside: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| {
        std::fs::write(folder.path().join(name), bytes).expect("written");
    };
    write("tokenizer.model", &unpacked("tokenizer.model.gz"));
    for (name, text) in beside {
        write(name, text.as_bytes());
    }
    folder
}

fn llama(beside: &[(&str, &str)]) -> Tokenizer {
    Tokenizer::load(llama_folder(beside)).expect("loads")
}

#[test]
fn golden_texts_from_the_model_alone() {
    let tokenizer = llama(&[]);
    check_golden_texts(&tokenizer);
    let ids = (tokenizer.bos(), tokenizer.eos(), tokenizer.pad());
    assert_eq!(ids, (Some(1), Some(2), None));
    assert_eq!(tokenizer.vocab_size(), 32_000);
    assert_eq!(tokenizer.special, LLAMA.special);
}

#[test]
fn the_model_alone_tokenises_as_its_tokenizer_json_does() {
    let tokenizer = llama(&[]);
    for case in Case::all("labels.json") {
        case.check(&tokenizer);
    }
    for text in [
        "<s>a</s> b<unk>",
        "</s>\n",
        "▁▁a",
        "<0x0A>",
        "\u{0}é\u{301}🧳\t",
    ] {
        let ids = tokenizer.encode_text(text).expect("encodes");
        assert_eq!(ids, LLAMA.encode_text(text).expect("encodes"), "{text:?}");
        let decoded = tokenizer.decode(&ids).expect("decodes");
        assert_eq!(decoded, LLAMA.decode(&ids).expect("decodes"), "{text:?}");
    }
}

#[test]
fn ids_and_labels_are_those_of_the_original_with_its_own_tokens() {
    let cases = Case::all("labels-original.json");
    assert_eq!(cases.len(), 36);
    for case in cases {
        let added = (32_000..).zip(&case.added).map(|(id, token)| {
            let token = serde_json::json!({"content": token, "special": true});
            (id.to_string(), token)
        });
        let added: serde_json::Map<_, _> = added.collect();
        let config = serde_json::json!({"added_tokens_decoder": added}).to_string();
        let tokenizer = llama(&[("tokenizer_config.json", &config)]);
        let tokenizer = if case.wrap {
            let wrapped = tokenizer.with_image_wrap(["<im_start>", "<im_end>"]);
            wrapped.expect("it has them")
        } else {
            tokenizer
        };
        case.check(&tokenizer);
    }
}

#[test]
fn an_image_is_wrapped_only_in_tokens_that_there_are() {
    let error = llama(&[]).with_image_wrap(["<im_start>", "<im_end>"]);
    let error = error.expect_err("LLaMA has neither").to_string();
    assert!(
        error.starts_with("`<im_start>` is to stand beside every image"),
        "{error}"
    );
}

/// A small model of `a`, `b`, `c` and pieces of them.
pub(super) fn small_model(normalizer: &[u8], model_type: u8, more: &[(&str, f32, u8)]) -> Vec<u8> {
    let mut model = Vec::new();
    let pieces = [
        ("<unk>", 0.0, 2),
        ("<s>", 0.0, 3),
        ("</s>", 0.0, 3),
        ("ab", -0.5, 1),
    ];
    let text = ["▁a", "a", "▁", "b", "c"].map(|text| (text, -1.0, 1));
    for (text, score, kind) in pieces.iter().chain(&text).chain(more) {
        let mut piece = field(1, text.as_bytes());
        piece.push(2 << 3 | 5);
        piece.extend_from_slice(&f32::to_le_bytes(*score));
        piece.extend_from_slice(&[3 << 3, *kind]);
        model.extend(field(1, &piece));
    }
    model.extend(field(2, &[3 << 3, model_type]));
    model.extend(field(3, normalizer));
    model
}

/// A field of a message.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let len = u8::try_from(bytes.len()).expect("a small message");
    assert!(len < 0x80);
    [&[number << 3 | 2, len], bytes].concat()
}

fn load(model: &[u8]) -> Result<Tokenizer, String> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), model).expect("written");
    let loaded = Tokenizer::load(file.path());
    loaded.map_err(|error| {
        error
            .to_string()
            .replace(&file.path().display().to_string(), "FILE")
    })
}

fn spelt(tokenizer: &Tokenizer, text: &str) -> String {
    let ids = tokenizer.encode_text(text).expect("encodes");
    let tokens = ids.iter().map(|&id| tokenizer.token(id).expect("a token"));
    tokens.collect::<Vec<_>>().join("|")
}

#[test]
fn what_a_model_says_of_spaces_is_done() {
    let (prefix, spaces) = (3 << 3, 4 << 3);
    let model = |flags: &[u8]| load(&small_model(flags, 2, &[])).expect("loads");
    let all = model(&[]);
    assert_eq!(spelt(&all, " a  ab "), "▁a|▁|ab");
    let kept = model(&[spaces, 0]);
    assert_eq!(spelt(&kept, " a  ab "), "▁|▁a|▁|▁|ab|▁");
    let bare = model(&[spaces, 0, prefix, 0]);
    assert_eq!(spelt(&bare, "a ab"), "a|▁|ab");
    let decoded = |tokenizer: &Tokenizer| tokenizer.decode(&[4, 6, 3]).expect("decodes");
    assert_eq!(
        (decoded(&kept), decoded(&bare)),
        ("a ab".into(), " a ab".into())
    );
    assert_eq!(spelt(&kept, "a☃☃b"), "▁a|<unk>|b");
}

#[test]
fn a_unigram_model_never_reads_text_as_a_special_token() {
    let more = [
        ("<", -2.0, 1),
        ("s", -2.0, 1),
        (">", -2.0, 1),
        ("X", 0.0, 4),
    ];
    let tokenizer = load(&small_model(&[], 1, &more)).expect("loads");
    assert_eq!(spelt(&tokenizer, "abab cab"), "▁|ab|ab|▁|c|ab");
    assert_eq!(spelt(&tokenizer, "aXb"), "▁a|X|▁|b");
    let turns = [Turn::human("<s>")];
    let ids = tokenizer.encode_prompt(&template("hf-llava"), &turns);
    let ids = ids.expect("a prompt");
    assert_eq!(ids.iter().filter(|&&id| id == 1).count(), 1, "{ids:?}");
}

#[test]
fn a_model_that_is_not_read_says_why() {
    let bpe = |more: &[(&str, f32, u8)]| load(&small_model(&[], 2, more)).expect_err("broken");
    assert_eq!(
        bpe(&[("ab", 0.0, 1)]),
        "FILE: `ab` is both token 3 and token 9"
    );
    assert_eq!(bpe(&[("", 0.0, 1)]), "FILE: token 9 has no text");
    assert!(bpe(&[("x", f32::NAN, 1)]).contains("the score of token 9, `x`"));
    assert!(bpe(&[("x", 0.0, 9)]).ends_with("token 9: its type is 9, of 1 to 6"));
    let word = load(&small_model(&[], 3, &[])).expect_err("words");
    assert!(
        word.contains("its model type is 3; 1 (unigram) and 2 (bpe) are read"),
        "{word}"
    );
    let table = load(&small_model(&[2 << 3 | 2, 5, 4, 0, 0, 0, 1], 2, &[])).expect_err("cut off");
    assert!(table.contains("it ends within the trie"), "{table}");
    let cut = small_model(&[], 2, &[]);
    let cut = load(&cut[..20]).expect_err("cut off");
    assert!(cut.ends_with("a field is cut off"), "{cut}");
}
