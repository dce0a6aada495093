//! Scoring a model on questions with known answers, and blind beside it.
//!
//! A [`Benchmark`] puts the questions and marks the answers; it is a plugin, chosen by name, and
//! [`Exact`] unless another is. The blind score asks the same questions with every image
//! replaced by grey: what a model knows of the answers without looking.
//!
//! ```
//! use menagerie::eval::{Answer, Benchmark, Example, Question};
//! use menagerie::schemars::{self, JsonSchema};
//! use menagerie::serde::{self, Deserialize};
//!
//! /// The first word of an answer must be the truth.
//! #[derive(Debug, Default, Deserialize, JsonSchema)]
//! #[serde(crate = "menagerie::serde", default, deny_unknown_fields)]
//! pub struct FirstWord {}
//!
//! impl Benchmark for FirstWord {
//!     const NAME: &'static str = "first-word";
//!
//!     fn example() -> Example {
//!         Example::new("<image>\nis there a dog?", "yes", "no, a cat")
//!     }
//!
//!     fn mark(&self, question: &Question<'_>, answer: &Answer<'_>) -> f64 {
//!         let first = answer.text.split(|c: char| !c.is_alphanumeric()).next();
//!         if first == Some(question.truth) { 1.0 } else { 0.0 }
//!     }
//! }
//!
//! menagerie::register_benchmark!(FirstWord);
//! # menagerie::testing::check_benchmark("first-word");
//! ```

mod answer;
mod error;
mod exact;
mod marker;

#[cfg(feature = "train")]
pub(crate) use answer::spread;
pub use answer::{Answered, Evaluation};
pub use error::EvalError;
pub use exact::{Exact, normalise};
pub use menagerie_core::benchmark::{Answer, AnyBenchmark, Benchmark, Example, Marked, Question};
pub use menagerie_core::plugin::{BenchmarkError, BenchmarkPlugin, benchmark, benchmarks};

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use menagerie_core::chat::{Template, Turn};
use menagerie_core::image::{Resize, Squares};
use menagerie_core::recipe::EvalTable;
use menagerie_core::serde_json::Map;
use menagerie_core::{GenerationConfig, Model, VisualTokens};

use marker::Marker;

use crate::data::{Dataset, ImageRef, Prefetch};
use crate::features::{FeatureCache, Known, Preparation};

/// How a model is scored.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct EvalOptions {
    /// The name of the benchmark that asks and marks.
    pub benchmark: String,
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
    /// The features of images that this model's encoder has seen, prepared as
    /// [`resize`](Self::resize) says.
    pub features: Option<Arc<FeatureCache>>,
}

impl Default for EvalOptions {
    fn default() -> Self {
        Self {
            benchmark: Exact::NAME.to_owned(),
            batch_size: 64,
            blind: true,
            max_new_tokens: 16,
            resize: None,
            template: None,
            limit: None,
            features: None,
        }
    }
}

impl From<&EvalTable> for EvalOptions {
    fn from(table: &EvalTable) -> Self {
        let benchmark = table.benchmark.as_deref().unwrap_or(Exact::NAME);
        Self {
            benchmark: benchmark.to_owned(),
            batch_size: table.batch_size,
            blind: table.blind,
            max_new_tokens: table.max_new_tokens,
            resize: table.data.resize,
            template: None,
            limit: table.limit,
            features: None,
        }
    }
}

/// Asks `model` all questions of `data`: of each sample the last answer is the truth, and all
/// before it is the question.
///
/// `progress` hears how many are answered of how many, and says whether to go on.
///
/// # Errors
/// A benchmark that does not exist or marks out of range, data that cannot be used, a question that
/// is too long, or `progress` said no.
pub fn evaluate(
    model: &Model,
    data: &Arc<Dataset>,
    options: &EvalOptions,
    progress: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Evaluation, EvalError> {
    let begun = Instant::now();
    let plugin = benchmark(&options.benchmark)?;
    let benchmark: Arc<dyn AnyBenchmark> = plugin.build(Map::new())?.into();
    let count = options.limit.unwrap_or(usize::MAX).min(data.len());
    let questions: Vec<usize> = (0..count).collect();
    let batches: Vec<Vec<usize>> = questions
        .chunks(options.batch_size.max(1))
        .map(<[usize]>::to_vec)
        .collect();
    let prepared = prepare(model, data, options, &benchmark, batches);
    let config = GenerationConfig {
        max_new_tokens: options.max_new_tokens,
        ..GenerationConfig::default()
    };
    let mut answers = Vec::with_capacity(count);
    let mut done = 0;
    for batch in prepared {
        let mut batch = batch?;
        let seen = batch.seen(model, options.features.as_deref());
        let ids: Vec<&[i64]> = batch
            .prompts
            .iter()
            .map(|prompt| prompt.ids.as_slice())
            .collect();
        let said = answer(model, &ids, seen, &config)?;
        let blind = if options.blind {
            let unseen = batch.unseen(model, options.features.as_deref());
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
                id: prompt.id,
                question: prompt.question,
                truth: prompt.truth,
                answer: said,
                blind,
                sample: prompt.sample,
                ..Answered::default()
            });
        }
        if !progress(done, count) {
            return Err(EvalError::Interrupted { done, total: count });
        }
    }
    let marker = Marker {
        name: &options.benchmark,
        benchmark: benchmark.as_ref(),
        data,
    };
    let (score, blind_score) = marker.mark(&mut answers)?;
    Ok(Evaluation {
        answers,
        seconds: begun.elapsed().as_secs_f64(),
        score,
        blind_score,
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
    /// What is known of each of the distinct images, if features are kept.
    known: Vec<Known>,
}

impl Batch {
    /// Visual tokens of every image mark in order.
    fn seen(&mut self, model: &Model, cache: Option<&FeatureCache>) -> Option<VisualTokens> {
        let distinct = match cache {
            Some(cache) => {
                let known = std::mem::take(&mut self.known);
                model.project(cache.features(model, &self.images, known)?)
            }
            None => model.encode_images(self.images.clone())?,
        };
        Some(distinct.choose(&self.places))
    }

    /// The same of grey images: zero is the mean colour of the encoder's training images.
    fn unseen(&self, model: &Model, cache: Option<&FeatureCache>) -> Option<VisualTokens> {
        let distinct = match cache {
            Some(cache) => model.project(cache.blank(model, self.images.layouts.clone())?),
            None => model.encode_images(self.images.blank())?,
        };
        Some(distinct.choose(&self.places))
    }
}

/// Batches of prompts, tokenised and with their images decoded ahead of their turn.
fn prepare(
    model: &Model,
    data: &Arc<Dataset>,
    options: &EvalOptions,
    benchmark: &Arc<dyn AnyBenchmark>,
    batches: Vec<Vec<usize>>,
) -> Prefetch<Vec<usize>, Result<Batch, EvalError>> {
    let tokenizer = model.tokenizer().clone();
    let template = options.template.clone();
    let template = template.unwrap_or_else(|| model.template().clone());
    let preparation = match &options.features {
        Some(cache) => Preparation::Features(Arc::clone(cache)),
        None => Preparation::Pixels(model.image_processor(options.resize)),
    };
    let data = Arc::clone(data);
    let benchmark = Arc::clone(benchmark);
    let name = options.benchmark.clone();
    let make = move |indices: Vec<usize>| {
        let mut batch = Batch {
            prompts: Vec::new(),
            images: Squares::default(),
            places: Vec::new(),
            known: Vec::new(),
        };
        let mut distinct: Vec<&ImageRef> = Vec::new();
        for sample in indices {
            let conversation = data.sample(sample);
            let question = conversation.question();
            let turns = benchmark.ask(&question);
            let (asked, images) = (turns.iter().map(Turn::images).sum(), question.images());
            if asked != images {
                return Err(EvalError::Images {
                    benchmark: name.clone(),
                    id: conversation.id.clone(),
                    asked,
                    images,
                });
            }
            let ids = tokenizer
                .encode_prompt(&template, &turns)
                .map_err(|source| EvalError::Encode {
                    id: conversation.id.clone(),
                    source,
                })?;
            for image in &conversation.images {
                let known = distinct.iter().position(|other| *other == image);
                let place = known.unwrap_or(distinct.len());
                if known.is_none() {
                    distinct.push(image);
                    let (squares, known) = data.prepare(sample, image, &preparation)?;
                    batch.images.extend(squares);
                    batch.known.extend(known);
                }
                batch.places.push(place);
            }
            batch.prompts.push(Prompt {
                sample,
                id: conversation.id.clone(),
                question: question.text(),
                truth: question.truth.to_owned(),
                ids,
            });
        }
        Ok(batch)
    };
    Prefetch::new(batches, 1, make)
}
