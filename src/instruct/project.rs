//! What is to be made, before anybody is asked.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::amounts::{Amounts, PerType};
use super::error::InstructError;
use super::manifest::MadeOf;
use super::plan::Plan;
use super::prompts::Prompts;
use super::response::ResponseType;
use super::run::Run;
use super::source::{Contexts, Source};
use crate::endpoint::ChatRequest;

/// What is to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Where contexts come from.
    pub source: Source,
    /// How many samples are made. Default: one of each context, in the paper's shares.
    pub amounts: Amounts,
    /// Decides which context gets which type, and which question a description answers. Default: 0.
    pub seed: u64,
    /// A folder of prompts. Default: those that come along.
    pub prompts: Option<PathBuf>,
    /// The teacher's name at its endpoint.
    pub model: String,
    /// How its replies are drawn.
    pub sampling: Sampling,
    /// How many replies to a request are asked for until one can be taken. Default: 3.
    pub attempts: u32,
    /// The folder that image names are relative to. With it, tar shards are written, images within.
    pub images: Option<PathBuf>,
}

/// How the teacher's replies are drawn. What is `None` is left to the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// The temperature. Default: the endpoint's.
    pub temperature: Option<f64>,
    /// Draw from the likeliest tokens that together have this probability. Default: the endpoint's.
    pub top_p: Option<f64>,
    /// The longest reply, in tokens. Default: 1024.
    pub max_tokens: Option<u32>,
    /// Whether a request has a seed, another one for each sample and attempt. Default: it has none,
    /// as some endpoints do not take it.
    pub seeded: bool,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: None,
            top_p: None,
            max_tokens: Some(1024),
            seeded: false,
        }
    }
}

impl Options {
    /// Everything as by default.
    pub fn new(source: Source, model: impl Into<String>) -> Self {
        Self {
            source,
            amounts: Amounts::default(),
            seed: 0,
            prompts: None,
            model: model.into(),
            sampling: Sampling::default(),
            attempts: 3,
            images: None,
        }
    }
}

/// Contexts, prompts, and a plan of what is made of them.
#[derive(Debug)]
pub struct Project {
    options: Options,
    contexts: Contexts,
    counts: PerType<u64>,
    plan: Plan,
    prompts: Prompts,
}

impl Project {
    /// Reads contexts and prompts, and plans.
    ///
    /// # Errors
    /// A file is wrong or missing, or nothing is to be made.
    pub fn new(options: Options) -> Result<Self, InstructError> {
        let prompts = match &options.prompts {
            Some(folder) => Prompts::load(folder)?,
            None => Prompts::built_in()?,
        };
        let contexts = options.source.read()?;
        let counts = options.amounts.counts(contexts.all.len());
        let counts = counts.ok_or(InstructError::NoSample)?;
        let plan = Plan::new(contexts.all.len(), &counts, options.seed);
        let project = Self {
            options,
            contexts,
            counts,
            plan,
            prompts,
        };
        project.check_prompts()?;
        project.check_images()?;
        Ok(project)
    }

    /// Opens the folder of its run, or makes it.
    ///
    /// # Errors
    /// It is another run's, it is damaged, or another process works in it.
    pub fn open(&self, folder: &Path) -> Result<Run<'_>, InstructError> {
        Run::open(self, folder)
    }

    /// What was read.
    #[must_use]
    pub const fn contexts(&self) -> &Contexts {
        &self.contexts
    }

    /// Samples of each type.
    #[must_use]
    pub const fn counts(&self) -> PerType<u64> {
        self.counts
    }

    /// What is made of what.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What the teacher is told.
    #[must_use]
    pub const fn prompts(&self) -> &Prompts {
        &self.prompts
    }

    /// What was asked for.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// What the teacher is asked for a task at an attempt.
    ///
    /// # Errors
    /// A template asks for something that the context does not have.
    pub fn request(&self, task: usize, attempt: u32) -> Result<ChatRequest, InstructError> {
        let task = self.plan.tasks()[task];
        let context = &self.contexts.all[task.context];
        let sampling = self.options.sampling;
        let seed = || self.plan.reply_seed(&task.name(context), attempt);
        Ok(ChatRequest {
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            max_tokens: sampling.max_tokens,
            seed: sampling.seeded.then(seed),
            ..ChatRequest::new(self.prompts.messages(task.kind, context)?)
        })
    }

    /// What decides about the samples.
    pub(super) fn made_of(&self) -> MadeOf {
        MadeOf {
            model: self.options.model.clone(),
            prompts_sha256: self.prompts.sha256(),
            seed: self.options.seed,
            sampling: self.options.sampling,
            samples: self.counts,
            inputs: self.contexts.files.clone(),
        }
    }

    /// Whether the prompts can be filled, before anybody is asked.
    fn check_prompts(&self) -> Result<(), InstructError> {
        for kind in ResponseType::ALL {
            if self.counts[kind] > 0 {
                self.prompts.messages(kind, &self.contexts.all[0])?;
            }
        }
        Ok(())
    }

    /// Whether the images of all samples are there, before anything is paid.
    fn check_images(&self) -> Result<(), InstructError> {
        let Some(folder) = &self.options.images else {
            return Ok(());
        };
        let mut used: Vec<usize> = self.plan.tasks().iter().map(|task| task.context).collect();
        used.sort_unstable();
        used.dedup();
        let total = used.len();
        let paths = used
            .into_iter()
            .map(|context| folder.join(&self.contexts.all[context].image));
        let mut missing = paths.filter(|path| !path.is_file());
        match missing.next() {
            None => Ok(()),
            Some(path) => Err(InstructError::NoImage {
                path,
                others: missing.count(),
                total,
            }),
        }
    }
}
