//! A benchmark with files of its own: read, asked, submitted, and taken as a score while training.

use std::sync::atomic::{AtomicBool, Ordering};

use menagerie::bench::{self, BenchFolder, Candidate, Exam, Unwatched, Watch};
use menagerie::benchmark::{
    Files, FilesError, Item, ItemImage, Marked, Submission, read_json_lines,
};
use menagerie::burn::tensor::Device;
use menagerie::chat::Turn;
use menagerie::data::DataSource;
use menagerie::eval::{Answer, Benchmark, EvalOptions, Example, Question};
use menagerie::schemars::{self, JsonSchema};
use menagerie::serde::Deserialize;
use serde_json::{Value, json};

use crate::tiny::{COLOURS, World};
use crate::{bytes, lines, object};

/// Is the shape of this colour?
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(crate = "menagerie::serde", default, deny_unknown_fields)]
struct Shades {
    /// What is added to a question.
    hint: String,
}

impl Default for Shades {
    fn default() -> Self {
        Self {
            hint: "one word".to_owned(),
        }
    }
}

#[derive(Deserialize)]
#[serde(crate = "menagerie::serde")]
struct Line {
    key: String,
    picture: String,
    shade: String,
}

impl Benchmark for Shades {
    const NAME: &'static str = "shades";

    fn example() -> Example {
        Example::new("<image>\nwhich shade?", "red", "blue").with_field("picture", "red.bmp")
    }

    fn read(&self, files: &Files<'_>) -> Option<Result<Vec<Item>, FilesError>> {
        let read = || {
            let path = files.find("shades.jsonl")?;
            let folder = files.images.unwrap_or(path.parent().expect("a folder"));
            let lines = read_json_lines::<Line>(&path)?;
            let items = lines.into_iter().map(|(_, line)| {
                Item::new(line.key, "<image>\nwhich shade?")
                    .with_image(ItemImage::File(folder.join(&line.picture)))
                    .with_truth(line.shade)
                    .with_field("picture", line.picture)
            });
            Ok(items.collect())
        };
        Some(read())
    }

    fn ask(&self, question: &Question<'_>) -> Vec<Turn> {
        let mut turns = question.turns.to_vec();
        if let Some(last) = turns.last_mut() {
            last.text += &format!("\n{}", self.hint);
        }
        turns
    }

    fn max_new_tokens(&self) -> usize {
        3
    }

    fn mark(&self, question: &Question<'_>, answer: &Answer<'_>) -> f64 {
        assert!(
            !question.word("picture").is_empty(),
            "fields reach the marks"
        );
        f64::from(u8::from(answer.text == question.truth))
    }

    fn submission(&self, answers: &[Marked<'_>]) -> Vec<Submission> {
        let lines = answers
            .iter()
            .map(|marked| format!("{}\t{}\n", marked.question.id, marked.answer.text));
        vec![Submission::new(
            "results/shades.tsv",
            lines.collect::<String>(),
        )]
    }
}

menagerie::register_benchmark!(Shades);

fn files(world: &World) -> DataSource {
    let lines = COLOURS.map(|(name, _)| {
        json!({ "key": format!("of {name}"), "picture": format!("{name}.bmp"), "shade": name })
            .to_string()
    });
    std::fs::create_dir_all(world.path("set")).expect("made");
    world.write("set/shades.jsonl", lines.join("\n"));
    DataSource {
        paths: vec![world.path("set")],
        images: Some(world.path("images")),
        ..DataSource::default()
    }
}

fn options() -> EvalOptions {
    let mut options = EvalOptions::default();
    Shades::NAME.clone_into(&mut options.benchmark);
    options.blind = false;
    options.batch_size = 3;
    options
}

#[test]
fn it_keeps_the_contract() {
    menagerie::testing::check_benchmark("shades");
}

#[test]
fn its_files_are_read_asked_and_submitted() {
    let world = World::new();
    let source = files(&world);
    let recipe = world.recipe("untrained", "");
    let model = recipe.assemble(&Device::flex()).expect("a model");
    let candidate = Candidate {
        model: &model,
        recipe: &recipe,
        path: "untrained".as_ref(),
    };
    let stop = AtomicBool::new(false);
    let run = |options: EvalOptions, out: &str| {
        let exam = Exam::open(options, &source).expect("questions");
        exam.check_images().expect("they are there");
        let folder = BenchFolder::open(&world.path(out)).expect("a folder");
        bench::run(&exam, &candidate, None, &folder, &mut Unwatched, &stop)
    };
    let score = run(options(), "out").expect("scored").expect("no judge");
    assert_eq!(score.answers, 4);
    assert_eq!(
        score.about.questions.files.len(),
        1,
        "the file that was read, not its folder"
    );
    let generation = score.about.generation.expect("a model answers");
    assert_eq!(generation.config.max_new_tokens, 3, "as the benchmark says");
    assert!(
        generation.first_prompt.contains("which shade?\none word"),
        "{}",
        generation.first_prompt
    );
    let answers = lines(&world, "out/answers.jsonl");
    assert_eq!(answers[1]["id"], "of green");
    assert_eq!(
        (&answers[1]["question"], &answers[1]["truth"]),
        (&json!("which shade?"), &json!("green"))
    );
    let said: Vec<String> = answers
        .iter()
        .map(|line| {
            let text = |key: &str| line[key].as_str().expect("text").to_owned();
            format!("{}\t{}\n", text("id"), text("answer"))
        })
        .collect();
    assert_eq!(
        bytes(&world, "out/submission/results/shades.tsv"),
        said.concat().as_bytes()
    );

    // Its options are part of what a run is of.
    let mut other = options();
    other.options.insert("hint".to_owned(), "be brief".into());
    let error = run(other.clone(), "out").unwrap_err().to_string();
    let message = "benchmark.options.hint was not stated and is \"be brief\"";
    assert!(error.contains(message), "{error}");
    run(other.clone(), "brief").expect("scored");
    assert_eq!(
        object(&world, "brief/score.json")["benchmark"]["options"]["hint"],
        "be brief"
    );
    other.options.insert("hnt".to_owned(), 3.into());
    let error = Exam::open(other, &source).unwrap_err().to_string();
    assert!(
        error.contains("the benchmark `shades`: ") && error.contains("unknown field `hnt`"),
        "{error}"
    );
    let missing = DataSource {
        paths: vec![world.path("images")],
        ..source
    };
    let error = Exam::open(options(), &missing).unwrap_err().to_string();
    assert!(error.contains("there is no `shades.jsonl` in"), "{error}");
}

/// As Ctrl-C does, once the first batch is answered.
struct Impatient<'a>(&'a AtomicBool);

impl Watch for Impatient<'_> {
    fn progress(&mut self, _what: &'static str, _done: usize, _total: usize) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_run_that_is_asked_to_stop_goes_on() {
    let world = World::new();
    let exam = Exam::open(options(), &files(&world)).expect("questions");
    let recipe = world.recipe("untrained", "");
    let model = recipe.assemble(&Device::flex()).expect("a model");
    let candidate = Candidate {
        model: &model,
        recipe: &recipe,
        path: "untrained".as_ref(),
    };
    let run = |out: &str, watch: &mut dyn Watch, stop: &AtomicBool| {
        let folder = BenchFolder::open(&world.path(out)).expect("a folder");
        bench::run(&exam, &candidate, None, &folder, watch, stop)
    };
    let stop = AtomicBool::new(false);
    let error = run("stopped", &mut Impatient(&stop), &stop).unwrap_err();
    let message = "stopped after 3 of 4 questions; the same command goes on from there";
    assert_eq!(error.to_string(), message);
    assert!(!world.path("stopped/score.json").exists());
    let go_on = AtomicBool::new(false);
    for out in ["stopped", "whole"] {
        run(out, &mut Unwatched, &go_on).expect("scored");
    }
    for file in [
        "answers.jsonl",
        "marks.jsonl",
        "submission/results/shades.tsv",
    ] {
        let [stopped, whole] =
            ["stopped", "whole"].map(|out| bytes(&world, &format!("{out}/{file}")));
        assert_eq!(stopped, whole, "{file}");
    }
}

#[test]
fn a_recipe_scores_with_it() {
    let world = World::new();
    files(&world);
    let eval = |more: &str| {
        format!(
            "extends = \"align.toml\"\n[stage.align]\nsteps = 1\n[eval]\nbenchmark = \"shades\"\n\
             {more}\ndata = {{ conversations = \"set\", images = \"images\" }}"
        )
    };
    let run = world.train("run", &eval(""));
    let answers: Vec<Value> = run
        .text("answers/align.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(answers.len(), 4);
    assert_eq!(answers[3]["id"], "of yellow");
    let brief = world.train("brief", &eval("options = { hint = \"be brief\" }"));
    assert_ne!(
        run.bytes("answers/align.jsonl"),
        brief.bytes("answers/align.jsonl")
    );
    assert!(brief.text("recipe.toml").contains("hint = \"be brief\""));
    let wrong = world
        .try_train("wrong", &eval("options = { hunt = 1 }"))
        .unwrap_err()
        .to_string();
    assert!(
        wrong.contains("wrong.toml:6:") && wrong.contains("unknown field `hunt`"),
        "{wrong}"
    );
}
