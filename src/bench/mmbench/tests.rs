use std::collections::BTreeMap;
use std::fs;
use std::io::Read;

use flate2::read::DeflateDecoder;
use menagerie_core::benchmark::ItemImage;
use menagerie_core::serde_json::{Map, Value};

use super::*;
use crate::bench::testing::values;

/// A row of a table: index, right letter and what is said, by options that are moved already.
struct Said<'s> {
    index: u64,
    truth: &'s str,
    answer: &'s str,
    fields: Map<String, Value>,
}

impl<'s> Said<'s> {
    fn new(
        index: u64,
        truth: &'s str,
        answer: &'s str,
        options: &Value,
        abilities: [&str; 2],
    ) -> Self {
        let fields = json!({
            row::GROUP: (index % row::SHIFTED).to_string(),
            row::SHIFT: index / row::SHIFTED,
            row::OPTIONS: options,
            row::BARE: "which?",
            "l2-category": abilities[0],
            "category": abilities[1],
        });
        let fields = fields.as_object().cloned().unwrap_or_default();
        Self {
            index,
            truth,
            answer,
            fields,
        }
    }
}

fn with_marked<T>(
    mmbench: &Mmbench,
    said: &[Said<'_>],
    then: impl FnOnce(&[Marked<'_>]) -> T,
) -> T {
    let turns = [Turn::human("<image>\nwhich?")];
    let ids: Vec<_> = said.iter().map(|said| said.index.to_string()).collect();
    let marked = said.iter().zip(&ids).map(|(said, id)| {
        let question = Question::new(id, &turns, said.truth).with_fields(&said.fields);
        let answer = Answer::new(said.answer);
        let mark = mmbench.mark(&question, &answer);
        Marked::new(question, answer, mark, mmbench.fault(&question, &answer))
    });
    then(&marked.collect::<Vec<_>>())
}

#[test]
fn it_keeps_the_contract() {
    menagerie_core::testing::check_benchmark(Mmbench::NAME);
}

#[test]
fn a_question_is_right_if_all_its_shifts_are() {
    let options = json!({ "A": "cat", "B": "dog" });
    let said = |index, truth, answer, ability| Said::new(index, truth, answer, &options, ability);
    let scene = ["coarse_perception", "image_scene"];
    let style = ["coarse_perception", "image_style"];
    let said = [
        said(1, "A", "A", scene),
        said(2, "B", "B. dog", style),
        said(1_000_001, "B", "the dog", scene),
        said(1_000_002, "A", "B", style),
    ];
    let mmbench = Mmbench::default();
    with_marked(&mmbench, &said, |marked| {
        assert_eq!(mmbench.total(marked), 0.5);
        let figures = mmbench.figures(marked);
        let names: Vec<_> = figures
            .iter()
            .map(|figure| (figure.name.as_str(), figure.count))
            .collect();
        let expected = [
            ("circular accuracy", 2),
            ("single-pass accuracy", 2),
            ("l2-category: coarse_perception", 2),
            ("category: image_scene", 1),
            ("category: image_style", 1),
        ];
        assert_eq!(names, expected);
        let figures: Vec<_> = figures.iter().map(|figure| figure.value).collect();
        assert_eq!(figures, [50.0, 100.0, 50.0, 100.0, 0.0]);
    });
    let single = Mmbench {
        circular: false,
        ..Mmbench::default()
    };
    with_marked(&single, &said[..2], |marked| {
        assert_eq!(single.total(marked), 1.0);
        assert_eq!(
            single.figures(marked)[0],
            Figure::percent("accuracy", 1.0, 2)
        );
    });
}

#[test]
fn why_an_answer_names_no_option() {
    let options = json!({ "A": "cat", "B": "dog" });
    let mmbench = Mmbench::default();
    for (answer, fault) in [
        ("A", None),
        ("B.", None),
        ("a Dog", None),
        ("It is (A), no more to say", Some("no option")),
        (" ", Some("empty")),
        ("Cannot determine the answer", Some("refusal")),
        ("I'm sorry, no.", Some("no option")),
        ("Z", Some("no option")),
        ("A or B", Some("several options")),
        ("cat, dog", Some("several options")),
        ("E.", Some("letter out of range")),
        ("b", Some("no option")),
    ] {
        let said = [Said::new(1, "A", answer, &options, ["", ""])];
        with_marked(&mmbench, &said, |marked| {
            assert_eq!(marked[0].fault, fault, "`{answer}`");
        });
    }
}

/// Where the truth is the server's alone, there is no accuracy to report.
#[test]
fn without_truths_it_counts_what_it_can_read() {
    let options = json!({ "A": "cat", "B": "dog" });
    let said = ["A", "?"].map(|answer| Said::new(1, "", answer, &options, ["", ""]));
    with_marked(&Mmbench::default(), &said, |marked| {
        let figures = Mmbench::default().figures(marked);
        assert_eq!(figures, [Figure::percent("answers read", 0.5, 2)]);
    });
}

/// Of `tests/fixtures/bench/mmbench`.
#[derive(Deserialize)]
struct Cases {
    reading: Vec<(Value, String, Option<String>)>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    rows: Vec<Row>,
    hits: BTreeMap<u64, u8>,
    report: BTreeMap<String, f64>,
    single: f64,
}

#[derive(Deserialize)]
struct Row {
    index: u64,
    answer: String,
    prediction: String,
    category: String,
    #[serde(rename = "l2-category")]
    ability: String,
    options: Value,
}

#[test]
fn readings_and_shares_are_vlmevalkit_s() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/bench/mmbench/cases.json"
    );
    let text = fs::read_to_string(path).expect("cases");
    let cases: Cases = serde_json::from_str(&text).expect("cases");
    assert!(cases.reading.len() > 100 && cases.cases.len() > 100);
    for (options, answer, expected) in &cases.reading {
        let fields = json!({ row::OPTIONS: options });
        let fields = fields.as_object().expect("an object");
        let question = Question::new("1", &[], "").with_fields(fields);
        let read = Options::of(&question).read(answer).ok();
        // There Z is an answer of its own, which is never right.
        let expected = expected.as_deref().filter(|letter| *letter != "Z");
        assert_eq!(
            read.map(String::from).as_deref(),
            expected,
            "`{answer}` of {options}"
        );
    }
    let mmbench = Mmbench::default();
    for case in &cases.cases {
        let said = case.rows.iter().map(|row| {
            let abilities = [row.ability.as_str(), row.category.as_str()];
            Said::new(
                row.index,
                &row.answer,
                &row.prediction,
                &row.options,
                abilities,
            )
        });
        let said: Vec<_> = said.collect();
        with_marked(&mmbench, &said, |marked| {
            for (index, hit) in &case.hits {
                let group = index.to_string();
                let of = |answer: &&Marked<'_>| answer.question.word(row::GROUP) == group;
                let group: Vec<_> = marked.iter().filter(of).copied().collect();
                assert_eq!(mmbench.total(&group), f64::from(*hit), "{index}");
            }
            let values = values(mmbench.figures(marked));
            let close = |name: &str, expected: f64| {
                assert!((values[name] - 100.0 * expected).abs() < 1e-9, "{name}");
            };
            close("single-pass accuracy", case.single);
            for (name, share) in &case.report {
                let names = ["l2-category", "category"].map(|kind| format!("{kind}: {name}"));
                let known = names.iter().find(|name| values.contains_key(*name));
                close(known.map_or("circular accuracy", |name| name), *share);
            }
        });
    }
}

/// Two pixels would do; what matters is that it is longer than an index.
fn picture() -> (String, Vec<u8>) {
    let bytes: Vec<u8> = (0..90).collect();
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &bytes);
    (text, bytes)
}

fn read(mmbench: &Mmbench, table: &str) -> Result<Vec<Item>, FilesError> {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("mmbench_dev.tsv"), table).expect("written");
    let paths = [folder.path().to_owned()];
    mmbench
        .read(&Files::new(&paths, None))
        .expect("files of its own")
}

#[test]
fn a_table_is_read_with_its_quotes_and_shared_images() {
    let (image, bytes) = picture();
    let table = format!(
        "index\tquestion\thint\tA\tB\tC\tanswer\tcategory\tl2-category\timage\tsplit\n\
         7\t\"What is \"\"this\"\"?\n\tA thing\"\tLook.\ta 5\" pipe\tnan\tdog\tC\tc\tl\t{image}\tdev\r\n\
         1000007\twhat?\t\tdog\t\ta pipe\tA\tc\tl\t7\tdev\n\
         9\tone?\t\tyes\tno\t\tB\tc\tl\t{image}\ttest\n"
    );
    let items = read(&Mmbench::default(), &table).expect("items");
    let ids: Vec<_> = items.iter().map(|item| item.id.as_str()).collect();
    // There are shifted rows in the table, so none is made.
    assert_eq!(ids, ["7", "1000007", "9"]);
    let asked = "<image>\nLook.\nWhat is \"this\"?\n\tA thing\nA. a 5\" pipe\nC. dog";
    assert_eq!(items[0].turns[0].text, asked);
    assert_eq!(items[1].turns[0].text, "<image>\nwhat?\nA. dog\nC. a pipe");
    assert_eq!(items[1].truth, "A");
    assert_eq!(items[1].fields[row::GROUP], "7");
    for item in &items {
        let [ItemImage::Bytes { bytes: read, .. }] = &item.images[..] else {
            panic!("an image of bytes");
        };
        assert_eq!(read[..], bytes);
    }
    let question = Question::new("9", &items[2].turns, "B");
    let last = "Answer with the option's letter from the given choices directly.";
    let asked = Mmbench::default().ask(&question);
    assert_eq!(
        asked[0].text,
        format!("<image>\none?\nA. yes\nB. no\n{last}")
    );

    let single =
        serde_json::from_value(json!({ "circular": false, "split": "dev", "language": "cn" }));
    let single: Mmbench = single.expect("options");
    let items = read(&single, &table).expect("items");
    assert_eq!(items.len(), 1);
    let question = Question::new("7", &items[0].turns, "C");
    assert!(
        single.ask(&question)[0]
            .text
            .ends_with("\nC. dog\n请直接回答选项字母。")
    );
}

#[test]
fn a_table_without_shifts_is_shifted_as_the_published_are() {
    let (image, _) = picture();
    let table =
        format!("index\tquestion\tA\tB\tC\tanswer\timage\n5\twhich?\tx\ty\tz\tB\t{image}\n");
    let items = read(&Mmbench::default(), &table).expect("items");
    let shown = items.iter().map(|item| {
        let asked = item.turns[0]
            .text
            .replace("<image>\nwhich?\n", "")
            .replace('\n', " ");
        (item.id.as_str(), asked, item.truth.as_str())
    });
    let expected = [
        ("5", "A. x B. y C. z".to_owned(), "B"),
        ("1000005", "A. z B. x C. y".to_owned(), "C"),
        ("2000005", "A. y B. z C. x".to_owned(), "A"),
    ];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
}

/// Rounds of `--all-rounds` move the options the other way.
#[test]
fn llava_s_answers_go_to_their_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("answers.jsonl");
    let round = |round: u64| json!({ "question_id": 5, "round_id": round, "text": "A", "options": ["x", "y", "z"] });
    let lines = [
        round(0),
        round(1),
        round(2),
        json!({ "question_id": 1_000_007, "text": "B" }),
        json!({ "question_id": u64::MAX, "round_id": 1, "text": "A", "options": ["x", "y"] }),
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(&path, text).expect("written");
    let read = Mmbench::default().predictions(&path).expect("answers");
    let ids: Vec<_> = read.iter().map(|said| said.id.as_str()).collect();
    let beyond = u64::MAX.to_string();
    assert_eq!(ids, ["5", "2000005", "1000005", "1000007", beyond.as_str()]);
    fs::write(&path, round(3).to_string()).expect("written");
    let message = Mmbench::default()
        .predictions(&path)
        .unwrap_err()
        .to_string();
    assert!(
        message.ends_with(":1: a line with a `round_id` has more `options` than that"),
        "{message}"
    );
}

#[test]
fn what_is_wrong_with_a_table_is_said() {
    let (image, _) = picture();
    let names = "index\tquestion\tA\tB\tanswer\timage\n";
    for (table, expected) in [
        (String::new(), ":1: the table is empty"),
        (
            format!("{names}5\twhich?\tx\ty\tB\n"),
            ":2: a row of 5 fields under 6 names",
        ),
        (
            format!("{names}5\t\"which?\tx\ty\tB\t{image}\n"),
            ":2: a quote begins in this row",
        ),
        (
            format!("{names}5\twhich?\tx\ty\tC\t{image}\n"),
            ":2: the answer `C` is no option's letter",
        ),
        (
            format!("{names}5\twhich?\tx\t\tA\t{image}\n"),
            ":2: a question has two options or more",
        ),
        (
            format!("{names}five\t?\tx\ty\tA\t{image}\n"),
            ":2: the index `five` is no whole number",
        ),
        (
            format!("{names}5\t\"a\nb\"\tx\ty\tA\t{image}\n6\t?\tx\ty\tA\t4\n"),
            ":4: the image is row 4's",
        ),
        (
            format!("{names}5\t?\tx\ty\tA\t{image}?\n"),
            ":2: the image is not in base64",
        ),
        (
            format!("index\tA\tB\timage\n5\tx\ty\t{image}\n"),
            ":2: there is no `question`; the table has index, A, B",
        ),
    ] {
        let message = read(&Mmbench::default(), &table).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

/// The files of an archive whose members are deflated, each with its name.
fn unpacked(bytes: &[u8]) -> BTreeMap<String, String> {
    let number = |place: usize, length: usize| {
        let bytes = &bytes[place..place + length];
        bytes
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | usize::from(*byte))
    };
    let end = bytes.len() - 22;
    assert_eq!(&bytes[end..end + 4], b"PK\x05\x06");
    let (count, mut entry) = (number(end + 10, 2), number(end + 16, 4));
    let mut files = BTreeMap::new();
    for _ in 0..count {
        assert_eq!(&bytes[entry..entry + 4], b"PK\x01\x02");
        let (packed, size) = (number(entry + 20, 4), number(entry + 24, 4));
        let (name, file) = (number(entry + 28, 2), number(entry + 42, 4));
        // The same is stated where the file begins.
        assert_eq!(bytes[entry + 6..entry + 32], bytes[file + 4..file + 30]);
        let data = file + 30 + name;
        let mut text = String::new();
        let mut decoder = DeflateDecoder::new(&bytes[data..data + packed]);
        decoder.read_to_string(&mut text).expect("a text");
        let mut crc = flate2::Crc::new();
        crc.update(text.as_bytes());
        assert_eq!(number(entry + 16, 4), crc.sum() as usize);
        assert_eq!(text.len(), size);
        let name = String::from_utf8_lossy(&bytes[file + 30..data]).into_owned();
        files.insert(name, text);
        entry += 46 + number(entry + 28, 2);
    }
    assert_eq!(entry, end);
    files
}

#[test]
fn the_sheet_has_a_row_an_answer() {
    let options = json!({ "A": "x < y", "B": "\"5\" & more" });
    let said = [
        Said::new(7, "A", "A\u{b}\n", &options, ["l", "c"]),
        Said::new(1_000_007, "B", "", &options, ["l", "c"]),
    ];
    let files = with_marked(&Mmbench::default(), &said, |marked| {
        Mmbench::default().submission(marked)
    });
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].name.to_str(), Some("mmbench.xlsx"));
    let parts = unpacked(&files[0].bytes);
    assert_eq!(parts.len(), 5);
    let text = |place: &str, text: &str| {
        format!(r#"<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>"#)
    };
    let names = [
        "index",
        "question",
        "A",
        "B",
        "C",
        "D",
        "prediction",
        "category",
        "l2-category",
        "split",
    ];
    let names = ('A'..)
        .zip(names)
        .map(|(column, name)| text(&format!("{column}1"), name));
    let row = |number: usize, index: u64, answer: &str| {
        let cell = |column: char, what: &str| text(&format!("{column}{number}"), what);
        let cells = [
            format!(r#"<c r="A{number}"><v>{index}</v></c>"#),
            cell('B', "which?"),
            cell('C', "x &lt; y"),
            cell('D', "\"5\" &amp; more"),
            answer.to_owned(),
            cell('H', "c"),
            cell('I', "l"),
        ];
        format!(r#"<row r="{number}">{}</row>"#, cells.concat())
    };
    let sheet = &parts["xl/worksheets/sheet1.xml"];
    let rows = sheet.split_once("<sheetData>").expect("rows").1;
    let expected = [
        format!(r#"<row r="1">{}</row>"#, names.collect::<String>()),
        row(2, 7, &text("G2", "A \n")),
        row(3, 1_000_007, ""),
    ];
    assert_eq!(rows, expected.concat() + "</sheetData></worksheet>");
}
