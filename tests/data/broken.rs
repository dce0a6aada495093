//! Bad data, each with its message.

use menagerie::chat::Template;
use menagerie::data::{DataError, DataSource, Dataset, SampleEncoder};
use menagerie::image::{ImageProcessor, Resize};
use menagerie::tokens::ImagePosition;
use serde_json::json;

use super::{Folder, LLAMA, gzip, image, says, tar};

const GOOD: &str = r#"{"id": "a", "conversations": [
    {"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]}"#;

#[test]
fn broken_json_names_line_and_column() {
    let folder = Folder::new();
    assert_eq!(
        folder.refuse("a.json", "[\n{\"id\": \"a\",\n}]"),
        "a.json:3:1: trailing comma"
    );
    let one_line = GOOD.replace('\n', "");
    assert_eq!(
        folder.refuse("a.jsonl", &format!("{one_line}\n\n{{\"id\": [1]}}\n")),
        "a.jsonl:3:11: `id` must be text or a number"
    );
    assert_eq!(
        folder.refuse("a.json", r#"[{"image": 7, "conversations": []}]"#),
        "a.json:1:12: `image` must be a file's name or a list of names"
    );
    assert_eq!(
        folder.refuse("a.json", "[\n{\"conversations\": [{\"from\": \"gpt\"}]}]"),
        "a.json:2:34: missing field `value`"
    );
}

#[test]
fn an_unknown_role_names_those_there_are() {
    let message = Folder::new().refuse("a.json", &format!("[{}]", GOOD.replace("gpt", "bot")));
    assert!(message.starts_with("a.json:2:"), "{message}");
    assert!(
        message
            .contains("unknown variant `bot`, expected one of `human`, `user`, `assistant`, `gpt`"),
        "{message}"
    );
}

#[test]
fn an_empty_file_is_no_data() {
    let folder = Folder::new();
    for text in ["", "[]", "\n"] {
        assert_eq!(folder.refuse("a.json", text), "a.json: holds no sample");
    }
    folder.write("a.tar", tar(&[]));
    let error = folder.open("a.tar").expect_err("refused");
    assert_eq!(folder.message(&error), "a.tar: holds no sample");
}

#[test]
fn files_of_no_known_kind() {
    let folder = Folder::new();
    let message = folder.refuse("a.csv", "id,text");
    assert!(message.starts_with("a.csv: neither JSON nor a tar shard nor Parquet; the kinds are"));
    let error = folder.open("").expect_err("refused").to_string();
    assert!(
        error.ends_with("the folder holds no .tar, .tar.gz, .tgz or .parquet"),
        "{error}"
    );
    let error = folder.open("none.json").expect_err("refused");
    let message = folder.message(&error);
    assert!(message.starts_with("cannot read none.json: "), "{message}");
    let error = Dataset::open(&DataSource::default()).expect_err("refused");
    assert_eq!(error.to_string(), "no data file is given");
}

#[test]
fn a_sample_without_an_answer_teaches_nothing() {
    for turns in [says(&["Why?"]), says(&["Why?", " "]), says(&[])] {
        let samples = json!([{"id": 7, "conversations": turns}]);
        assert_eq!(
            Folder::new().refuse("a.json", &samples.to_string()),
            "a.json: sample `7`: no turn by `gpt` has text, so nothing is learned from it; answer it or leave it out"
        );
    }
    assert_eq!(
        Folder::new().refuse("a.json", r#"[{"id": "b", "caption": "A cat."}]"#),
        "a.json: sample `b`: it has no `conversations`; `text` in the recipe's data says which of `conversations` and `caption` is learned"
    );
}

#[test]
fn turns_alternate() {
    let samples = GOOD.replace(
        "\"Why?\"}",
        "\"Why?\"}, {\"from\": \"human\", \"value\": \"Why?\"}",
    );
    assert_eq!(
        Folder::new().refuse("a.json", &format!("[{samples}]")),
        "a.json: sample `a`: turn 2 is by the human where one by the assistant is due; turns alternate and the human begins"
    );
}

#[test]
fn there_is_one_marker_for_each_image() {
    let refuse = |question: &str, images: serde_json::Value| {
        let sample =
            json!([{"id": "b", "image": images, "conversations": says(&[question, "So."])}]);
        Folder::new().refuse("a.json", &sample.to_string())
    };
    assert_eq!(
        refuse("Why?", json!("a.png")),
        "a.json: sample `b`: its text has 0 `<image>`, but it has 1 images; there must be one for each"
    );
    assert!(
        refuse("<image><image> Why?", json!("a.png"))
            .contains("has 2 `<image>`, but it has 1 images")
    );
    assert!(refuse("<image> Why?", json!(null)).contains("has 1 `<image>`, but it has 0 images"));
}

#[test]
fn a_missing_or_broken_image_names_file_and_sample() {
    let folder = Folder::new();
    let sample =
        json!([{"id": "b", "image": "a.png", "conversations": says(&["<image>Why?", "So."])}]);
    folder.write("a.json", sample.to_string());
    let dataset = folder.open("a.json").expect("no image is opened");
    let missing = folder.message(&dataset.check_images().expect_err("missing"));
    let expected = "a.json: sample `b`: cannot read image a.png: ";
    assert!(missing.starts_with(expected), "{missing}");

    let batch = || encoder().batch(&dataset, &processor(), &[0]);
    assert_eq!(folder.message(&batch().expect_err("missing")), missing);

    let whole = image("rgb-square.png");
    folder.write("a.png", &whole[..whole.len() / 2]);
    dataset.check_images().expect("it is there");
    let broken = folder.message(&batch().expect_err("broken"));
    let expected = "a.json: sample `b`: image a.png: the image cannot be decoded: ";
    assert!(broken.starts_with(expected), "{broken}");
    folder.write("a.png", "text");
    let broken = folder.message(&batch().expect_err("no image"));
    assert!(
        broken.contains("image a.png: not an image that is read here"),
        "{broken}"
    );

    let paths = vec![folder.path().join("a.json")];
    let nowhere = Dataset::open(&DataSource {
        paths,
        ..DataSource::default()
    });
    let error = nowhere.expect("no image is opened").check_images();
    let message = folder.message(&error.expect_err("no folder"));
    assert!(
        message.contains("its image `a.png` lies in no folder; name it with `images`"),
        "{message}"
    );
}

#[test]
fn a_cut_that_leaves_no_answer_names_the_sample() {
    let folder = Folder::new();
    folder.write("a.json", format!("[{GOOD}]"));
    let dataset = folder.open("a.json").expect("good");
    let short = SampleEncoder {
        max_tokens: 40,
        ..encoder()
    };
    let message = folder.message(&short.encode(&dataset, 0).expect_err("cut"));
    assert!(
        message.starts_with("a.json: sample `a`: no supervised token is left of "),
        "{message}"
    );
}

#[test]
fn a_shortened_shard_is_an_error_wherever_it_ends() {
    let folder = Folder::new();
    let picture = image("rgb-square.png");
    let json = json!({"conversations": says(&["<image>Why?", "So."])}).to_string();
    let members: [(&str, &[u8]); 4] = [
        ("a.json", json.as_bytes()),
        ("a.png", &picture),
        ("b.json", json.as_bytes()),
        ("b.png", &picture),
    ];
    let whole = tar(&members);
    let packed = gzip(&whole);
    let refused = |name: &str, bytes: &[u8]| {
        folder.write(name, bytes);
        match folder.open(name) {
            Err(error @ DataError::Shard { .. }) => folder.message(&error),
            other => panic!("{name} of {} bytes: {other:?}", bytes.len()),
        }
    };
    folder.write("a.tar", &whole);
    assert_eq!(folder.open("a.tar").expect("whole").len(), 2);
    folder.write("a.tar.gz", &packed);
    assert_eq!(folder.open("a.tar.gz").expect("whole").len(), 2);

    // In a header, in a text, in an image, between two members.
    let between = tar(&members[..2]).len() - 1024;
    for length in [100, 600, 1024 + 512 + 100, between, whole.len() - 1100] {
        let message = refused("a.tar", &whole[..length]);
        assert!(
            message.starts_with("a.tar: not a whole tar archive: "),
            "{message}"
        );
        assert!(
            message.ends_with("; make or download it again"),
            "{message}"
        );
    }
    for length in [5, packed.len() / 2, packed.len() - 4] {
        refused("a.tar.gz", &packed[..length]);
    }
    refused("a.tar.gz", &gzip(&whole[..between]));
    refused("a.tar", b"no archive at all");
}

#[test]
fn a_shard_names_the_sample_that_lacks_its_text() {
    let folder = Folder::new();
    folder.write("a.tar", tar(&[("x/7.png", &image("rgb-square.png"))]));
    let error = folder.open("a.tar").expect_err("refused");
    let expected = "a.tar: sample `x/7`: the shard holds its images but no x/7.json";
    assert_eq!(folder.message(&error), expected);

    folder.write("a.tar", tar(&[("x/7.json", b"{\n\"id\": }")]));
    let error = folder.open("a.tar").expect_err("refused");
    assert_eq!(folder.message(&error), "a.tar/x/7.json:2:7: expected value");
}

pub(super) fn encoder() -> SampleEncoder {
    SampleEncoder {
        tokenizer: LLAMA.clone(),
        template: Template::named("v1").expect("a template"),
        image_position: ImagePosition::AsData,
        seed: 0,
        images: 16.into(),
        max_tokens: 2048,
    }
}

pub(super) fn processor() -> ImageProcessor {
    ImageProcessor::bicubic(8, Resize::Crop, [0.5; 3], [0.5; 3])
}
