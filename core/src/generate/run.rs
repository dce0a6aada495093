//! Prompts answered together.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::answer::{Answer, Plan};
use super::memory::{Entry, Logits, Memory};
use super::{Finish, GenerateError, Generator, Queue, check_length};
use crate::prompt::{self, Piece, Prompt};

/// So many slots that a prompt could share with one that is about to be read are worth waiting for it.
const WORTH: usize = 8;

impl Generator<'_> {
    /// Answers the prompts of `queue`, at most `most` at a time.
    pub(crate) fn run<Q: Queue>(
        &self,
        memory: &mut Memory,
        most: usize,
        queue: &mut Q,
    ) -> Result<(), Q::Error> {
        let mut run = Run {
            generator: *self,
            memory,
            most: most.max(1),
            numbered: 0,
            waiting: VecDeque::new(),
            rows: Vec::new(),
        };
        loop {
            run.pull(queue)?;
            let wave = run.wave();
            let flow = if !wave.is_empty() {
                run.read(wave, queue)?
            } else if run.rows.iter().any(Option::is_some) {
                run.step(queue)?
            } else {
                return Ok(());
            };
            if flow.is_break() {
                return Ok(());
            }
        }
    }
}

/// A prompt without a row.
struct Waiting {
    prompt: Prompt,
    pieces: Vec<Piece>,
    plan: Plan,
}

struct Run<'r> {
    generator: Generator<'r>,
    memory: &'r mut Memory,
    most: usize,
    /// How many prompts have come.
    numbered: usize,
    waiting: VecDeque<Waiting>,
    /// The answers under way, each in its row of the cache.
    rows: Vec<Option<Answer<'r>>>,
}

impl Run<'_> {
    /// Takes prompts for all rows that are free.
    fn pull<Q: Queue>(&mut self, queue: &mut Q) -> Result<(), Q::Error> {
        let answering = self.rows.iter().flatten().count();
        while answering + self.waiting.len() < self.most {
            let Some(prompt) = queue.next()? else {
                break;
            };
            let waiting = self.admit(prompt)?;
            self.waiting.push_back(waiting);
        }
        let longest = self.waiting.iter().map(|waiting| waiting.plan.reach).max();
        if let Some(longest) = longest {
            let rows = (answering + self.waiting.len()).max(self.rows.len());
            self.rows.resize_with(rows, || None);
            let Generator { spec, cache, .. } = self.generator;
            self.memory.reserve(spec, cache, [rows, longest]);
        }
        Ok(())
    }

    fn admit(&mut self, prompt: Prompt) -> Result<Waiting, GenerateError> {
        let pieces = prompt.pieces();
        let tokens = prompt::len(&pieces);
        let limit = self.generator.spec.max_position_embeddings;
        check_length(tokens, limit)?;
        let room = self.generator.config.max_new_tokens.min(limit - tokens);
        self.numbered += 1;
        Ok(Waiting {
            prompt,
            pieces,
            plan: Plan {
                number: self.numbered - 1,
                room,
                reach: tokens + room,
            },
        })
    }

    /// Gives free rows to prompts, the next first; but for those that could share with one of these what no row
    /// holds yet: they come after it.
    fn wave(&mut self) -> Vec<(Entry, Waiting)> {
        let free = |(row, answer): (usize, &Option<Answer<'_>>)| answer.is_none().then_some(row);
        let free: Vec<usize> = self.rows.iter().enumerate().filter_map(free).collect();
        let mut free = free[..free.len().min(self.waiting.len())].to_vec();
        let mut under_way = self.rows.iter().flatten();
        let mut reach = under_way.next().map(|answer| answer.plan.reach);
        let mut wave: Vec<(Entry, Waiting)> = Vec::new();
        let mut later = VecDeque::new();
        while let Some(next) = self.waiting.pop_front() {
            let alike = reach.is_none_or(|reach| self.memory.alike(reach, next.plan.reach));
            if free.is_empty() || !alike {
                later.push_back(next);
                break;
            }
            let (from, known) = self.memory.best(&next.pieces, next.plan.reach, &free);
            let coming = wave.iter().map(|(entry, _)| entry.pieces.as_slice());
            let coming = coming.map(|pieces| prompt::common(pieces, &next.pieces));
            let coming = coming.max().unwrap_or(0).max(known);
            if prompt::len(&next.pieces[known..coming]) >= WORTH {
                later.push_back(next);
                continue;
            }
            let place = free.iter().position(|&row| row == from && known > 0);
            let row = free.remove(place.unwrap_or(0));
            let pieces = next.pieces.clone();
            let entry = self.memory.enter(row, pieces, next.plan.reach);
            reach = Some(next.plan.reach);
            wave.push((entry, next));
        }
        later.append(&mut self.waiting);
        self.waiting = later;
        wave.sort_by_key(|(entry, _)| entry.row);
        wave
    }

    /// Reads prompts, and draws the first token of each answer.
    fn read<Q: Queue>(
        &mut self,
        wave: Vec<(Entry, Waiting)>,
        queue: &mut Q,
    ) -> Result<ControlFlow<()>, Q::Error> {
        let (entries, begun): (Vec<Entry>, Vec<Waiting>) = wave.into_iter().unzip();
        let mut passes = self.memory.read(self.generator.network, &entries);
        let logits = passes.iter_mut().flat_map(Logits::rows);
        for ((entry, begun), logits) in entries.iter().zip(begun).zip(logits) {
            let mut answer = Answer::new(&self.generator, begun.plan, &begun.prompt.ids);
            let number = answer.plan.number;
            answer.take(&self.generator, logits, &mut |text| {
                queue.text(number, text)
            })?;
            self.rows[entry.row] = Some(answer);
        }
        self.settle(queue)
    }

    /// Draws a further token of each answer.
    fn step<Q: Queue>(&mut self, queue: &mut Q) -> Result<ControlFlow<()>, Q::Error> {
        self.close_gaps();
        let under_way = || self.rows.iter().flatten();
        let tokens: Vec<i64> = under_way().map(Answer::last).collect();
        let mut logits = self.memory.step(self.generator.network, &tokens);
        for (answer, logits) in self.rows.iter_mut().flatten().zip(logits.rows()) {
            let number = answer.plan.number;
            answer.take(&self.generator, logits, &mut |text| {
                queue.text(number, text)
            })?;
        }
        self.settle(queue)
    }

    /// Moves answers to the first rows, so that a pass over them has no others.
    fn close_gaps(&mut self) {
        let mut end = self.rows.len();
        while let Some(last) = self.rows[..end].iter().rposition(Option::is_some) {
            let Some(gap) = self.rows[..last].iter().position(Option::is_none) else {
                break;
            };
            self.memory.shift(last, gap);
            self.rows.swap(last, gap);
            end = last;
        }
    }

    /// Hands out the answers that have ended. All have once one is broken off.
    fn settle<Q: Queue>(&mut self, queue: &mut Q) -> Result<ControlFlow<()>, Q::Error> {
        let mut answers = self.rows.iter().flatten();
        let mut is_cancelled = answers.any(|answer| answer.finish == Some(Finish::Cancelled));
        loop {
            if is_cancelled {
                let answers = self.rows.iter_mut().flatten();
                for answer in answers {
                    answer.end(Finish::Cancelled);
                }
            }
            let mut rows = self.rows.iter_mut();
            let ended = rows.find_map(|row| row.take_if(|answer| answer.finish.is_some()));
            let Some(answer) = ended else {
                break;
            };
            let number = answer.plan.number;
            let completion = answer.complete(&mut |text| {
                let flow = queue.text(number, text);
                is_cancelled |= flow.is_break();
                flow
            })?;
            if queue.answered(number, completion)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(if is_cancelled {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }
}
