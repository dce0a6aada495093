//! Putting questions to a model, several at a time.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use menagerie_core::benchmark::AnyBenchmark;
use menagerie_core::{GenerationConfig, Model};

use super::answer::Answered;
use super::asked::{Asked, Failed};
use super::batch::{Batch, Maker};
use super::error::EvalError;
use super::options::EvalOptions;
use super::shown::Viewer;
use super::writer::Writer;
use crate::data::{Dataset, Prefetch};
use crate::features::Preparation;

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

    /// Asks the questions from `first` on. `each` gets the answers in the questions' order, as many at a time as a
    /// batch has, and says whether to go on.
    pub(crate) fn ask<E: From<EvalError>>(
        &self,
        first: usize,
        each: &mut dyn FnMut(Vec<Answered>) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let size = self.options.batch_size.max(1);
        let viewer = Viewer {
            model: self.model,
            features: self.options.features.as_deref(),
            blind: self.options.blind,
            shown: Vec::new(),
        };
        let mut asked = Asked {
            batches: self.prepare(first, size),
            viewer,
            remaining: self.count().saturating_sub(first),
            size,
            each,
            prompts: VecDeque::new(),
            open: VecDeque::new(),
            first: 0,
        };
        let mut session = self.model.session();
        let answered = session.answer(size, &self.generation(), &mut asked);
        answered.map_err(|Failed(error)| error)
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
    fn prepare(
        &self,
        first: usize,
        size: usize,
    ) -> Prefetch<Range<usize>, Result<Batch, EvalError>> {
        let maker = Maker {
            data: Arc::clone(self.data),
            writer: self.writer(),
            preparation: match &self.options.features {
                Some(cache) => Preparation::Features(Arc::clone(cache)),
                None => Preparation::Pixels(self.model.image_processor(self.options.resize)),
            },
        };
        let count = self.count();
        let starts = (first..count).step_by(size);
        let batches = starts.map(|start| start..count.min(start + size));
        let batches: Vec<Range<usize>> = batches.collect();
        Prefetch::new(batches, 1, move |batch| {
            let before = batch.start.saturating_sub(size).max(first)..batch.start;
            maker.make(before, batch)
        })
    }
}
