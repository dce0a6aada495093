//! Answers: streamed, batched, stopped, drawn.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use menagerie::burn::tensor::Tensor;
use menagerie::chat::Turn;
use menagerie::model::{Request, RequestError};
use menagerie::testing::normal;
use menagerie::tokens::IMAGE_TOKEN;
use menagerie::{Completion, Finish, GenerationConfig, Model};

use super::{fixture, llama, llava};

static MODEL: LazyLock<Model> = LazyLock::new(|| llava("llava", "mlp"));

/// A prompt whose answer does not end by itself.
const PROMPT: [i64; 5] = [1, 40, 7, 66, 23];

fn greedy(max_new_tokens: usize) -> GenerationConfig {
    GenerationConfig {
        max_new_tokens,
        ..GenerationConfig::default()
    }
}

/// One answer; what was streamed must be its text.
pub fn answer(
    model: &Model,
    prompt: &[i64],
    images: Option<Tensor<3>>,
    config: &GenerationConfig,
) -> Completion {
    let mut streamed = String::new();
    let answers = model.answer(
        &[prompt],
        images.map(Into::into),
        config,
        &mut |row, text| {
            assert_eq!(row, 0);
            streamed.push_str(text);
            ControlFlow::Continue(())
        },
    );
    let completion = answers.expect("an answer").swap_remove(0);
    assert_eq!(streamed, completion.text);
    completion
}

/// Visual tokens of `count` images.
fn images(count: usize) -> Tensor<3> {
    MODEL.network().encode(normal([count, 3, 28, 28]))
}

#[test]
fn a_model_is_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Model>();

    let alone = answer(&MODEL, &PROMPT, None, &greedy(8));
    std::thread::scope(|scope| {
        let ask = || answer(&MODEL, &PROMPT, None, &greedy(8));
        for thread in [scope.spawn(ask), scope.spawn(ask)] {
            assert_eq!(thread.join().expect("no panic"), alone);
        }
    });
}

/// Rows of other lengths, with no image, one and two, change nothing in a row's answer.
#[test]
fn answers_in_a_batch_are_those_given_alone() {
    let seen = images(3);
    let prompts: [&[i64]; 4] = [
        &[1, 50, IMAGE_TOKEN, 12],
        &PROMPT,
        &[1, IMAGE_TOKEN, 30, 31, 32, IMAGE_TOKEN, 33, 34],
        &[1],
    ];
    let own = [Some(0..1), None, Some(1..3), None];
    let mut streamed = vec![String::new(); prompts.len()];
    let config = greedy(10);
    let together = MODEL.answer(
        &prompts,
        Some(seen.clone().into()),
        &config,
        &mut |row, text| {
            streamed[row].push_str(text);
            ControlFlow::Continue(())
        },
    );
    let together = together.expect("answers");
    for (((prompt, own), completion), streamed) in
        prompts.iter().zip(own).zip(&together).zip(&streamed)
    {
        assert_eq!(completion.text, *streamed);
        let images = own.map(|range| seen.clone().narrow(0, range.start, range.len()));
        assert_eq!(answer(&MODEL, prompt, images, &config), *completion);
    }
}

#[test]
fn an_answer_ends_at_its_longest() {
    let completion = answer(&MODEL, &PROMPT, None, &greedy(3));
    assert_eq!(
        (completion.ids.len(), completion.finish),
        (3, Finish::Length)
    );
    let longer = answer(&MODEL, &PROMPT, None, &greedy(9));
    assert_eq!(longer.ids[..3], completion.ids);

    // The decoder's 128 positions end it too.
    let prompt = [&[1], &[40; 120][..]].concat();
    let filled = answer(&MODEL, &prompt, None, &greedy(100));
    assert_eq!((filled.ids.len(), filled.finish), (7, Finish::Length));
    let full = vec![40; 128];
    let refused = MODEL.answer(&[&full], None, &greedy(1), &mut |_, _| {
        ControlFlow::Continue(())
    });
    let message = "the prompt is 128 tokens long and the decoder takes 128";
    assert!(refused.unwrap_err().to_string().starts_with(message));
}

#[test]
fn a_stop_string_may_cross_tokens_and_is_left_out() {
    let whole = answer(&MODEL, &PROMPT, None, &greedy(8)).text;
    let words: Vec<&str> = whole.split(' ').collect();
    // From the last character of one token to the first of the next.
    let stop = format!("{} {}", &words[3][words[3].len() - 1..], &words[4][..1]);
    let expected = &whole[..whole.find(&stop).expect("it is there")];
    let config = GenerationConfig {
        stop: vec!["never".to_owned(), stop],
        ..greedy(8)
    };
    let stopped = answer(&MODEL, &PROMPT, None, &config);
    assert_eq!(
        (stopped.text.as_str(), stopped.finish),
        (expected, Finish::StopString)
    );

    // A beginning of a stop string that does not come is given out in the end.
    let config = GenerationConfig {
        stop: vec![format!("{}x", words[7])],
        ..greedy(8)
    };
    assert_eq!(answer(&MODEL, &PROMPT, None, &config).text, whole);
}

#[test]
fn a_caller_may_break_off() {
    let mut streamed = String::new();
    let answers = MODEL.answer(&[&PROMPT], None, &greedy(20), &mut |_, text| {
        streamed.push_str(text);
        if streamed.matches('w').count() == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    let completion = answers.expect("an answer").swap_remove(0);
    assert_eq!(completion.finish, Finish::Cancelled);
    assert_eq!(completion.ids.len(), 3);
    assert_eq!(completion.text, streamed);
}

#[test]
fn a_seed_decides_what_is_drawn() {
    let drawn = |seed, temperature| {
        let config = GenerationConfig {
            seed,
            temperature,
            ..greedy(12)
        };
        answer(&MODEL, &PROMPT, None, &config).ids
    };
    assert_eq!(drawn(1, 1.5), drawn(1, 1.5));
    assert!((2..6).any(|seed| drawn(seed, 1.5) != drawn(1, 1.5)));
    assert_eq!(drawn(1, 0.0), drawn(2, 0.0));

    // One prompt twice in a batch is two draws.
    let config = GenerationConfig {
        temperature: 1.5,
        ..greedy(12)
    };
    let twice = MODEL.answer(&[&PROMPT, &PROMPT], None, &config, &mut |_, _| {
        ControlFlow::Continue(())
    });
    let twice = twice.unwrap();
    assert_ne!(twice[0].ids, twice[1].ids);
}

/// A published folder may name several; any of them ends an answer.
#[test]
fn end_tokens_come_from_the_generation_config_beside_the_weights() {
    let plain = answer(&llama(), &PROMPT, None, &greedy(6));
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors"] {
        std::fs::copy(fixture("llama").join(name), folder.path().join(name)).unwrap();
    }
    let end = plain.ids[4];
    let text =
        format!("{{\"eos_token_id\": [2, {end}], \"do_sample\": false, \"max_new_tokens\": 6}}");
    std::fs::write(folder.path().join("generation_config.json"), text).unwrap();
    let weights = format!("weights = \"{}\"", folder.path().display());
    let model = super::load("type = \"linear\"", &weights);
    assert_eq!(model.generation().max_new_tokens, 6);
    let ended = answer(&model, &PROMPT, None, model.generation());
    let first = plain.ids.iter().position(|id| *id == end).unwrap();
    assert_eq!(
        (&ended.ids[..], ended.finish),
        (&plain.ids[..first], Finish::EndToken)
    );
}

#[test]
fn a_request_is_turns_with_an_image_for_each_mark() {
    let ask =
        |request: &Request| MODEL.generate(request, &greedy(3), |_| ControlFlow::Continue(()));
    let image = || std::fs::read(fixture("images/rgb-square.png")).unwrap();
    let asked = Request::question("w5 w6", vec![image(), image()]);
    let first = ask(&asked).unwrap();
    assert_eq!(ask(&asked).unwrap(), first);

    let mut more = asked.clone();
    more.turns.push(Turn::assistant(first.text));
    more.turns.push(Turn::human("w7"));
    ask(&more).expect("a conversation goes on");

    let mut short = asked.clone();
    short.images.pop();
    let refused = ask(&short).unwrap_err();
    assert!(matches!(
        refused,
        RequestError::Images {
            marks: 2,
            images: 1
        }
    ));
    let torn = Request::question("w5", vec![image(), b"no picture".to_vec()]);
    let refused = ask(&torn).unwrap_err();
    assert!(
        matches!(refused, RequestError::Image { number: 2, .. }),
        "{refused}"
    );
}
