//! Putting questions to a model, a batch at a time.

use std::ops::ControlFlow;
use std::sync::Arc;

use menagerie_core::benchmark::AnyBenchmark;
use menagerie_core::chat::{Template, Turn};
use menagerie_core::image::Squares;
use menagerie_core::tokens::Tokenizer;
use menagerie_core::{GenerationConfig, Model, VisualTokens};

use super::answer::Answered;
use super::error::EvalError;
use super::options::EvalOptions;
use crate::data::{Conversation, Dataset, ImageRef, Prefetch};
use crate::features::{FeatureCache, Known, Preparation};

/// Questions for a model.
pub(crate) struct Asker<'a> {
    pub model: &'a Model,
    pub data: &'a Arc<Dataset>,
    pub benchmark: &'a Arc<dyn AnyBenchmark>,
    pub options: &'a EvalOptions,
}

impl Asker<'_> {
    /// How many questions are asked in all.
    pub(crate) fn count(&self) -> usize {
        let limit = self.options.limit.unwrap_or(usize::MAX);
        limit.min(self.data.len())
    }

    /// Asks the questions from `first` on, the first of a batch. Which questions are answered
    /// together does not depend on it. `each` gets the answers of a batch and says whether to go on.
    pub(crate) fn ask<E: From<EvalError>>(
        &self,
        first: usize,
        each: &mut dyn FnMut(Vec<Answered>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let questions: Vec<usize> = (first..self.count()).collect();
        let batches = questions.chunks(self.options.batch_size.max(1));
        let batches: Vec<Vec<usize>> = batches.map(<[usize]>::to_vec).collect();
        let cache = self.options.features.as_deref();
        let config = self.generation();
        for batch in self.prepare(batches) {
            let mut batch = batch?;
            let seen = batch.seen(self.model, cache);
            let ids: Vec<&[i64]> = batch
                .prompts
                .iter()
                .map(|prompt| prompt.ids.as_slice())
                .collect();
            let said = answer(self.model, &ids, seen, &config)?;
            let blind = if self.options.blind {
                let unseen = batch.unseen(self.model, cache);
                answer(self.model, &ids, unseen, &config)?
                    .into_iter()
                    .map(Some)
                    .collect()
            } else {
                vec![None; said.len()]
            };
            let answers = batch.prompts.into_iter().zip(said).zip(blind);
            let answers = answers.map(|((prompt, said), blind)| Answered {
                id: prompt.id,
                question: prompt.question,
                truth: prompt.truth,
                answer: said,
                blind,
                sample: prompt.sample,
                ..Answered::default()
            });
            if each(answers.collect())?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// How answers are drawn: the likeliest token each time.
    pub(crate) fn generation(&self) -> GenerationConfig {
        let own = || self.benchmark.max_new_tokens();
        GenerationConfig {
            max_new_tokens: self.options.max_new_tokens.unwrap_or_else(own),
            ..GenerationConfig::default()
        }
    }

    /// How questions are written.
    pub(crate) fn writer(&self) -> Writer {
        let template = self.options.template.clone();
        Writer {
            tokenizer: self.model.tokenizer().clone(),
            template: template.unwrap_or_else(|| self.model.template().clone()),
            benchmark: Arc::clone(self.benchmark),
            name: self.options.benchmark.clone(),
        }
    }

    /// Batches of prompts, tokenised and with their images decoded ahead of their turn.
    fn prepare(&self, batches: Vec<Vec<usize>>) -> Prefetch<Vec<usize>, Result<Batch, EvalError>> {
        let preparation = match &self.options.features {
            Some(cache) => Preparation::Features(Arc::clone(cache)),
            None => Preparation::Pixels(self.model.image_processor(self.options.resize)),
        };
        let data = Arc::clone(self.data);
        let writer = self.writer();
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
                let ids = writer.ids(conversation)?;
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
                let question = conversation.question();
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
}

/// Writes questions as the model reads them.
pub(crate) struct Writer {
    tokenizer: Tokenizer,
    pub template: Template,
    benchmark: Arc<dyn AnyBenchmark>,
    /// The benchmark's name.
    name: String,
}

impl Writer {
    /// What the benchmark asks.
    pub(crate) fn turns(&self, conversation: &Conversation) -> Result<Vec<Turn>, EvalError> {
        let question = conversation.question();
        let turns = self.benchmark.ask(&question);
        let (asked, images) = (turns.iter().map(Turn::images).sum(), question.images());
        if asked != images {
            return Err(EvalError::Images {
                benchmark: self.name.clone(),
                id: conversation.id.clone(),
                asked,
                images,
            });
        }
        Ok(turns)
    }

    /// The ids of its prompt.
    pub(crate) fn ids(&self, conversation: &Conversation) -> Result<Vec<i64>, EvalError> {
        let turns = self.turns(conversation)?;
        let ids = self.tokenizer.encode_prompt(&self.template, &turns);
        ids.map_err(|source| EvalError::Encode {
            id: conversation.id.clone(),
            source,
        })
    }
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
