//! Scoring a model on questions with known answers, and blind beside it.
//!
//! An answer is right if it equals the truth once both are trimmed, in lower case and without a
//! full stop at the end. The blind score asks the same questions with every image replaced by
//! grey: what a model knows of the answers without looking.

mod answer;
mod error;

#[cfg(feature = "train")]
pub(crate) use answer::spread;
pub use answer::{Answered, Evaluation, normalise};
pub use error::EvalError;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use menagerie_core::chat::{IMAGE_MARK, Role, Template, Turn};
use menagerie_core::image::{Resize, Squares};
use menagerie_core::recipe::EvalTable;
use menagerie_core::{GenerationConfig, Model, VisualTokens};

use crate::data::{Conversation, Dataset, ImageRef, Prefetch};

/// How a model is scored.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EvalOptions {
    /// Questions answered together.
    pub batch_size: usize,
    /// Whether to score blind too.
    pub blind: bool,
    /// Longest answer, in tokens.
    pub max_new_tokens: usize,
    /// How images become square, if not as the model says.
    pub resize: Option<Resize>,
    /// How questions are written, if not as the model says.
    pub template: Option<Template>,
    /// Questions to take, from the first; all if `None`.
    pub limit: Option<usize>,
}

impl Default for EvalOptions {
    fn default() -> Self {
        Self {
            batch_size: 64,
            blind: true,
            max_new_tokens: 16,
            resize: None,
            template: None,
            limit: None,
        }
    }
}

impl From<&EvalTable> for EvalOptions {
    fn from(table: &EvalTable) -> Self {
        Self {
            batch_size: table.batch_size,
            blind: table.blind,
            max_new_tokens: table.max_new_tokens,
            resize: table.data.resize,
            template: None,
            limit: None,
        }
    }
}

/// Asks `model` all questions of `data`: of each sample the last answer is the truth, and all
/// before it is the question.
///
/// `progress` hears how many are answered of how many, and says whether to go on.
///
/// # Errors
/// Data that cannot be used, a question that is too long, or `progress` said no.
pub fn evaluate(
    model: &Model,
    data: &Arc<Dataset>,
    options: &EvalOptions,
    progress: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Evaluation, EvalError> {
    let begun = Instant::now();
    let count = options.limit.unwrap_or(usize::MAX).min(data.len());
    let questions: Vec<usize> = (0..count).collect();
    let batches: Vec<Vec<usize>> = questions
        .chunks(options.batch_size.max(1))
        .map(<[usize]>::to_vec)
        .collect();
    let prepared = prepare(model, data, options, batches);
    let config = GenerationConfig {
        max_new_tokens: options.max_new_tokens,
        ..GenerationConfig::default()
    };
    let mut answers = Vec::with_capacity(count);
    let mut done = 0;
    for batch in prepared {
        let batch = batch?;
        let ids: Vec<&[i64]> = batch
            .prompts
            .iter()
            .map(|prompt| prompt.ids.as_slice())
            .collect();
        let seen = batch.visual_tokens(model, batch.images.clone());
        let said = answer(model, &ids, seen, &config)?;
        let blind = if options.blind {
            // Zero is the mean colour of the encoder's training images, a middle grey.
            let unseen = batch.visual_tokens(model, batch.images.blank());
            answer(model, &ids, unseen, &config)?
                .into_iter()
                .map(Some)
                .collect()
        } else {
            vec![None; said.len()]
        };
        done += said.len();
        for ((prompt, said), blind) in batch.prompts.into_iter().zip(said).zip(blind) {
            answers.push(Answered {
                correct: normalise(&said) == normalise(&prompt.truth),
                id: prompt.id,
                question: prompt.question,
                truth: prompt.truth,
                answer: said,
                blind,
                sample: prompt.sample,
            });
        }
        if !progress(done, count) {
            return Err(EvalError::Interrupted { done, total: count });
        }
    }
    Ok(Evaluation {
        answers,
        seconds: begun.elapsed().as_secs_f64(),
    })
}

fn answer(
    model: &Model,
    prompts: &[&[i64]],
    images: Option<VisualTokens>,
    config: &GenerationConfig,
) -> Result<Vec<String>, EvalError> {
    let completions = model.answer(prompts, images, config, &mut |_, _| {
        ControlFlow::Continue(())
    })?;
    Ok(completions
        .into_iter()
        .map(|completion| completion.text.trim().to_owned())
        .collect())
}

/// A question as the model sees it.
struct Prompt {
    sample: usize,
    id: String,
    question: String,
    truth: String,
    ids: Vec<i64>,
}

/// Questions with the images they are about, each image once.
struct Batch {
    prompts: Vec<Prompt>,
    /// Distinct images, prepared.
    images: Squares,
    /// For each image mark of the prompts, which of the distinct images it stands for.
    places: Vec<usize>,
}

impl Batch {
    /// Visual tokens of every image mark in order, `images` being the distinct ones.
    fn visual_tokens(&self, model: &Model, images: Squares) -> Option<VisualTokens> {
        let distinct = model.encode_images(images)?;
        Some(distinct.choose(&self.places))
    }
}

/// Batches of prompts, tokenised and with their images decoded ahead of their turn.
fn prepare(
    model: &Model,
    data: &Arc<Dataset>,
    options: &EvalOptions,
    batches: Vec<Vec<usize>>,
) -> Prefetch<Vec<usize>, Result<Batch, EvalError>> {
    let tokenizer = model.tokenizer().clone();
    let template = options.template.clone();
    let template = template.unwrap_or_else(|| model.template().clone());
    let processor = model.image_processor(options.resize);
    let data = Arc::clone(data);
    let make = move |indices: Vec<usize>| {
        let mut batch = Batch {
            prompts: Vec::new(),
            images: Squares::default(),
            places: Vec::new(),
        };
        let mut distinct: Vec<&ImageRef> = Vec::new();
        for sample in indices {
            let conversation = data.sample(sample);
            let (asked, truth) = split(conversation);
            let ids = tokenizer
                .encode_prompt(&template, asked)
                .map_err(|source| EvalError::Encode {
                    id: conversation.id.clone(),
                    source,
                })?;
            for image in &conversation.images {
                let known = distinct.iter().position(|other| *other == image);
                let place = known.unwrap_or(distinct.len());
                if known.is_none() {
                    distinct.push(image);
                    batch
                        .images
                        .extend(data.squares(sample, image, &processor)?);
                }
                batch.places.push(place);
            }
            let last = asked.last().map_or("", |turn| turn.text.as_str());
            batch.prompts.push(Prompt {
                sample,
                id: conversation.id.clone(),
                question: last.replace(IMAGE_MARK, "").trim().to_owned(),
                truth: truth.to_owned(),
                ids,
            });
        }
        Ok(batch)
    };
    Prefetch::new(batches, 1, make)
}

/// What is asked, and the right answer.
fn split(conversation: &Conversation) -> (&[Turn], &str) {
    match conversation.turns.split_last() {
        Some((last, asked)) if last.role == Role::Assistant => (asked, &last.text),
        _ => (&conversation.turns, ""),
    }
}
