//! Answers that share what they have in common.

use std::ops::ControlFlow;

use super::{Model, Request, RequestError};
use crate::generate::{Completion, GenerationConfig, Listed, Memory, Prompt, Queue, SeenImage};
use crate::image::Squares;

/// Answers of a model one after another, and the key-value cache that goes from one to the next.
///
/// What a prompt begins with is not read again if a prompt before it began the same: the turns of a conversation so
/// far, or an image and the text before it. An answer is the one that a new session gives, but for rounding.
///
/// ```no_run
/// # use std::ops::ControlFlow;
/// # use menagerie_core::{Model, chat::Turn, model::Request};
/// # fn talk(model: &Model, photo: Vec<u8>) -> Result<(), menagerie_core::model::RequestError> {
/// let mut session = model.session();
/// let mut said = Request::question("What is this?", vec![photo]);
/// let answer = session.generate(&said, model.generation(), |_| ControlFlow::Continue(()))?;
/// said.turns.extend([Turn::assistant(answer.text), Turn::human("And its colour?")]);
/// // Neither the photo nor the first question is read again.
/// session.generate(&said, model.generation(), |_| ControlFlow::Continue(()))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Session<'m> {
    model: &'m Model,
    memory: Memory,
    /// The images of the last request: files and what was seen.
    shown: Vec<(Vec<u8>, SeenImage)>,
}

impl<'m> Session<'m> {
    pub(super) fn new(model: &'m Model) -> Self {
        Self {
            model,
            memory: Memory::default(),
            shown: Vec::new(),
        }
    }

    /// Answers one request, as [`Model::generate`] does.
    ///
    /// # Errors
    /// As there.
    pub fn generate(
        &mut self,
        request: &Request,
        config: &GenerationConfig,
        mut on_text: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion, RequestError> {
        let prompt = self.prompt(request)?;
        let mut on_text = |_: usize, text: &str| on_text(text);
        let mut listed = Listed::new(vec![prompt], &mut on_text);
        self.answer(1, config, &mut listed)?;
        Ok(listed.into_answers().swap_remove(0))
    }

    /// Answers the prompts of `queue`, at most `most` at a time. The random numbers of an answer follow from the
    /// seed of `config` and the number of its prompt in the queue.
    ///
    /// # Errors
    /// A prompt that is too long, or an error of the queue's.
    pub fn answer<Q: Queue>(
        &mut self,
        most: usize,
        config: &GenerationConfig,
        queue: &mut Q,
    ) -> Result<(), Q::Error> {
        let mut stop = config.stop.clone();
        let own = self.model.template.stop();
        if !own.is_empty() {
            stop.push(own.to_owned());
        }
        let generator = self.model.generator(config, &stop);
        generator.run(&mut self.memory, most, queue)
    }

    /// A request as a prompt. An image of the request before is not seen again.
    fn prompt(&mut self, request: &Request) -> Result<Prompt, RequestError> {
        let known = |file: &Vec<u8>| self.shown.iter().find(|(shown, _)| shown == file);
        let mut squares = Squares::default();
        let mut files: Vec<&Vec<u8>> = Vec::new();
        for (number, file) in (1..).zip(&request.images) {
            if known(file).is_none() && !files.contains(&file) {
                squares.extend(self.model.squares_of(number, file)?);
                files.push(file);
            }
        }
        let ids = self.model.prompt(request)?;
        let seen = self.model.encode_images(squares);
        let seen = seen.map_or_else(Vec::new, |seen| seen.each());
        let new = files.into_iter().cloned().zip(seen);
        let mut shown: Vec<(Vec<u8>, SeenImage)> = new.collect();
        shown.append(&mut self.shown);
        shown.retain(|(file, _)| request.images.contains(file));
        self.shown = shown;
        let of_file = |file: &Vec<u8>| {
            let mut shown = self.shown.iter();
            let found = shown.find(|(shown, _)| shown == file);
            found.expect("every image has been seen").1.clone()
        };
        Ok(Prompt {
            ids,
            images: request.images.iter().map(of_file).collect(),
        })
    }
}
