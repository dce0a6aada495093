//! A benchmark whose answers go to a judge, which misbehaves.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use menagerie::bench::{self, BenchError, BenchFolder, Candidate, Exam, Judge, Score, Watch};
use menagerie::benchmark::{Figure, Marked, Review};
use menagerie::burn::tensor::Device;
use menagerie::chat::Message;
use menagerie::data::{DataSource, Turns};
use menagerie::endpoint::{Budget, Endpoint, EndpointConfig};
use menagerie::eval::{Answer, Benchmark, EvalOptions, Example, Question};
use menagerie::schemars::{self, JsonSchema};
use menagerie::serde::Deserialize;
use menagerie::{Model, Recipe};
use serde_json::{Value, json};

use crate::misbehave::{Behaviour, Received, Server};
use crate::tiny::{COLOURS, World, says};
use crate::{bytes, lines, object};

/// A judge says from 0 to 10 how good an answer is.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(crate = "menagerie::serde", default, deny_unknown_fields)]
struct Graded {}

fn grade(answer: &Answer<'_>) -> Option<f64> {
    let grade: f64 = answer.review?.trim().parse().ok()?;
    (0.0..=10.0).contains(&grade).then_some(grade)
}

impl Benchmark for Graded {
    const NAME: &'static str = "graded";

    fn example() -> Example {
        Example::new("<image>\nwhat is it?", "a red square", "a dog").with_reviews("10", "3")
    }

    fn judged(&self) -> bool {
        true
    }

    fn review(&self, question: &Question<'_>, answer: &str) -> Option<Review> {
        let text = format!("[{}] {} / {answer}", question.id, question.text());
        Some(Review::new(
            vec![Message::system("Grade."), Message::user(text)],
            0.2,
            8,
        ))
    }

    fn mark(&self, _question: &Question<'_>, answer: &Answer<'_>) -> f64 {
        grade(answer).unwrap_or(0.0) / 10.0
    }

    fn fault(&self, _question: &Question<'_>, answer: &Answer<'_>) -> Option<&'static str> {
        match answer.review {
            None => Some("no review"),
            Some(_) => grade(answer).is_none().then_some("no grade"),
        }
    }

    fn figures(&self, answers: &[Marked<'_>]) -> Vec<Figure> {
        let graded: Vec<f64> = answers
            .iter()
            .filter_map(|one| grade(&one.answer))
            .collect();
        let mean = graded.iter().sum::<f64>() / graded.len().max(1) as f64;
        vec![Figure::points("grade", mean, graded.len())]
    }
}

menagerie::register_benchmark!(Graded);

struct Setting {
    world: World,
    recipe: Recipe,
    model: Model,
    exam: Exam,
}

/// Nine questions.
fn setting() -> Setting {
    let world = World::new();
    let questions = (0..9).map(|number| {
        let (name, _) = COLOURS[number % COLOURS.len()];
        let asked = says(&["<image>\nwhat color is the shape?", name]);
        json!({ "id": format!("q{number}"), "image": format!("{name}.bmp"), "conversations": asked })
    });
    let questions: Value = questions.collect();
    let source = DataSource {
        paths: vec![world.write("exam.json", questions.to_string())],
        images: Some(world.path("images")),
        turns: Turns::Separate,
        ..DataSource::default()
    };
    let mut options = EvalOptions::default();
    Graded::NAME.clone_into(&mut options.benchmark);
    options.blind = false;
    options.max_new_tokens = Some(3);
    let exam = Exam::open(options, &source).expect("questions");
    let recipe = world.recipe("untrained", "");
    let model = recipe.assemble(&Device::flex()).expect("a model");
    Setting {
        world,
        recipe,
        model,
        exam,
    }
}

/// Stops at the review of that number, if at any.
struct StopAt<'a>(Option<usize>, &'a AtomicBool);

impl Watch for StopAt<'_> {
    fn progress(&mut self, what: &'static str, done: usize, _total: usize) {
        if what == "judging" && self.0 == Some(done) {
            self.1.store(true, Ordering::Relaxed);
        }
    }
}

impl Setting {
    fn run(
        &self,
        out: &str,
        judge: Option<&Judge>,
        stop_at: Option<usize>,
    ) -> Result<Option<Score>, BenchError> {
        let folder = BenchFolder::open(&self.world.path(out))?;
        let candidate = Candidate {
            model: &self.model,
            recipe: &self.recipe,
            path: Path::new("untrained"),
        };
        let stop = AtomicBool::new(false);
        let mut watch = StopAt(stop_at, &stop);
        bench::run(&self.exam, &candidate, judge, &folder, &mut watch, &stop)
    }
}

fn judge(server: &Server, name: &str) -> Judge {
    let mut config = EndpointConfig::new(server.url(), name);
    config.backoff = Duration::ZERO;
    config.in_flight = 2;
    Judge {
        endpoint: Endpoint::new(config).expect("an endpoint"),
        budget: Budget::default(),
    }
}

/// Question N is graded N, on the second try.
fn grades(request: &Received) -> Behaviour {
    if request.attempt == 1 {
        return Behaviour::error(500, "server_error");
    }
    let question = request.question();
    Behaviour::says(&question[2..3])
}

#[test]
fn it_keeps_the_contract() {
    menagerie::testing::check_benchmark("graded");
}

#[test]
fn a_judging_that_stops_goes_on_and_asks_nothing_twice() {
    let setting = setting();
    let server = Server::start(grades);
    let pinned = judge(&server, "judge-0613");
    // Without a judge the answers wait for one.
    assert!(setting.run("out", None, None).expect("answered").is_none());
    assert!(!setting.world.path("out/score.json").exists());
    let answers = bytes(&setting.world, "out/answers.jsonl");

    let stopped = setting.run("out", Some(&pinned), Some(4)).unwrap_err();
    assert!(
        matches!(
            stopped,
            BenchError::Interrupted {
                total: 9,
                what: "reviews",
                ..
            }
        ),
        "{stopped}"
    );
    let kept = lines(&setting.world, "out/reviews.jsonl").len();
    assert!((4..9).contains(&kept), "{kept} are paid for and kept");
    let score = setting
        .run("out", Some(&pinned), None)
        .expect("scored")
        .expect("judged");
    assert_eq!(bytes(&setting.world, "out/answers.jsonl"), answers);

    let reviews = lines(&setting.world, "out/reviews.jsonl");
    let ids: HashSet<String> = reviews
        .iter()
        .map(|line| line["question_id"].to_string())
        .collect();
    assert_eq!((reviews.len(), ids.len()), (9, 9));
    let answered = server
        .received()
        .iter()
        .filter(|request| request.attempt > 1)
        .count();
    assert_eq!(answered, 9, "each has one reply, and all failed once");
    assert!(
        reviews.iter().all(|line| line["raw"]["choices"].is_array()),
        "replies are kept raw"
    );
    let request = &server.received()[0].body;
    assert_eq!(
        (&request["model"], &request["temperature"]),
        (&json!("judge-0613"), &json!(0.2))
    );

    assert_eq!(score.figures, [Figure::points("grade", 4.0, 9)]);
    let judged = score.judged.as_ref().expect("a judge");
    assert_eq!((judged.replies, judged.missing.len()), (9, 0));
    let about = score.about.judge.as_ref().expect("a judge");
    assert_eq!(
        (about.model.as_str(), about.prompts_sha256.len()),
        ("judge-0613", 64)
    );
    let counted = judged.spent.usage.total();

    // All is there: nothing is asked, the score is the same.
    let before = server.received().len();
    let again = setting
        .run("out", Some(&pinned), None)
        .expect("scored")
        .expect("judged");
    assert_eq!(again.figures, score.figures);
    assert_eq!(again.judged.expect("a judge").spent.usage.total(), counted);
    assert_eq!(server.received().len(), before);

    let other = setting
        .run("out", Some(&judge(&server, "judge-1106")), None)
        .unwrap_err()
        .to_string();
    let message = "judge.model was \"judge-0613\" and is \"judge-1106\"";
    assert!(other.contains(message), "{other}");
}

#[test]
fn a_reply_that_cannot_be_read_is_reported_and_one_that_did_not_come_is_asked_for_again() {
    let setting = setting();
    let refused = AtomicBool::new(true);
    let refused: &'static AtomicBool = Box::leak(Box::new(refused));
    let server = Server::start(move |request: &Received| {
        let question = request.question();
        match &question[1..3] {
            "q0" if refused.load(Ordering::Relaxed) => {
                Behaviour::error(400, "invalid_request_error")
            }
            "q1" => Behaviour::says("I cannot say"),
            "q2" => Behaviour::says(""),
            "q3" => Behaviour::says("11"),
            _ => Behaviour::says("5"),
        }
    });
    let judge = judge(&server, "judge");
    let error = setting.run("out", Some(&judge), None).unwrap_err();
    let BenchError::Unreviewed {
        failed: 1,
        total: 9,
        first,
        ..
    } = &error
    else {
        panic!("{error}");
    };
    assert!(first.starts_with("of question `q0#0`: "), "{first}");
    let score = object(&setting.world, "out/score.json");
    assert_eq!(score["figures"][0]["count"], 5);
    assert_eq!(score["figures"][0]["value"], 5.0);
    assert_eq!(score["faults"], json!({ "no grade": 3, "no review": 1 }));
    assert_eq!(
        score["judged"]["missing"]
            .as_object()
            .map(serde_json::Map::len),
        Some(1)
    );

    refused.store(false, Ordering::Relaxed);
    let before = server.received().len();
    let score = setting
        .run("out", Some(&judge), None)
        .expect("scored")
        .expect("judged");
    assert_eq!(
        server.received().len(),
        before + 1,
        "the one that was missing"
    );
    assert_eq!(score.figures[0].count, 6);
    assert_eq!(score.faults.get("no review"), None);
}

#[test]
fn a_judge_is_for_benchmarks_that_have_one() {
    let setting = setting();
    let server = Server::start(|_: &Received| Behaviour::says("5"));
    let judge = judge(&server, "judge");
    let mut options = EvalOptions::default();
    Graded::NAME.clone_into(&mut options.benchmark);
    let source = DataSource {
        paths: vec![setting.world.path("exam.json")],
        ..DataSource::default()
    };
    let error = Exam::open(options, &source).unwrap_err();
    assert!(matches!(error, BenchError::BlindJudged(_)), "{error}");

    let mut options = EvalOptions::default();
    options.blind = false;
    let plain = Setting {
        exam: Exam::open(options, &source).expect("questions"),
        ..setting
    };
    let error = plain.run("plain", Some(&judge), None).unwrap_err();
    assert!(matches!(error, BenchError::NeedlessJudge(_)), "{error}");
    assert!(server.received().is_empty());

    let eval = "[eval]\nbenchmark = \"graded\"\ndata = { conversations = \"exam.json\", images = \"images\" }";
    let error = plain.world.try_train("run", eval).unwrap_err().to_string();
    assert!(
        error.contains("answers to `graded` go to a judge"),
        "{error}"
    );
}

/// Reviews that come with answers are not asked for again.
#[test]
fn others_reviews_are_scored() {
    let setting = setting();
    let folder = BenchFolder::open(&setting.world.path("out")).expect("a folder");
    let said: Vec<String> = (0..9)
        .map(|number| json!({ "id": format!("q{number}"), "text": "red" }).to_string())
        .collect();
    let file = setting.world.write("said.jsonl", said.join("\n"));
    let stop = AtomicBool::new(false);
    let score = |judge: Option<&Judge>| {
        let mut watch = StopAt(None, &stop);
        bench::score(
            &setting.exam,
            &file,
            false,
            judge,
            &folder,
            &mut watch,
            &stop,
        )
    };
    let error = score(None).unwrap_err();
    assert!(matches!(error, BenchError::NoJudge(_)), "{error}");
    let server = Server::start(|_: &Received| Behaviour::says("7"));
    let judged = score(Some(&judge(&server, "judge"))).expect("scored");
    assert_eq!(judged.figures, [Figure::points("grade", 7.0, 9)]);
    assert_eq!(server.received().len(), 9);
}
