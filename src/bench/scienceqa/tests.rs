use std::collections::BTreeMap;
use std::fs;

use menagerie_core::benchmark::ItemImage;
use menagerie_core::serde_json::{Map, json};
use problem::Problem;

use super::*;
use crate::bench::testing::values;

#[test]
fn it_keeps_the_contract() {
    menagerie_core::testing::check_benchmark(ScienceQa::NAME);
}

#[test]
fn answers_are_read_in_three_forms() {
    for (answer, read) in [
        ("B", Ok("B")),
        ("B. the Atlantic", Ok("B")),
        ("Fish swim. The answer is B. BECAUSE: they do.", Ok("B")),
        ("The answer is X.", Ok("X")),
        ("", Err("empty")),
        (" ", Err("empty")),
        ("b", Err("no answer")),
        ("(B)", Err("no answer")),
        ("B.", Err("no answer")),
        ("F", Err("no answer")),
        ("The answer is B", Err("no answer")),
        ("The answer is B\n.", Err("no answer")),
        ("I'm sorry, I cannot help with that.", Err("no answer")),
        ("The answer is A. The answer is A.", Err("several answers")),
    ] {
        let said = Letter::read(answer).map(|letter| letter.to_string());
        assert_eq!(said.as_deref(), read.as_deref(), "`{answer}`");
    }
}

/// Of `tests/fixtures/bench/scienceqa`.
#[derive(Deserialize)]
struct Cases {
    problems: BTreeMap<String, Problem>,
    formats: BTreeMap<String, Vec<[String; 2]>>,
    answers: BTreeMap<String, String>,
    read: BTreeMap<String, String>,
    results: Map<String, Value>,
    accuracy: f64,
    image_accuracy: f64,
    scores: BTreeMap<String, String>,
    model: BTreeMap<String, String>,
    second: BTreeMap<String, String>,
    judge: BTreeMap<String, String>,
    judged: BTreeMap<String, i64>,
    complement: BTreeMap<String, f64>,
    upper: usize,
}

fn cases() -> Cases {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/bench/scienceqa/cases.json"
    );
    let text = fs::read_to_string(path).expect("cases");
    serde_json::from_str(&text).expect("cases")
}

/// Two problems, of which the second has a hint and an image.
fn two_problems() -> Cases {
    let first = Problem {
        question: "Which is it?".to_owned(),
        choices: vec!["a cat".to_owned(), "a dog".to_owned()],
        lecture: "Cats purr.".to_owned(),
        solution: "It purrs.".to_owned(),
        split: "test".to_owned(),
        ..Problem::default()
    };
    let second = Problem {
        hint: "Look.".to_owned(),
        image: Some("image.png".to_owned()),
        answer: 1,
        ..first.clone()
    };
    let said = |answers: [&str; 2]| {
        let ids = ["1", "2"].map(str::to_owned);
        ids.into_iter().zip(answers.map(str::to_owned)).collect()
    };
    Cases {
        problems: [("1".to_owned(), first), ("2".to_owned(), second)].into(),
        model: said(["A", "The answer is A."]),
        second: said(["I cannot see it.", "The answer is B."]),
        ..cases()
    }
}

/// The fixture's problems in a folder as they are published, with a file of the second model's answers.
fn folder(cases: &Cases) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, value: Value| {
        fs::write(folder.path().join(name), value.to_string()).expect("written");
    };
    let problems = cases.problems.iter().map(|(id, problem)| {
        let problem = json!({
            "question": problem.question, "choices": problem.choices, "answer": problem.answer,
            "hint": problem.hint, "image": problem.image, "grade": problem.grade, "skill": "",
            "subject": problem.subject, "topic": problem.topic, "lecture": problem.lecture,
            "solution": problem.solution, "split": problem.split,
        });
        (id.clone(), problem)
    });
    write("problems.json", problems.collect::<Map<_, _>>().into());
    let ids: Vec<_> = cases.problems.keys().collect();
    write(
        "pid_splits.json",
        json!({ "test": ids, "minitest": ids[..2] }),
    );
    write("gpt4.json", json!({ "outputs": cases.second }));
    write(
        "captions.json",
        json!({ "captions": { (ids[0]): "A map of it." } }),
    );
    folder
}

fn items(scienceqa: &ScienceQa, folder: &Path) -> Vec<Item> {
    let paths = [folder.to_owned()];
    let items = scienceqa
        .read(&Files::new(&paths, None))
        .expect("files of its own");
    items.expect("items")
}

/// What a benchmark makes of answers to the items that it reads.
fn with_marked<T>(
    scienceqa: &ScienceQa,
    items: &[Item],
    answers: &BTreeMap<String, String>,
    reviews: &BTreeMap<String, String>,
    then: impl FnOnce(&[Marked<'_>]) -> T,
) -> T {
    let marked = items.iter().map(|item| {
        let question = Question::new(&item.id, &item.turns, &item.truth).with_fields(&item.fields);
        let review = reviews.get(&item.id).map(String::as_str);
        let answer = Answer::new(&answers[&item.id]).reviewed(review);
        let mark = scienceqa.mark(&question, &answer);
        Marked::new(question, answer, mark, scienceqa.fault(&question, &answer))
    });
    then(&marked.collect::<Vec<_>>())
}

#[test]
fn readings_and_accuracies_are_the_original_scripts() {
    let cases = cases();
    assert!(cases.answers.len() > 100);
    let folder = folder(&cases);
    let scienceqa = ScienceQa::default();
    let items = items(&scienceqa, folder.path());
    for (id, expected) in &cases.read {
        let answer = &cases.answers[id];
        let read = Letter::read(answer).map_or("FAILED".to_owned(), |letter| letter.to_string());
        assert_eq!(&read, expected, "`{answer}`");
    }
    with_marked(
        &scienceqa,
        &items,
        &cases.answers,
        &BTreeMap::new(),
        |marked| {
            let values = values(scienceqa.figures(marked));
            assert!((values["accuracy"] - cases.accuracy).abs() < 1e-9);
            let two_places = |value: f64| format!("{value:.2}");
            assert_eq!(two_places(values["IMG"]), two_places(cases.image_accuracy));
            for (ours, theirs) in [
                ("NAT", "acc_natural"),
                ("SOC", "acc_social"),
                ("LAN", "acc_language"),
                ("TXT", "acc_has_text"),
                ("IMG", "acc_has_image"),
                ("NO", "acc_no_context"),
                ("G1-6", "acc_grade_1_6"),
                ("G7-12", "acc_grade_7_12"),
                ("accuracy", "acc_average"),
            ] {
                assert_eq!(two_places(values[ours]), cases.scores[theirs], "{ours}");
            }
            let [file] = &scienceqa.submission(marked)[..] else {
                panic!("one file");
            };
            assert_eq!(file.name, PathBuf::from("results.json"));
            let written: Value = serde_json::from_slice(&file.bytes).expect("JSON");
            for (id, place) in &cases.results {
                // A letter beyond the choices is wrong for both; LLaVA's script calls it none.
                let place = place.as_i64().filter(|place| *place >= 0);
                let choices = cases.problems[id].choices.len();
                let ours = written["results"][id].as_i64();
                let ours =
                    ours.filter(|ours| usize::try_from(*ours).is_ok_and(|ours| ours < choices));
                assert_eq!(ours, place, "{id}");
                assert_eq!(written["outputs"][id], json!(cases.answers[id]));
            }
        },
    );
}

#[test]
fn two_models_and_a_judge_as_in_the_original_scripts() {
    let cases = cases();
    let folder = folder(&cases);
    let file = folder.path().join("gpt4.json");
    let complement = ScienceQa {
        second: Some(Second::Complement(file.clone())),
        ..ScienceQa::default()
    };
    let questions = items(&complement, folder.path());
    assert!(!complement.judged());
    with_marked(
        &complement,
        &questions,
        &cases.model,
        &BTreeMap::new(),
        |marked| {
            for answer in marked {
                let id = answer.question.id;
                assert_eq!(answer.mark, cases.complement[id], "{id}");
                assert_eq!(
                    complement.review(&answer.question, answer.answer.text),
                    None
                );
            }
            let either = values(complement.figures(marked))["either of the two"];
            let upper = 100.0 * cases.upper as f64 / marked.len() as f64;
            assert!((either - upper).abs() < 1e-9);
        },
    );

    let judge = ScienceQa {
        second: Some(Second::Judge(file)),
        ..ScienceQa::default()
    };
    assert!(judge.judged());
    with_marked(&judge, &questions, &cases.model, &cases.judge, |marked| {
        for answer in marked {
            let id = answer.question.id;
            let place = i64::try_from(cases.problems[id].answer).expect("a place");
            let right = f64::from(u8::from(cases.judged[id] == place));
            assert_eq!(answer.mark, right, "{id}");
            let review = judge.review(&answer.question, answer.answer.text);
            assert_eq!(review.is_some(), cases.judge.contains_key(id), "{id}");
        }
    });
}

#[test]
fn formats_are_the_original_s() {
    let cases = cases();
    assert_eq!(cases.formats.len(), 3);
    for (name, samples) in &cases.formats {
        let format: Format = serde_json::from_value(json!(name)).expect("a format");
        assert_eq!(samples.len(), cases.problems.len());
        // They are in the order of the numbers.
        let mut problems: Vec<_> = cases.problems.iter().collect();
        problems.sort_by_key(|(id, _)| id.parse::<u32>().ok());
        for ((id, problem), [question, answer]) in problems.into_iter().zip(samples) {
            assert_eq!(&format.question(problem, None), question, "{name} {id}");
            let letter = Letter::at(problem.answer).expect("a letter");
            assert_eq!(&format.answer(problem, letter), answer, "{name} {id}");
        }
    }
}

#[test]
fn problems_become_conversations() {
    let folder = folder(&two_problems());
    let paths = [folder.path().to_owned()];
    let files = Files::new(&paths, None);
    let made = |format| conversations(&files, "minitest", format).expect("samples");
    let sample = |question: &str, answer: &str| json!([{ "from": "human", "value": question }, { "from": "gpt", "value": answer }]);
    let samples = made(Format::QcmLea);
    let question = "Which is it?\nContext: N/A\nOptions: (A) a cat (B) a dog";
    let first = json!({ "id": "1", "conversations": sample(question, "Cats purr. It purrs. The answer is A.") });
    assert_eq!(samples[0], first);
    let question = "Which is it?\nContext: Look.\nOptions: (A) a cat (B) a dog\n<image>";
    let second = json!({
        "id": "2", "image": "2/image.png", "conversations": sample(question, "Cats purr. It purrs. The answer is B."),
    });
    assert_eq!(samples[1], second);
    let question = "<image>\nContext: Look.\nWhich is it?\nA. a cat\nB. a dog";
    assert_eq!(
        made(Format::CqmA)[1]["conversations"],
        sample(question, "B")
    );
    let message = conversations(&files, "all", Format::QcmA)
        .unwrap_err()
        .to_string();
    assert!(message.contains("there is no such split"), "{message}");
}

#[test]
fn a_letter_is_asked_for_as_llava_1_5_was() {
    let folder = folder(&two_problems());
    fs::create_dir_all(folder.path().join("images/test/2")).expect("a folder");
    let image = folder.path().join("images/test/2/image.png");
    fs::write(&image, "").expect("written");
    let mini = |options: Value| -> ScienceQa {
        let mut options = options;
        options["split"] = "minitest".into();
        serde_json::from_value(options).expect("options")
    };
    let text = |item: &Item| item.turns[0].text.clone();
    let plain = items(&mini(json!({})), folder.path());
    assert_eq!(
        text(&plain[0]),
        "Which is it?\nA. a cat\nB. a dog\nAnswer with the option's letter from the given choices directly."
    );
    assert_eq!(
        text(&plain[1]),
        "<image>\nContext: Look.\nWhich is it?\nA. a cat\nB. a dog\nAnswer with the option's letter \
         from the given choices directly."
    );
    assert_eq!(plain[1].images, [ItemImage::File(image)]);
    let captions = folder.path().join("captions.json");
    let lea = items(
        &mini(json!({ "format": "QCM-LEA", "captions": captions })),
        folder.path(),
    );
    assert_eq!(
        text(&lea[0]),
        "Which is it?\nContext: A map of it.\nOptions: (A) a cat (B) a dog"
    );
    assert_eq!(
        text(&lea[1]),
        "<image>\nWhich is it?\nContext: Look.\nOptions: (A) a cat (B) a dog"
    );
}

#[test]
fn a_judge_is_asked_only_where_it_matters() {
    let cases = two_problems();
    let folder = folder(&cases);
    let judge: ScienceQa = serde_json::from_value(json!({
        "split": "minitest", "second": { "judge": folder.path().join("gpt4.json") },
    }))
    .expect("options");
    let items = items(&judge, folder.path());
    let with = |reviews: &[(&str, &str)]| {
        let reviews = reviews
            .iter()
            .map(|(id, text)| ((*id).to_owned(), (*text).to_owned()));
        with_marked(&judge, &items, &cases.model, &reviews.collect(), |marked| {
            let said = marked.iter().map(|answer| (answer.mark, answer.fault));
            said.collect::<Vec<_>>()
        })
    };
    // Of the first the second model says nothing; the model is right.
    assert_eq!(with(&[]), [(1.0, None), (0.0, Some("not judged"))]);
    assert_eq!(with(&[("2", "Neither.")])[1], (0.0, Some("no verdict")));
    assert_eq!(
        with(&[("2", "Fish swim. The answer is B.")])[1],
        (1.0, None)
    );
    assert_eq!(
        with(&[("2", "The answer is C.")])[1],
        (0.0, Some("letter out of range"))
    );
    assert_eq!(with(&[("1", "The answer is B.")])[0], (1.0, None));

    with_marked(&judge, &items, &cases.model, &BTreeMap::new(), |marked| {
        assert_eq!(judge.review(&marked[0].question, "A"), None);
        let review = judge
            .review(&marked[1].question, "The answer is A.")
            .expect("a review");
        let asked = &review.messages[1].content;
        for part in [
            "Context: Look.\nWhich is it?\nA. a cat",
            "The answer is A.",
            "The answer is B.",
        ] {
            assert!(asked.contains(part), "{asked}");
        }
        assert!(!asked.contains("directly"), "{asked}");
        let figures = values(judge.figures(marked));
        assert_eq!(figures["the model alone"], 50.0);
        assert_eq!(figures["the second model alone"], 50.0);
        assert_eq!(figures["either of the two"], 100.0);
        assert_eq!(figures["the second model unread"], 50.0);
    });
}

#[test]
fn answers_of_others_are_read_in_every_form() {
    let folder = tempfile::tempdir().expect("a folder");
    let read = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).expect("written");
        let answers = ScienceQa::default().predictions(&path);
        answers.map_err(|error| error.to_string())
    };
    let lines =
        r#"{"question_id": "4", "prompt": "?", "text": "The answer is B.", "model_id": "m"}"#;
    assert_eq!(
        read("a.jsonl", lines),
        Ok(vec![Prediction::new("4", "The answer is B.")])
    );
    let outputs = r#"{"acc": 50.0, "results": {"4": 0}, "outputs": {"4": "B", "5": "A. x"}}"#;
    let expected = [Prediction::new("4", "B"), Prediction::new("5", "A. x")];
    assert_eq!(read("a.json", outputs).as_deref(), Ok(&expected[..]));
    let expected = [Prediction::new("4", "C"), Prediction::new("5", "")];
    assert_eq!(
        read("b.json", r#"{"results": {"4": 2, "5": -1}}"#).as_deref(),
        Ok(&expected[..])
    );
    let message = read("c.json", r#"{"acc": 50.0}"#).unwrap_err();
    assert!(
        message.contains("c.json:1: a file of results has `outputs` or `results`"),
        "{message}"
    );
    let message = read("d.json", r#"{"outputs": {"4": []}}"#).unwrap_err();
    assert!(
        message.ends_with("d.json:4: an answer is a text, or the number of an option"),
        "{message}"
    );
}

#[test]
fn what_is_wrong_with_the_files_is_said() {
    let cases = two_problems();
    let folder = folder(&cases);
    let paths = [folder.path().to_owned()];
    let message = |options: Value| {
        let scienceqa: ScienceQa = serde_json::from_value(options).expect("options");
        let read = scienceqa
            .read(&Files::new(&paths, None))
            .expect("files of its own");
        read.unwrap_err().to_string()
    };
    let text = message(json!({ "split": "tests" }));
    assert!(
        text.ends_with("pid_splits.json:tests: there is no such split; there are minitest, test"),
        "{text}"
    );
    let some = folder.path().join("some.json");
    fs::write(&some, r#"{"outputs": {"1": "A"}}"#).expect("written");
    let text = message(json!({ "second": { "complement": some } }));
    assert!(
        text.ends_with("some.json:2: the second model gave no answer to this problem"),
        "{text}"
    );
    let problems = r#"{"1": {"question": "?", "choices": ["a", "b"], "answer": 2, "image": null}}"#;
    fs::write(folder.path().join("problems.json"), problems).expect("written");
    let text = message(json!({}));
    assert!(
        text.contains("problems.json:1: the answer is choice 2 of 2"),
        "{text}"
    );
    fs::write(folder.path().join("problems.json"), "{}").expect("written");
    let text = message(json!({}));
    assert!(
        text.ends_with("problems.json:1: the split names it and it is not here"),
        "{text}"
    );
    fs::remove_file(folder.path().join("pid_splits.json")).expect("removed");
    let text = message(json!({}));
    assert!(
        text.starts_with("there is no `pid_splits.json` in "),
        "{text}"
    );
}
