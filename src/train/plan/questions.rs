//! What answering the questions of a score takes.

use std::collections::HashMap;

use menagerie_core::benchmark::AnyBenchmark;
use menagerie_core::chat::Template;
use menagerie_core::image::{Layout, Resize};
use menagerie_core::splice::Padding;
use menagerie_core::tokens::Tokenizer;
use menagerie_core::{Configured, Numbers, Recipe};
use serde::Serialize;

use super::error::PlanError;
use super::features::Seen;
use super::lengths::are_here;
use super::memory::Held;
use super::record::Recorder;
use super::shape::{PassShape, SampleShape};
use super::step::{About, Step};
use crate::data::{Conversation, Dataset, ImageRef};
use crate::eval::{self, EvalOptions};

/// The memory of answering questions.
#[derive(Debug, Clone, Copy, Serialize)]
#[non_exhaustive]
pub struct ScoreCost {
    /// At the fullest moment.
    pub held: Held,
    /// What the process holds for it: with what the allocator keeps for later use.
    pub resident: u64,
}

/// The largest batch of questions.
pub(super) struct Questions {
    /// They are in memory during the whole run.
    dataset: Dataset,
    /// Those that are asked, by their number in the data.
    asked: Vec<(usize, SampleShape)>,
    /// How their images are made square, if not as the recipe says.
    resize: Option<Resize>,
    shape: PassShape,
    /// The images that they are about, each once.
    distinct: Vec<Layout>,
    /// Which of them each image of a question is.
    places: Vec<usize>,
    /// Tokens that an answer may have.
    tokens: usize,
}

impl Questions {
    /// None if the recipe takes no score, or its questions or the tokenizer are not here.
    pub(super) fn open(
        recipe: &Recipe,
        configured: &Configured,
        tokenizer: Option<&Tokenizer>,
    ) -> Result<Option<Self>, PlanError> {
        let (Some(table), Some(tokenizer)) = (&recipe.eval, tokenizer) else {
            return Ok(None);
        };
        let source = table.data.source();
        let asks = recipe.stages().any(|(_, stage)| stage.eval);
        if !asks || !are_here(std::slice::from_ref(&source)) {
            return Ok(None);
        }
        recipe.check_benchmark()?;
        let options = EvalOptions::from(table);
        let (_, benchmark) = eval::find(&options.benchmark, &options.options)?;
        let dataset = eval::open(benchmark.as_ref(), &source)?;
        let template = recipe.eval_template()?;
        let tokens = configured.image_tokens(table.data.resize);
        let asked = dataset.len().min(table.limit.unwrap_or(usize::MAX));
        let batches = dataset.samples()[..asked].chunks(table.batch_size.max(1));
        let mut all = Vec::new();
        let mut number = 0;
        let shapes = batches.map(|batch| {
            let (mut samples, mut distinct) = (Vec::new(), Distinct::default());
            for asked in batch {
                let images = dataset.layouts(asked, &tokens).ok();
                let sample = images.and_then(|images| {
                    question(tokenizer, &template, benchmark.as_ref(), asked, images)
                });
                if let Some(sample) = sample {
                    distinct.add(asked, &sample.images);
                    all.push((number, sample.clone()));
                    samples.push(sample);
                }
                number += 1;
            }
            let shape = PassShape {
                samples,
                square: tokens.square(),
                padding: Padding::Left,
            };
            (shape, distinct.layouts, distinct.places)
        });
        let largest = shapes.max_by_key(|(shape, ..)| shape.slots());
        Ok(largest.map(|(shape, distinct, places)| Self {
            shape,
            distinct,
            places,
            tokens: table
                .max_new_tokens
                .unwrap_or_else(|| benchmark.max_new_tokens()),
            asked: all,
            resize: table.data.resize,
            dataset,
        }))
    }

    /// Lets the encoder see their images.
    pub(super) fn show(&self, seen: &mut Seen) {
        seen.questions(self.resize, &self.dataset, &self.asked);
    }

    pub(super) fn cost(
        &self,
        recipe: &Recipe,
        configured: &Configured,
    ) -> Result<ScoreCost, PlanError> {
        let recorder = Recorder {
            recipe,
            configured,
            lora: None,
        };
        let record = recorder.answers(&self.shape, (&self.distinct, &self.places), self.tokens)?;
        let about = About {
            numbers: Numbers::to_train(recipe.dtype),
            vocab_size: configured.llm_spec.vocab_size,
        };
        let (held, resident) = Step::forward(&record, about);
        Ok(ScoreCost { held, resident })
    }
}

fn question(
    tokenizer: &Tokenizer,
    template: &Template,
    benchmark: &dyn AnyBenchmark,
    conversation: &Conversation,
    images: Vec<Layout>,
) -> Option<SampleShape> {
    let asked = benchmark.ask(&conversation.question());
    let ids = tokenizer.encode_prompt(template, &asked).ok()?;
    Some(SampleShape {
        text: ids.len().saturating_sub(images.len()),
        images,
        supervised: 0,
    })
}

/// The images of a batch, each once.
#[derive(Default)]
struct Distinct<'d> {
    known: HashMap<&'d ImageRef, usize>,
    layouts: Vec<Layout>,
    places: Vec<usize>,
}

impl<'d> Distinct<'d> {
    fn add(&mut self, asked: &'d Conversation, layouts: &[Layout]) {
        for (image, layout) in asked.images.iter().zip(layouts) {
            let next = self.layouts.len();
            let place = *self.known.entry(image).or_insert(next);
            if place == next {
                self.layouts.push(*layout);
            }
            self.places.push(place);
        }
    }
}
