//! Prompts answered together and one after another: what they share is read once, and no answer changes.

use std::ops::ControlFlow;

use menagerie::chat::Turn;
use menagerie::generate::GenerateError;
use menagerie::model::Request;
use menagerie::testing::normal;
use menagerie::tokens::IMAGE_TOKEN;
use menagerie::{Completion, Finish, GenerationConfig, Model, Prompt, Queue, SeenImage};

use super::counted::passes;
use super::{fixture, load};

/// Prompts from a list.
struct Listed<'a> {
    prompts: &'a [Prompt],
    taken: usize,
    answers: Vec<Option<Completion>>,
    /// Whose first text breaks all off.
    breaks: Option<usize>,
}

impl<'a> Listed<'a> {
    fn new(prompts: &'a [Prompt]) -> Self {
        Self {
            prompts,
            taken: 0,
            answers: vec![None; prompts.len()],
            breaks: None,
        }
    }
}

impl Queue for Listed<'_> {
    type Error = GenerateError;

    fn next(&mut self) -> Result<Option<Prompt>, GenerateError> {
        self.taken += 1;
        Ok(self.prompts.get(self.taken - 1).cloned())
    }

    fn text(&mut self, number: usize, _text: &str) -> ControlFlow<()> {
        if self.breaks == Some(number) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn answered(
        &mut self,
        number: usize,
        completion: Completion,
    ) -> Result<ControlFlow<()>, GenerateError> {
        assert_eq!(self.answers[number].replace(completion), None, "told once");
        Ok(ControlFlow::Continue(()))
    }
}

/// The answers to `prompts`, at most `most` at a time.
fn together(
    model: &Model,
    prompts: &[Prompt],
    most: usize,
    config: &GenerationConfig,
) -> Vec<Completion> {
    let mut queue = Listed::new(prompts);
    let answered = model.session().answer(most, config, &mut queue);
    answered.expect("answers");
    let answers = queue.answers.into_iter();
    answers.map(|answer| answer.expect("one each")).collect()
}

/// The same, each in a session where no other prompt has more than one token.
fn alone(model: &Model, prompts: &[Prompt], config: &GenerationConfig) -> Vec<Completion> {
    let answer = |number: usize| {
        let mut others = vec![text(&[95]); prompts.len()];
        others[number] = prompts[number].clone();
        together(model, &others, 1, config).swap_remove(number)
    };
    (0..prompts.len()).map(answer).collect()
}

fn text(ids: &[i64]) -> Prompt {
    Prompt {
        ids: ids.to_vec(),
        images: Vec::new(),
    }
}

/// Images of so many tokens.
fn images<const N: usize>(model: &Model, tokens: [usize; N]) -> [SeenImage; N] {
    let hidden = model.configured().llm_spec.hidden_size;
    tokens.map(|tokens| SeenImage::new(normal([tokens, hidden])))
}

/// Questions about images, as benchmarks ask them: one begins like the next. Some have no image, one has two, some are
/// long, and two are equal.
fn questions(model: &Model) -> Vec<Prompt> {
    let images = images(model, [2, 1, 2]);
    let system = [1, 9, 8, 7, 6, 5, 4, 3, 10, 11];
    let about = |seen: &[usize], question: &[i64]| Prompt {
        ids: [&system[..], &vec![IMAGE_TOKEN; seen.len()], question].concat(),
        images: seen.iter().map(|&image| images[image].clone()).collect(),
    };
    vec![
        about(&[0], &[20, 21, 22]),
        about(&[0], &[20, 23]),
        text(&[1, 30]),
        about(&[0], &[24, 25, 26, 27, 28, 29, 31]),
        about(&[1], &[20, 21, 22]),
        about(&[], &[20, 21, 22]),
        about(&[1], &[20, 21, 22]),
        about(&[2, 1], &[20, 21, 22, 40, 41, 42, 43, 44, 45, 46, 47]),
        text(&[1; 12]),
        about(&[2, 1], &[20, 50]),
        about(&[0], &[20, 21, 22, 23]),
        text(&[33]),
    ]
}

/// Some answers end by themselves.
fn greedy() -> GenerationConfig {
    GenerationConfig {
        max_new_tokens: 14,
        stop: vec!["7".to_owned(), "w4".to_owned()],
        ..GenerationConfig::default()
    }
}

fn decoder(options: &str) -> Model {
    let options = format!(
        "vocab_size = 96\nhidden_size = 48\nintermediate_size = 80\nnum_layers = 2\nnum_heads = 6\n\
         num_kv_heads = 2\nhead_dim = 8\nmax_position_embeddings = 48\ninitializer_range = 0.4\n{options}"
    );
    load("type = \"linear\"", &options)
}

fn counted(asks: &str) -> Model {
    let options = format!("type = \"counted\"\nvocab_size = 96\nasks = \"{asks}\"");
    load("type = \"linear\"", &options)
}

fn decoders() -> Vec<(&'static str, Model)> {
    let longrope = |length: usize| {
        let factors = |factor: f64| format!("{:?}", [factor; 4]);
        format!(
            "type = \"phi3\"\nrope_scaling = {{ type = \"longrope\", short_factor = {}, long_factor = {}, \
             original_max_position_embeddings = {length} }}",
            factors(1.0),
            factors(4.0)
        )
    };
    vec![
        ("llama", decoder("type = \"llama\"")),
        ("window", decoder("type = \"mistral\"\nsliding_window = 5")),
        ("gemma2", decoder("type = \"gemma2\"\nsliding_window = 4")),
        ("qwen3", decoder("type = \"qwen3\"")),
        ("longrope", decoder(&longrope(28))),
        ("nothing", counted("nothing")),
        ("past", counted("past")),
        ("exactly", counted("exactly")),
    ]
}

#[test]
fn an_answer_is_the_same_whatever_is_answered_beside_and_before_it() {
    let sampled = GenerationConfig {
        temperature: 0.8,
        top_k: 30,
        repetition_penalty: 1.1,
        seed: 11,
        ..greedy()
    };
    for (name, model) in decoders() {
        let prompts = questions(&model);
        for config in [greedy(), sampled.clone()] {
            let expected = alone(&model, &prompts, &config);
            let lengths: Vec<usize> = expected.iter().map(|answer| answer.ids.len()).collect();
            assert!(
                lengths.iter().any(|&len| len != lengths[0]),
                "{name}: {lengths:?}"
            );
            for most in [1, 2, 3, 5, 12, 40] {
                let answers = together(&model, &prompts, most, &config);
                assert_eq!(answers, expected, "{name}, {most} at a time");
            }
        }
    }
}

#[test]
fn what_prompts_have_in_common_is_read_once() {
    let model = counted("nothing");
    let images = images(&model, [10, 10]);
    let system: Vec<i64> = (3..23).collect();
    let ask = |image: usize, question: &[i64]| Prompt {
        ids: [&system, &[IMAGE_TOKEN][..], question].concat(),
        images: vec![images[image].clone()],
    };
    let prompts: Vec<Prompt> = [0, 1]
        .into_iter()
        .flat_map(|image| (0..6).map(move |question| (image, [40 + question, 50])))
        .map(|(image, question)| ask(image, &question))
        .collect();
    let config = GenerationConfig {
        max_new_tokens: 1,
        ..GenerationConfig::default()
    };
    let read = |most| {
        passes();
        together(&model, &prompts, most, &config);
        passes()
    };
    // The first prompt whole; the other image; and of each question what is its own.
    for most in [1, 6, 12, 40] {
        let tokens: usize = read(most).iter().map(|[rows, tokens]| rows * tokens).sum();
        assert_eq!(tokens, 32 + 12 + 10 * 2, "{most} at a time");
    }
    // Questions of one length are read in one pass, and those after another image wait for nobody.
    assert_eq!(read(12), [[1, 32], [5, 2], [1, 12], [5, 2]]);
}

#[test]
fn a_batch_is_as_large_as_there_are_answers_under_way() {
    let model = counted("nothing");
    // The decoder's 48 positions end these after 3, 1, 5 and 2 tokens; and the last after as many as it may.
    let prompts: Vec<Prompt> = [45, 47, 43, 46, 4]
        .iter()
        .map(|&len| text(&(0..len).map(|id| 3 + (id * len) % 90).collect::<Vec<_>>()))
        .collect();
    let config = GenerationConfig {
        max_new_tokens: 6,
        ..GenerationConfig::default()
    };
    passes();
    let answers = together(&model, &prompts, 2, &config);
    let lengths: Vec<usize> = answers.iter().map(|answer| answer.ids.len()).collect();
    assert_eq!(lengths, [3, 1, 5, 2, 6]);
    let rows: Vec<usize> = passes().iter().map(|[rows, _]| *rows).collect();
    // The first two are read together, each of the others as soon as a row is free, and the last ends alone.
    assert_eq!(rows, [2, 1, 2, 2, 1, 2, 1, 2, 1, 1, 1, 1]);
}

#[test]
fn breaking_off_ends_what_is_under_way_and_begins_nothing() {
    let model = decoder("type = \"llama\"");
    let prompts = questions(&model);
    let mut queue = Listed {
        breaks: Some(2),
        ..Listed::new(&prompts)
    };
    let config = GenerationConfig {
        max_new_tokens: 9,
        ..GenerationConfig::default()
    };
    let answered = model.session().answer(3, &config, &mut queue);
    answered.expect("no error");
    let known = |answer: &Option<Completion>| answer.as_ref().map(|answer| answer.finish);
    assert_eq!(known(&queue.answers[2]), Some(Finish::Cancelled));
    assert!(queue.taken < prompts.len());
    assert!(queue.answers[queue.taken..].iter().all(Option::is_none));
}

#[test]
fn a_session_reads_of_a_conversation_what_is_new() {
    let model = counted("nothing");
    let config = GenerationConfig {
        max_new_tokens: 2,
        ..GenerationConfig::default()
    };
    let go_on = |_: &str| ControlFlow::Continue(());
    let image = || std::fs::read(fixture("images/rgb-square.png")).unwrap();
    let mut request = Request::question("w5 w6", vec![image()]);
    let mut session = model.session();
    let mut computed = 0;
    for question in ["w7 w8", "w9"] {
        passes();
        let answer = session
            .generate(&request, &config, go_on)
            .expect("an answer");
        computed = passes()[0][1];
        assert_eq!(model.generate(&request, &config, go_on).unwrap(), answer);
        let whole = passes()[0][1];
        assert!(
            computed == whole || computed < whole / 2,
            "{computed} of {whole}"
        );
        request.turns.push(Turn::assistant(answer.text));
        request.turns.push(Turn::human(question));
    }
    assert!(computed < 12, "{computed}");

    // Another conversation in the same session begins anew.
    let other = Request::question("w5 w6", Vec::new());
    let answer = session.generate(&other, &config, go_on).unwrap();
    assert_eq!(model.generate(&other, &config, go_on).unwrap(), answer);
}
