//! Tokenizers as folders bring them.

use super::model::llama_folder;
use super::*;
use crate::chat::TemplateError;

#[test]
fn files_beside_the_tokenizer_name_the_special_tokens() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &[u8]| {
        std::fs::write(folder.path().join(name), text).expect("written");
    };
    let missing = Tokenizer::load(folder.path())
        .expect_err("empty")
        .to_string();
    assert!(missing.starts_with("no tokenizer.json in "), "{missing}");
    write("tokenizer.model", b"");
    let empty = Tokenizer::load(folder.path())
        .expect_err("no model")
        .to_string();
    assert!(
        empty.ends_with("a SentencePiece model: no token in it"),
        "{empty}"
    );

    write("tokenizer.json", &llama_json());
    let plain = Tokenizer::load(folder.path()).expect("loads");
    assert_eq!(
        (plain.bos(), plain.eos(), plain.pad()),
        (Some(1), Some(2), None)
    );
    assert!(plain.specials.adds_bos);

    let config =
        br#"{"pad_token": {"content": "<unk>"}, "eos_token": "</s>", "add_bos_token": false}"#;
    write("tokenizer_config.json", config);
    let configured = Tokenizer::load(folder.path().join("tokenizer.json")).expect("loads");
    assert_eq!(configured.pad(), Some(0));
    assert!(!configured.specials.adds_bos);

    write("special_tokens_map.json", br#"{"eos_token": "<end>"}"#);
    let unknown = Tokenizer::load(folder.path())
        .expect_err("no such token")
        .to_string();
    assert!(unknown.ends_with("`eos_token` is `<end>`, which is no token of the tokenizer"));

    write("tokenizer.json", b"{}");
    let broken = Tokenizer::load(folder.path())
        .expect_err("no tokenizer")
        .to_string();
    assert!(
        broken.contains("tokenizer.json: not a tokenizer file"),
        "{broken}"
    );
}

fn load(beside: &[(&str, &str)]) -> Result<Tokenizer, String> {
    let folder = llama_folder(beside);
    let name = folder.path().display().to_string();
    Tokenizer::load(&folder).map_err(|error| error.to_string().replace(&name, "DIR"))
}

#[test]
fn a_folder_adds_tokens_to_a_model_at_the_ids_it_states() {
    let added = r#"{"[PAD]": 32000, "<im_end>": 32002, "<im_start>": 32001}"#;
    let map = r#"{"pad_token": "[PAD]", "bos_token": {"content": "<s>"}}"#;
    let config = r#"{"add_bos_token": false, "add_eos_token": true, "added_tokens_decoder":
        {"1": {"content": "<s>", "special": true}, "32003": {"content": "<image>", "special": true}}}"#;
    let beside = [
        ("added_tokens.json", added),
        ("special_tokens_map.json", map),
        ("tokenizer_config.json", config),
    ];
    let tokenizer = load(&beside).expect("loads");
    let ids = ["[PAD]", "<im_start>", "<im_end>", "<image>"].map(|token| tokenizer.id(token));
    assert_eq!(ids, [32_000, 32_001, 32_002, 32_003].map(Some));
    assert_eq!(
        (tokenizer.vocab_size(), tokenizer.pad()),
        (32_004, Some(32_000))
    );
    assert!(!tokenizer.specials.adds_bos);
    assert!(tokenizer.is_special(32_000) && !tokenizer.is_special(32_001));
    let ids = tokenizer.encode_text("a<im_start>b").expect("encodes");
    assert_eq!(ids, [263, 32_001, 289]);

    let names: Vec<_> = Tokenizer::files(llama_folder(&beside).path())
        .iter()
        .map(|file| file.file_name().expect("a name").to_owned())
        .collect();
    let expected = [
        "tokenizer.model",
        "special_tokens_map.json",
        "tokenizer_config.json",
        "added_tokens.json",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_copy_is_the_same_tokenizer_whatever_its_file_was_called() {
    let config = (
        "tokenizer_config.json",
        r#"{"add_bos_token": false, "added_tokens_decoder": {"32000": {"content": "<image>"}}}"#,
    );
    let folder = llama_folder(&[config]);
    let odd = folder.path().join("odd");
    std::fs::rename(folder.path().join("tokenizer.model"), &odd).expect("renamed");
    let copies = Tokenizer::copies(&odd).expect("reads");
    let names: Vec<&str> = copies.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["tokenizer.model", "tokenizer_config.json"]);
    assert_eq!(Tokenizer::copied_name(&odd), names[0]);
    let other = tempfile::tempdir().expect("a folder");
    for (name, bytes) in &copies {
        std::fs::write(other.path().join(name), bytes).expect("written");
    }
    let copy = Tokenizer::load(other.path().join(names[0])).expect("loads");
    assert_eq!(copy.id("<image>"), Some(32_000));
    assert!(!copy.specials.adds_bos);
}

#[test]
fn an_added_token_at_an_id_that_is_not_free_is_an_error() {
    let fails = |added| load(&[("added_tokens.json", added)]).expect_err("not free");
    assert_eq!(
        fails(r#"{"[PAD]": 32001}"#),
        "DIR/added_tokens.json: the added token `[PAD]` should have the id 32001, but the next free \
         id is 32000"
    );
    assert!(fails(r#"{"[PAD]": 5}"#).ends_with("but that is `<0x02>`"));
    assert!(fails(r#"{"</s>": 32000}"#).ends_with("but the vocabulary has it as 2"));
    let both = load(&[
        ("added_tokens.json", r#"{"a<": 32000}"#),
        (
            "tokenizer_config.json",
            r#"{"added_tokens_decoder": {"32000": {"content": "b<"}}}"#,
        ),
    ]);
    let both = both.expect_err("one id for two");
    assert!(
        both.ends_with("but DIR/added_tokens.json has `a<` there"),
        "{both}"
    );
}

#[test]
fn a_tokenizer_that_is_not_legacy_writes_no_space_after_a_special_token() {
    let spelt = |tokenizer: Tokenizer| tokenizer.encode_text("a</s>b").expect("encodes");
    assert_eq!(spelt(load(&[]).expect("loads")), [263, 2, 289]);
    let config = ("tokenizer_config.json", r#"{"legacy": false}"#);
    assert_eq!(spelt(load(&[config]).expect("loads")), [263, 2, 29_890]);
}

#[test]
fn vocab_json_and_merges_txt_are_a_byte_level_tokenizer() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("written");
    };
    write(
        "vocab.json",
        r#"{"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4, "1": 5, "Ã": 6, "©": 7}"#,
    );
    write("merges.txt", "#version: 0.2\na b\nĠ ab\n1 1\n");
    let unknown = Tokenizer::load(&folder).expect_err("no class").to_string();
    assert!(
        unknown.contains("known are Qwen2Tokenizer and GPT2Tokenizer, and it says none"),
        "{unknown}"
    );
    let config = r#"{"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>",
        "added_tokens_decoder": {"8": {"content": "<|im_end|>", "special": true}}}"#;
    write("tokenizer_config.json", config);
    let broken = Tokenizer::load(&folder).expect_err("no `11`").to_string();
    assert!(
        broken.ends_with("merge 3 is of `1` and `1`, and `11` is no token"),
        "{broken}"
    );

    write("merges.txt", "#version: 0.2\na b\nĠ ab\n");
    let tokenizer = Tokenizer::load(&folder).expect("loads");
    // Two digits are two words, and an accent that comes apart is joined.
    let ids = tokenizer
        .encode_text("ab ab11e\u{301}<|im_end|>")
        .expect("encodes");
    let joined = tokenizer.encode_text("\u{e9}").expect("encodes");
    assert_eq!(joined, [6, 7]);
    assert_eq!(ids, [3, 4, 5, 5, 6, 7, 8]);
    assert_eq!(tokenizer.decode(&ids).expect("decodes"), "ab ab11\u{e9}");
    assert_eq!((tokenizer.eos(), tokenizer.bos()), (Some(8), None));
    write("vocab.json", r#"{"a": 0, "b": 2}"#);
    let gap = Tokenizer::load(&folder).expect_err("a gap").to_string();
    assert!(
        gap.ends_with("no token has the id 1, and one has 2"),
        "{gap}"
    );
}

/// Llama 2's manner, written by a folder's own template with BOS and EOS.
const INST: &str = "{% for m in messages %}{% if m.role == 'user' %}\
    {{ bos_token + '[INST] ' + m.content.strip() + ' [/INST]' }}{% else %}\
    {{ ' ' + m.content + ' ' + eos_token }}{% endif %}{% endfor %}";

#[test]
fn a_folders_own_template_is_learned_from_as_a_built_in_one() {
    let config =
        serde_json::json!({"bos_token": "<s>", "eos_token": "</s>", "chat_template": INST});
    let folder = llama_folder(&[("tokenizer_config.json", &config.to_string())]);
    let tokenizer = Tokenizer::load(&folder).expect("loads");
    let own = Template::from_folder(&folder)
        .expect("reads")
        .expect("there is one");
    assert_eq!((own.name(), own.lead(), own.end()), ("jinja", " ", " </s>"));
    assert_eq!(tokenizer.end_tokens(&own), [2]);
    let turns = [
        Turn::human("<image>\nWhy [/INST] </s>?"),
        Turn::assistant("So."),
        Turn::human("Why?"),
        Turn::assistant("It is </s>."),
    ];
    let sample = tokenizer.encode(&own, &turns).expect("a sample");
    assert_eq!(supervised(&sample), "So. </s> It is </s>. </s>");
    let count = |id: i64| {
        sample
            .input_ids
            .iter()
            .filter(|&&other| other == id)
            .count()
    };
    assert_eq!(
        (count(1), count(2)),
        (2, 2),
        "the template's own, and no BOS beside it"
    );
    assert_eq!(sample.images(), 1);
    let prompt = tokenizer
        .encode_prompt(&own, &turns[..3])
        .expect("a prompt");
    assert_eq!(prompt, sample.input_ids[..prompt.len()]);
}

#[test]
fn the_first_of_a_folders_templates_counts() {
    let source =
        |name: &str| format!("{name} {{% for m in messages %}}{{{{ m.content }}}}{{% endfor %}}");
    let config = |name: &str| serde_json::json!({"chat_template": source(name)}).to_string();
    let named = serde_json::json!({"chat_template": [
        {"name": "tool_use", "template": source("tools")},
        {"name": "default", "template": source("named")},
    ]});
    let sources = [
        ("chat_template.jinja", source("first")),
        ("chat_template.json", config("second")),
        ("processor_config.json", config("third")),
        ("tokenizer_config.json", named.to_string()),
    ];
    for (skipped, name) in ["first", "second", "third", "named"]
        .into_iter()
        .enumerate()
    {
        let beside: Vec<_> = sources[skipped..]
            .iter()
            .map(|(name, text)| (*name, text.as_str()))
            .collect();
        let folder = llama_folder(&beside);
        let template = Template::from_folder(&folder)
            .expect("reads")
            .expect("there is one");
        let prompt = template
            .render_prompt(&[Turn::human("Why?")])
            .expect("a prompt");
        assert_eq!(prompt.text, format!("{name} Why?"));
        let files = Tokenizer::files(folder.path());
        assert_eq!(files.len(), 1 + beside.len());
    }
    assert!(
        Template::from_folder(llama_folder(&[]))
            .expect("reads")
            .is_none()
    );
    let broken = llama_folder(&[("chat_template.jinja", "{% for m in messages %}")]);
    let error = Template::from_folder(&broken).expect_err("broken");
    assert!(matches!(&error, TemplateError::Jinja { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("chat_template.jinja: the chat template failed: syntax error")
    );
}
