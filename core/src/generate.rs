//! Answers, token by token.
//!
//! Prompts of different lengths are answered together: rows are padded on the left, and padding is
//! seen by nobody, so that a row's answer is the one it would get alone.

mod sampling;
mod stop;

use std::ops::ControlFlow;

use burn::tensor::{DType, Int, Tensor, TensorData};
use serde::Serialize;
use thiserror::Error;

use crate::cache::KvCache;
use crate::context::{Context, Rows};
use crate::decoder::DecoderSpec;
use crate::network::Network;
use crate::splice::{Padding, Splice, expanded_lens};
use crate::tokens::{EncodeError, StreamDecoder, Tokenizer};
use crate::visual::VisualTokens;
use sampling::Sampler;
use stop::StopScanner;

pub use crate::recipe::GenerationConfig;

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finish {
    /// The model ended it with an end token.
    EndToken,
    /// A stop string appeared.
    StopString,
    /// It reached `max_new_tokens` or the decoder's longest sequence.
    Length,
    /// The caller broke off.
    Cancelled,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Completion {
    /// The text, without the template's space before it, end token and stop string.
    pub text: String,
    /// The tokens drawn, an end token excluded.
    pub ids: Vec<i64>,
    /// The end token that ended it, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_token: Option<i64>,
    /// Why it ended.
    pub finish: Finish,
}

/// A prompt that cannot be answered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// It leaves no room for an answer.
    #[error(
        "the prompt is {tokens} tokens long and the decoder takes {limit}; shorten it or give fewer images"
    )]
    TooLong {
        /// Tokens of the prompt, visual tokens included.
        tokens: usize,
        /// The decoder's longest sequence.
        limit: usize,
    },

    /// The tokenizer cannot turn a token into text.
    #[error(transparent)]
    Decode(#[from] EncodeError),
}

/// Whether a prompt leaves room for an answer.
pub(crate) fn check_length(tokens: usize, limit: usize) -> Result<(), GenerateError> {
    if tokens < limit {
        return Ok(());
    }
    Err(GenerateError::TooLong { tokens, limit })
}

/// What a batch of prompts is answered with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Generator<'a> {
    pub network: &'a Network,
    pub spec: &'a DecoderSpec,
    /// The type of number of keys and values that are kept.
    pub cache: DType,
    pub tokenizer: &'a Tokenizer,
    pub config: &'a GenerationConfig,
    /// Tokens that end an answer.
    pub end_tokens: &'a [i64],
    /// What the template writes before an answer, which the model writes and nobody wants.
    pub lead: &'a str,
    /// Texts that end an answer.
    pub stop: &'a [String],
}

impl Generator<'_> {
    /// Answers `prompts`, whose visual tokens are `images` in order. `on_text` gets each row's text as it comes, and breaks off all rows.
    pub(crate) fn run(
        &self,
        prompts: &[&[i64]],
        images: Option<VisualTokens>,
        on_text: &mut dyn FnMut(usize, &str) -> ControlFlow<()>,
    ) -> Result<Vec<Completion>, GenerateError> {
        if prompts.is_empty() {
            return Ok(Vec::new());
        }
        let counts = images.as_ref().map_or(&[][..], |images| &images.counts);
        let splice = Splice::new(prompts, counts, Padding::Left);
        let limit = self.spec.max_position_embeddings;
        check_length(splice.width(), limit)?;
        let rooms: Vec<usize> = expanded_lens(prompts, counts)
            .into_iter()
            .map(|length| limit - length)
            .map(|room| room.min(self.config.max_new_tokens))
            .collect();
        let steps = rooms.iter().copied().max().unwrap_or(0);
        let mut answers: Vec<Answer> = (0..)
            .zip(prompts.iter().zip(rooms))
            .map(|(row, (prompt, room))| Answer::new(self, row, prompt, room))
            .collect();
        let mut session = Session::new(self, &splice, steps);
        let mut logits = session.prefill(self.network.embed(&splice, images));
        for step in 1..=steps {
            for (row, (answer, logits)) in answers.iter_mut().zip(logits).enumerate() {
                answer.take(self, logits, &mut |text| on_text(row, text))?;
            }
            if answers
                .iter()
                .any(|answer| answer.finish == Some(Finish::Cancelled))
            {
                for answer in &mut answers {
                    answer.end(Finish::Cancelled);
                }
            }
            if step == steps || answers.iter().all(|answer| answer.finish.is_some()) {
                break;
            }
            let last: Vec<i64> = answers.iter().map(Answer::last).collect();
            logits = session.step(&last);
        }
        let rows = answers.into_iter().enumerate();
        rows.map(|(row, answer)| answer.complete(&mut |text| on_text(row, text)))
            .collect()
    }
}

/// The decoder's side of a batch: the cache and where each row stands.
struct Session<'a> {
    network: &'a Network,
    /// Taken while a pass holds it.
    cache: Option<KvCache>,
    prompt: Rows,
    /// The next token's position in each row.
    positions: Vec<u32>,
}

impl<'a> Session<'a> {
    fn new(generator: &Generator<'a>, splice: &Splice, steps: usize) -> Self {
        let rows = &splice.rows;
        let count = |row: &Vec<u32>| {
            row.iter()
                .filter(|&&segment| segment != crate::context::PADDING)
                .count()
        };
        let lengths = rows.segments.iter().map(count);
        let positions = lengths
            .map(|len| u32::try_from(len).unwrap_or(u32::MAX))
            .collect();
        let capacity = splice.width() + steps;
        Self {
            network: generator.network,
            cache: Some(KvCache::of(
                generator.cache,
                generator.spec.num_layers,
                capacity,
            )),
            prompt: rows.clone(),
            positions,
        }
    }

    /// Logits of each row's first answer token.
    fn prefill(&mut self, embeds: Tensor<3>) -> Vec<Vec<f32>> {
        let rows = self.prompt.clone();
        self.pass(embeds, &rows)
    }

    /// Logits after one more token a row.
    fn step(&mut self, ids: &[i64]) -> Vec<Vec<f32>> {
        let rows = Rows {
            positions: self
                .positions
                .iter()
                .map(|&position| vec![position])
                .collect(),
            segments: vec![vec![1]; ids.len()],
        };
        self.positions
            .iter_mut()
            .for_each(|position| *position += 1);
        let data = TensorData::new(ids.to_vec(), [ids.len(), 1]);
        let ids: Tensor<2, Int> = Tensor::from_data(data, &self.network.device());
        self.pass(self.network.llm.embed(ids), &rows)
    }

    fn pass(&mut self, embeds: Tensor<3>, rows: &Rows) -> Vec<Vec<f32>> {
        let cache = self.cache.take().expect("every pass gives the cache back");
        let mut context = Context::with_cache(rows, cache, &self.network.device());
        let hidden = self.network.llm.forward(embeds, &mut context);
        self.cache = context.into_cache();
        let [batch, tokens, _] = hidden.dims();
        let logits = self.network.llm.logits(hidden.narrow(1, tokens - 1, 1));
        let flat: Vec<f32> = logits.try_to_vec_as().expect("logits are floats");
        flat.chunks(flat.len() / batch)
            .map(<[f32]>::to_vec)
            .collect()
    }
}

/// One row's answer as it grows.
struct Answer<'a> {
    sampler: Sampler<'a>,
    scanner: StopScanner<'a>,
    stream: StreamDecoder<'a>,
    /// Prompt and answer.
    seen: Vec<i64>,
    prompt_len: usize,
    /// Tokens it may have.
    room: usize,
    /// Taken off the beginning of the text; nothing once that has come.
    lead: &'a str,
    text: String,
    end_token: Option<i64>,
    finish: Option<Finish>,
}

impl<'a> Answer<'a> {
    fn new(generator: &Generator<'a>, row: u64, prompt: &[i64], room: usize) -> Self {
        Self {
            sampler: Sampler::new(generator.config, row),
            scanner: StopScanner::new(generator.stop),
            stream: StreamDecoder::new(generator.tokenizer),
            seen: prompt.to_vec(),
            prompt_len: prompt.len(),
            room,
            lead: generator.lead,
            text: String::new(),
            end_token: None,
            finish: None,
        }
    }

    /// Draws a token and passes on the text it brings.
    fn take(
        &mut self,
        generator: &Generator<'_>,
        logits: Vec<f32>,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(), GenerateError> {
        if self.finish.is_some() {
            return Ok(());
        }
        let id = self.sampler.next(logits, &self.seen);
        if generator.end_tokens.contains(&i64::from(id)) {
            self.end_token = Some(id.into());
            self.end(Finish::EndToken);
            return Ok(());
        }
        self.seen.push(id.into());
        let text = self.stream.push(id)?;
        let text = self.scanner.push(&text);
        self.pass_on(&text, on_text);
        if self.scanner.stopped() {
            self.end(Finish::StopString);
        } else if self.seen.len() - self.prompt_len == self.room {
            self.end(Finish::Length);
        }
        Ok(())
    }

    fn pass_on(&mut self, text: &str, on_text: &mut dyn FnMut(&str) -> ControlFlow<()>) {
        if text.is_empty() {
            return;
        }
        let text = text
            .strip_prefix(std::mem::take(&mut self.lead))
            .unwrap_or(text);
        if text.is_empty() {
            return;
        }
        self.text.push_str(text);
        if on_text(text).is_break() {
            self.end(Finish::Cancelled);
        }
    }

    fn end(&mut self, finish: Finish) {
        self.finish.get_or_insert(finish);
    }

    /// What the next step continues from; an ended row goes on with anything.
    fn last(&self) -> i64 {
        self.seen.last().copied().unwrap_or(0).max(0)
    }

    fn complete(
        mut self,
        on_text: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion, GenerateError> {
        let finish = self.finish.unwrap_or(Finish::Length);
        if !self.scanner.stopped() {
            let rest = self.stream.finish()?;
            let mut held = self.scanner.push(&rest);
            held.push_str(&self.scanner.finish());
            self.pass_on(&held, on_text);
        }
        Ok(Completion {
            text: self.text,
            ids: self.seen.split_off(self.prompt_len),
            end_token: self.end_token,
            finish,
        })
    }
}
