//! What may cross threads does, and answers do not depend on who asks beside.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use acme_answers::model;
use acme_answers::pool::{Failure, News, Pool};
use menagerie::burn::tensor::Device;
use menagerie::chat::Template;
use menagerie::generate::GenerateError;
use menagerie::image::ImageProcessor;
use menagerie::model::{AssembleError, Request, RequestError};
use menagerie::tokens::Tokenizer;
use menagerie::{
    BuildError, Completion, Configured, Decoder, Encoder, Finish, GenerationConfig, Model, Network,
    Projector, Recipe, RecipeError, Slot,
};

const fn crosses_threads<T: Send + Sync + 'static>() {}
const fn is_cloned<T: Clone>() {}

/// Checked when this is compiled.
const _: () = {
    crosses_threads::<Model>();
    crosses_threads::<Network>();
    crosses_threads::<Slot<dyn Encoder>>();
    crosses_threads::<Slot<dyn Projector>>();
    crosses_threads::<Slot<dyn Decoder>>();
    crosses_threads::<Recipe>();
    crosses_threads::<Configured>();
    crosses_threads::<Request>();
    crosses_threads::<GenerationConfig>();
    crosses_threads::<Completion>();
    crosses_threads::<Tokenizer>();
    crosses_threads::<Template>();
    crosses_threads::<ImageProcessor>();
    crosses_threads::<Device>();
    crosses_threads::<RecipeError>();
    crosses_threads::<BuildError>();
    crosses_threads::<AssembleError>();
    crosses_threads::<RequestError>();
    crosses_threads::<GenerateError>();

    is_cloned::<Network>();
    is_cloned::<Slot<dyn Encoder>>();
    is_cloned::<Recipe>();
    is_cloned::<Request>();
    is_cloned::<GenerationConfig>();
    is_cloned::<Completion>();
    is_cloned::<Tokenizer>();
    is_cloned::<Template>();
    is_cloned::<ImageProcessor>();
    is_cloned::<Device>();
};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

fn acme() -> Arc<Model> {
    let model = model(&repository().join("recipes/quickstart"));
    Arc::new(model.unwrap_or_else(|error| panic!("{error}")))
}

/// Questions about two images, and one without any.
fn requests() -> Vec<Request> {
    let image = |name: &str| {
        let path = repository().join("tests/fixtures/images").join(name);
        std::fs::read(path).expect("an image")
    };
    let images = [image("grey.png"), image("rgb-square.png")];
    let questions = [
        "what color is the shape?",
        "is there a red shape?",
        "what is this?",
    ];
    let mut requests = vec![Request::question("hello", Vec::new())];
    for image in &images {
        let about = |question| Request::question(question, vec![image.clone()]);
        requests.extend(questions.map(about));
    }
    requests
}

fn tokens(count: usize) -> GenerationConfig {
    GenerationConfig {
        max_new_tokens: count,
        ..GenerationConfig::default()
    }
}

#[test]
fn the_encoder_keeps_its_contract() {
    menagerie::testing::check_encoder("colour-grid");
}

#[test]
fn several_threads_answer_as_one_does() {
    let model = acme();
    let alone: Vec<Completion> = requests()
        .iter()
        .map(|request| {
            let go_on = |_: &str| ControlFlow::Continue(());
            let said = model.generate(request, &tokens(12), go_on);
            said.expect("an answer")
        })
        .collect();
    let pool = Pool::new(Arc::clone(&model), 4);
    for _ in 0..3 {
        let tickets: Vec<_> = requests()
            .into_iter()
            .map(|request| pool.ask(request, tokens(12)))
            .collect();
        for (ticket, alone) in tickets.iter().zip(&alone) {
            assert_eq!(&ticket.wait().expect("an answer"), alone);
        }
    }
    drop(pool);
    assert_eq!(Arc::strong_count(&model), 1, "the threads are gone");
}

/// Drawn so wildly that it seldom ends by itself, and the same each time.
fn long() -> GenerationConfig {
    GenerationConfig {
        temperature: 9.0,
        ..tokens(200)
    }
}

#[test]
fn an_answer_ends_where_it_is_broken_off() {
    let model = acme();
    let request = requests().swap_remove(1);
    let mut pieces = Vec::new();
    let whole = model.generate(&request, &long(), |text| {
        pieces.push(text.to_owned());
        ControlFlow::Continue(())
    });
    let whole = whole.expect("an answer");
    assert!(pieces.len() > 20, "{whole:?}");
    assert_eq!(pieces.concat(), whole.text);
    let mut heard = 0;
    let broken = model.generate(&request, &long(), |_| {
        heard += 1;
        if heard < 10 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    });
    let broken = broken.expect("an answer");
    assert_eq!((heard, broken.finish), (10, Finish::Cancelled));
    assert_eq!(broken.text, pieces[..10].concat());
}

#[test]
fn a_ticket_is_cancelled_and_others_go_on() {
    let model = acme();
    let request = || requests().swap_remove(1);
    let go_on = |_: &str| ControlFlow::Continue(());
    let whole = model.generate(&request(), &long(), go_on);
    let whole = whole.expect("an answer");
    let pool = Pool::new(model, 2);

    let broken = pool.ask(request(), long());
    let beside = pool.ask(request(), long());
    let News::Text(first) = broken.next() else {
        panic!("no text");
    };
    assert!(whole.text.starts_with(&first));
    broken.cancel();
    let broken = broken.wait().expect("what it had said");
    assert!(whole.text.starts_with(&broken.text), "{broken:?}");
    assert!(broken.finish == Finish::Cancelled || broken == whole);
    assert_eq!(beside.wait().expect("an answer"), whole);
}

/// Of two questions for one thread, the second has not begun when it is withdrawn.
#[test]
fn a_question_is_withdrawn_before_its_turn() {
    let pool = Pool::new(acme(), 1);
    let request = || requests().swap_remove(1);
    let first = pool.ask(request(), long());
    let second = pool.ask(request(), long());
    second.cancel();
    match second.wait() {
        Err(Failure::Withdrawn) => {}
        Ok(answer) => assert_eq!(answer.finish, Finish::Cancelled, "the first was quicker"),
        Err(failure) => panic!("{failure:?}"),
    }
    assert!(first.wait().is_ok());
}

/// Nobody waits for an answer, so its thread is free for the next.
#[test]
fn a_ticket_that_is_dropped_withdraws_its_question() {
    let model = acme();
    let pool = Pool::new(model, 1);
    let request = |number: usize| requests().swap_remove(number);
    drop(pool.ask(request(1), tokens(400)));
    let answer = pool.ask(request(2), tokens(4)).wait().expect("an answer");
    assert!(answer.ids.len() <= 4);
}

#[test]
fn a_question_that_cannot_be_answered_says_why() {
    let pool = Pool::new(acme(), 1);
    let request = Request::question("what?", vec![b"no image".to_vec()]);
    let failure = pool.ask(request, tokens(4)).wait().unwrap_err();
    assert!(
        matches!(failure, Failure::Request(RequestError::Image { .. })),
        "{failure:?}"
    );
}
