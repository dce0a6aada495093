use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use menagerie_core::serde_json::{Map, json};

use super::*;
use crate::bench::testing::values;

/// Two questions an image, each with what is said.
type Said<'s> = Vec<(Task, &'s str, [&'s str; 2])>;

fn question(
    task: Task,
    image: &str,
    number: usize,
) -> (String, Vec<Turn>, Map<String, serde_json::Value>) {
    let text = format!("<image>\nis it {number}? Please answer yes or no.");
    let fields = json!({ "task": task.name(), "image": image });
    let fields = fields.as_object().cloned().unwrap_or_default();
    (format!("{image} {number}"), vec![Turn::human(text)], fields)
}

/// What `mme` makes of answers to pairs of questions, the first of which is to be answered with yes.
fn with_marked<T>(mme: &Mme, said: &Said<'_>, then: impl FnOnce(&[Marked<'_>]) -> T) -> T {
    let asked: Vec<_> = said
        .iter()
        .flat_map(|(task, image, answers)| {
            (0..2).map(|number| (question(*task, image, number), number, answers[number]))
        })
        .collect();
    let marked: Vec<_> = asked
        .iter()
        .map(|((id, turns, fields), number, answer)| {
            let question = Question::new(id, turns, ["Yes", "No"][*number]).with_fields(fields);
            let answer = Answer::new(answer);
            let mark = mme.mark(&question, &answer);
            Marked::new(question, answer, mark, mme.fault(&question, &answer))
        })
        .collect();
    then(&marked)
}

#[test]
fn it_keeps_the_contract() {
    menagerie_core::testing::check_benchmark(Mme::NAME);
}

#[test]
fn accuracy_and_accuracy_plus_by_hand() {
    let said = vec![
        (Task::Existence, "a.jpg", ["Yes", "no."]),
        (Task::Existence, "b.jpg", ["yes, there is", "Yes"]),
        (Task::Existence, "c.jpg", ["", "I cannot tell"]),
        (Task::Ocr, "a.jpg", ["YES", "No"]),
        (Task::CodeReasoning, "a.png", ["no", "no"]),
    ];
    with_marked(&Mme::default(), &said, |marked| {
        let figures = Mme::default().figures(marked);
        let names: Vec<_> = figures.iter().map(|figure| figure.name.as_str()).collect();
        assert_eq!(
            names[..4],
            [
                "perception (2 of 10 tasks)",
                "cognition (1 of 4 tasks)",
                "existence",
                "existence acc"
            ]
        );
        let values = values(figures);
        let close = |name: &str, expected: f64| {
            let value = values[name];
            assert!((value - expected).abs() < 1e-9, "{name}: {value}");
        };
        // Three of six answers, one of three images.
        close("existence acc", 50.0);
        close("existence acc+", 100.0 / 3.0);
        close("existence", 50.0 + 100.0 / 3.0);
        close("perception (2 of 10 tasks)", 250.0 + 100.0 / 3.0);
        close("cognition (1 of 4 tasks)", 50.0);
        let share = (300.0 + 100.0 / 3.0) / 600.0;
        assert!((Mme::default().total(marked) - share).abs() < 1e-12);
        let faults: Vec<_> = marked.iter().filter_map(|answer| answer.fault).collect();
        assert_eq!(faults, ["empty", "neither yes nor no"]);
    });
}

#[test]
fn all_fourteen_right_are_2000_and_800_points() {
    let said = Task::ALL
        .map(|task| (task, "a.jpg", ["Yes", "No"]))
        .to_vec();
    with_marked(&Mme::default(), &said, |marked| {
        let values = values(Mme::default().figures(marked));
        assert_eq!(values["perception"], 2000.0);
        assert_eq!(values["cognition"], 800.0);
        assert_eq!(Mme::default().total(marked), 1.0);
    });
}

/// Of `tests/fixtures/bench/mme`.
#[derive(Deserialize)]
struct Cases {
    reading: Vec<(String, String)>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    answers: BTreeMap<String, Vec<[usize; 2]>>,
    perception: f64,
    cognition: f64,
    scores: BTreeMap<String, f64>,
}

#[test]
fn readings_and_scores_are_the_official_script_s() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/bench/mme/cases.json"
    );
    let text = fs::read_to_string(path).expect("cases");
    let cases: Cases = serde_json::from_str(&text).expect("cases");
    assert!(cases.reading.len() > 100 && cases.cases.len() > 100);
    for (answer, expected) in &cases.reading {
        let said = match yes_or_no(answer) {
            Some(true) => "yes",
            Some(false) => "no",
            None => "other",
        };
        assert_eq!(said, expected, "`{answer}`");
    }
    for case in &cases.cases {
        let images: Vec<String> = (0..3).map(|number| format!("{number}.jpg")).collect();
        let said = case.answers.iter().flat_map(|(task, answers)| {
            let task = Task::named(task).expect("a task");
            let answer = |place: usize| cases.reading[place].0.as_str();
            let pairs = answers.iter().zip(&images);
            pairs.map(move |(pair, image)| (task, image.as_str(), pair.map(answer)))
        });
        with_marked(&Mme::default(), &said.collect(), |marked| {
            let values = values(Mme::default().figures(marked));
            let close = |name: &str, expected: f64| {
                assert!((values[name] - expected).abs() < 1e-9, "{name}");
            };
            close("perception", case.perception);
            close("cognition", case.cognition);
            for (task, score) in &case.scores {
                close(task, *score);
            }
        });
    }
}

/// A folder in which two tasks have the two layouts that are published.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("written");
    };
    let pair =
        "Is it red? Please answer yes or no.\tYes\nIs it blue?  Please answer yes or no.\tNo";
    write("existence/000.txt", pair);
    write("existence/000.jpg", "");
    write("scene/questions_answers_YN/b.txt", &format!("{pair}\r\n"));
    write("scene/questions_answers_YN/a.txt", pair);
    write("scene/images/a.PNG", "");
    folder
}

fn two() -> Mme {
    let options = json!({ "tasks": ["existence", "scene"], "ending": "llava" });
    serde_json::from_value(options).expect("options")
}

fn read(mme: &Mme, folder: &Path) -> Result<Vec<Item>, FilesError> {
    let paths = [folder.to_owned()];
    mme.read(&Files::new(&paths, None))
        .expect("files of its own")
}

#[test]
fn both_layouts_are_read() {
    let folder = folder();
    let items = read(&two(), folder.path()).expect("items");
    let ids: Vec<_> = items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "existence/000: Is it red?",
            "existence/000: Is it blue?",
            "scene/a: Is it red?",
            "scene/a: Is it blue?",
            "scene/b: Is it red?",
            "scene/b: Is it blue?",
        ]
    );
    let images = items.iter().step_by(2).map(|item| item.images[0].clone());
    let expected = [
        "existence/000.jpg",
        "scene/images/a.PNG",
        "scene/images/b.jpg",
    ];
    let expected =
        expected.map(|name| menagerie_core::benchmark::ItemImage::File(folder.path().join(name)));
    assert_eq!(images.collect::<Vec<_>>(), expected);
    let item = &items[1];
    assert_eq!(
        (item.truth.as_str(), item.fields["image"].as_str()),
        ("No", Some("000.jpg"))
    );
    let question = Question::new(&item.id, &item.turns, &item.truth);
    let asked = Mme::default().ask(&question);
    assert_eq!(
        asked[0].text,
        "<image>\nIs it blue?  Please answer yes or no."
    );
    let asked = two().ask(&question);
    let llava = "<image>\nIs it blue?\nAnswer the question using a single word or phrase.";
    assert_eq!(asked[0].text, llava);
}

#[test]
fn what_is_wrong_with_a_folder_is_said() {
    let folder = folder();
    let message = read(&Mme::default(), folder.path())
        .unwrap_err()
        .to_string();
    assert!(message.starts_with("there is no `count` in "), "{message}");
    let file = folder.path().join("existence/000.txt");
    for (text, expected) in [
        (
            "Is it?\tYes",
            "000.txt:1: an image has two questions, and this one has 1",
        ),
        (
            "Is it?\tYes\nIs it not?\tMaybe",
            "000.txt:2: the answer `Maybe` is neither Yes nor No",
        ),
        (
            "Is it?\nIs it not?\tNo",
            "000.txt:1: a line is a question, a tab and its answer",
        ),
    ] {
        fs::write(&file, text).expect("written");
        let message = read(&two(), folder.path()).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}

/// Files that others wrote name questions in other ways, and all mean the same ones.
#[test]
fn answers_in_every_form_go_to_their_questions() {
    let folder = folder();
    let mme = two();
    let ids: Vec<_> = read(&mme, folder.path())
        .expect("items")
        .into_iter()
        .map(|item| item.id)
        .collect();
    let lines = folder.path().join("llava.jsonl");
    let line = |image: &str, color: &str| {
        let prompt = format!("Is it {color}?\nAnswer the question using a single word or phrase.");
        let line =
            json!({ "question_id": image, "prompt": prompt, "text": color, "answer_id": "x" });
        format!("{line}\n")
    };
    let images = [
        "existence/000.jpg",
        "scene/images/a.png",
        "scene/images/b.jpg",
    ];
    let text: String = images
        .iter()
        .flat_map(|image| [line(image, "red"), line(image, "blue")])
        .collect();
    fs::write(&lines, text).expect("written");
    let said = mme.predictions(&lines).expect("answers");
    let expected = ids.iter().zip(["red", "blue"].into_iter().cycle());
    let expected: Vec<_> = expected
        .map(|(id, said)| Prediction::new(id, said))
        .collect();
    assert_eq!(said, expected);

    let by_id = folder.path().join("own.jsonl");
    fs::write(&by_id, json!({ "id": ids[0], "answer": "yes" }).to_string()).expect("written");
    assert_eq!(
        mme.predictions(&by_id).expect("answers"),
        [Prediction::new(&ids[0], "yes")]
    );
}

#[test]
fn what_is_handed_in_reads_back_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    // In another order than the images', and with what a line cannot have in it.
    let said = vec![
        (Task::Ocr, "b.jpg", ["Yes\tor\nno", "No"]),
        (Task::Ocr, "a.jpg", ["", "no, it is not"]),
        (Task::Count, "b.jpg", ["Yes", "No"]),
    ];
    let files = with_marked(&Mme::default(), &said, |marked| {
        Mme::default().submission(marked)
    });
    let names: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
    let expected = ["Your_Results/count.txt", "Your_Results/OCR.txt"];
    assert_eq!(names, expected.map(PathBuf::from));
    assert_eq!(
        String::from_utf8_lossy(&files[1].bytes),
        "a.jpg\tis it 0? Please answer yes or no.\tYes\t\n\
         a.jpg\tis it 1? Please answer yes or no.\tNo\tno, it is not\n\
         b.jpg\tis it 0? Please answer yes or no.\tYes\tYes or no\n\
         b.jpg\tis it 1? Please answer yes or no.\tNo\tNo\n"
    );
    for file in &files {
        let path = folder.path().join(&file.name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, &file.bytes).expect("written");
    }
    let read = Mme::default()
        .predictions(&folder.path().join("Your_Results"))
        .expect("answers");
    let read: Vec<_> = read
        .iter()
        .map(|said| (said.id.as_str(), said.answer.as_str()))
        .collect();
    assert_eq!(read[0], ("count/b: is it 0?", "Yes"));
    assert_eq!(read[3], ("OCR/a: is it 1?", "no, it is not"));
    let empty = Mme::default()
        .predictions(folder.path())
        .unwrap_err()
        .to_string();
    assert!(
        empty.starts_with("there is no `existence.txt` in "),
        "{empty}"
    );
}
