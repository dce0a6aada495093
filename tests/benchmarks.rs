//! A benchmark of one's own: chosen by a recipe and by the command line, listed, checked, and with
//! its own manner of asking.
#![cfg(feature = "cli")]

mod tiny;

use std::sync::Arc;

use menagerie::burn::tensor::Device;
use menagerie::chat::Turn;
use menagerie::data::{DataSource, Dataset};
use menagerie::eval::{
    self, Answer, Benchmark, EvalError, EvalOptions, Exact, Example, Marked, Question,
};
use menagerie::recipe::Turns;
use menagerie::schemars::{self, JsonSchema};
use menagerie::serde::Deserialize;
use menagerie::{Recipe, plugin};
use serde_json::Value;
use tiny::World;

/// A quarter for each letter that an answer shares with the truth. The score is the lowest mark.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(crate = "menagerie::serde")]
struct Letters {}

impl Benchmark for Letters {
    const NAME: &'static str = "letters";

    fn example() -> Example {
        Example::new("<image>\nwhat color is the shape?", "blue", "red")
    }

    fn ask(&self, question: &Question<'_>) -> Vec<Turn> {
        let mut turns = question.turns.to_vec();
        if let Some(last) = turns.last_mut() {
            last.text += "\nis it red?";
        }
        turns
    }

    fn mark(&self, question: &Question<'_>, answer: &Answer<'_>) -> f64 {
        if answer.text == question.truth {
            return 1.0;
        }
        let shared = question.truth.chars().filter(|&c| answer.text.contains(c));
        (0.25 * shared.count() as f64).min(0.75)
    }

    fn total(&self, answers: &[Marked<'_>]) -> f64 {
        answers.iter().map(|answer| answer.mark).fold(1.0, f64::min)
    }
}

menagerie::register_benchmark!(Letters);

/// It forgets the images.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(crate = "menagerie::serde")]
struct Forgetful {}

impl Benchmark for Forgetful {
    const NAME: &'static str = "forgetful";

    fn example() -> Example {
        Letters::example()
    }

    fn ask(&self, question: &Question<'_>) -> Vec<Turn> {
        vec![Turn::human(question.text())]
    }

    fn mark(&self, _question: &Question<'_>, _answer: &Answer<'_>) -> f64 {
        0.0
    }
}

menagerie::register_benchmark!(Forgetful);

/// The benchmarks of this file.
const OWN: [&str; 2] = ["forgetful", "letters"];

/// Those of the program, which has not the ones of this file.
fn known() -> Vec<&'static str> {
    let all = plugin::benchmarks().expect("names are unique");
    let names = all.iter().map(|plugin| plugin.name);
    names.filter(|name| !OWN.contains(name)).collect()
}

#[test]
fn benchmarks_are_listed_by_name_and_keep_their_contract() {
    let all = plugin::benchmarks().expect("names are unique");
    let names: Vec<_> = all.iter().map(|plugin| plugin.name).collect();
    assert!(names.is_sorted());
    let own: Vec<_> = names.iter().filter(|name| OWN.contains(name)).collect();
    assert_eq!(own, ["forgetful", "letters"].iter().collect::<Vec<_>>());
    let letters = plugin::benchmark("letters").expect("it is linked in");
    assert_eq!(
        letters.description(),
        "A quarter for each letter that an answer shares with the truth. The score is the lowest mark."
    );
    menagerie::testing::check_benchmark("letters");
    menagerie::testing::check_benchmark("exact");
}

#[test]
#[should_panic(expected = "`forgetful`: what it asks has not as many images as the data")]
fn a_benchmark_that_loses_images_breaks_its_contract() {
    menagerie::testing::check_benchmark("forgetful");
}

#[test]
fn a_recipe_chooses_the_benchmark_of_its_scores() {
    let world = World::new();
    let text = |benchmark: &str| {
        format!(
            "extends = \"align.toml\"\n[stage.align]\nsteps = 1\n[eval]\n{benchmark}\n\
             data = {{ conversations = \"questions.json\", images = \"images\" }}"
        )
    };
    let run = world.train("run", &text("benchmark = \"letters\""));
    let scores: Value = serde_json::from_str(run.text("scores.jsonl").trim()).expect("JSON");
    let answers: Vec<Value> = run
        .text("answers/align.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let marks: Vec<f64> = answers
        .iter()
        .map(|answer| {
            let question = answer["question"].as_str().expect("a question");
            assert_eq!(question, "what color is the shape?", "as the data has it");
            let text = |key: &str| answer[key].as_str().expect("text");
            let question = Question::new("", &[], text("truth"));
            let mark = Letters {}.mark(&question, &Answer::new(text("answer")));
            assert_eq!(answer["correct"].as_bool(), Some(mark >= 0.5));
            let kept = answer["mark"].as_f64();
            assert_eq!(kept, (mark != 0.0 && mark != 1.0).then_some(mark));
            mark
        })
        .collect();
    let lowest = marks.iter().copied().fold(1.0, f64::min);
    assert_eq!(scores["score"].as_f64(), Some(lowest));

    // Not stated and stated, the default is the same, and a recipe that does not state it says nothing.
    let plain = world.train("plain", &text(""));
    let stated = world.train("stated", &text("benchmark = \"exact\""));
    for file in ["scores.jsonl", "answers/align.jsonl"] {
        assert_eq!(plain.bytes(file), stated.bytes(file));
        assert!(!plain.text(file).contains("\"mark\""));
    }
    assert!(!plain.text("recipe.toml").contains("benchmark"));
    assert!(stated.text("recipe.toml").contains("benchmark = \"exact\""));
}

#[test]
fn a_benchmark_that_is_not_there_is_named_with_those_that_are() {
    let world = World::new();
    world.write(
        "wrong.toml",
        "extends = \"align.toml\"\n[eval]\nbenchmark = \"exat\"\n\
         data = { conversations = \"questions.json\", images = \"images\" }\n",
    );
    let known = known().join(", ");
    let message =
        format!("no benchmark is called `exat`; there are: {known} (did you mean `exact`?)\n");
    let checked = world.menagerie(&["recipe", "check", "wrong.toml"]);
    assert_eq!(checked.code, Some(3));
    assert_eq!(checked.stderr, format!("error: wrong.toml:3:1: {message}"));
    let trained = world.menagerie(&["train", "wrong.toml", "--out", "run"]);
    assert_eq!(trained.code, Some(3));
    assert!(
        trained
            .stderr
            .ends_with(&format!("wrong.toml:3:1: {message}")),
        "{trained:?}"
    );
    assert!(!world.path("run/recipe.toml").exists(), "nothing has begun");
    let args = ["bench", "run", "exat", "nowhere", "questions.json"];
    let scored = world.menagerie(&args);
    assert_eq!(scored.stderr, format!("error: {message}"));
    assert_eq!(scored.code, Some(3));
    let schema = world.menagerie(&["recipe", "schema"]).json();
    let listed = &schema["$defs"]["EvalTable"]["properties"]["benchmark"]["enum"];
    assert_eq!(listed, &serde_json::json!(self::known()));
}

#[test]
fn what_a_benchmark_asks_must_keep_the_images() {
    let world = World::new();
    let recipe = Recipe::load(world.path("align.toml")).expect("a recipe");
    let model = recipe.assemble(&Device::flex()).expect("a model");
    let source = DataSource {
        paths: vec![world.path("questions.json")],
        images: Some(world.path("images")),
        turns: Turns::Separate,
        ..DataSource::default()
    };
    let data = Arc::new(Dataset::open(&source).expect("data"));
    let ask = |benchmark: &str| {
        let mut options = EvalOptions::default();
        benchmark.clone_into(&mut options.benchmark);
        options.max_new_tokens = Some(2);
        eval::evaluate(&model, &data, &options, &mut |_, _| true)
    };
    let error = ask("forgetful").unwrap_err();
    assert!(
        matches!(
            error,
            EvalError::Images {
                asked: 0,
                images: 1,
                ..
            }
        ),
        "{error}"
    );
    assert!(matches!(ask("none"), Err(EvalError::Benchmark(_))));
    // Another question, another answer: what `ask` adds is what the model reads.
    assert_eq!(ask(Exact::NAME).expect("a score").answers.len(), 4);
    assert_eq!(ask("letters").expect("a score").answers.len(), 4);
}

#[test]
fn plugins_tells_of_a_benchmark() {
    let world = World::new();
    let shown = world.menagerie(&["plugins", "exact"]).stdout;
    assert!(
        shown.starts_with("exact (benchmark), of menagerie 0.1.0\nAn answer is right if it equals"),
        "{shown}"
    );
    let json = world.menagerie(&["plugins", "exact", "--json"]).json();
    assert_eq!(json[0]["component"], "benchmark");
}
