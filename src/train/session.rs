//! A run from where it stands to its end: its stages, and the files of each.

mod features;
mod score;
mod steps;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use menagerie_core::recipe::CheckpointTable;
use menagerie_core::{Model, Recipe};

use super::adamw::AdamW;
use super::adapters::Adapters;
use super::checkpoint::{Best, Checkpoints, Saved, Writer};
use super::error::TrainError;
use super::files::FileHash;
use super::frozen::Fingerprint;
use super::log::{LogPlan, RunLog};
use super::manifest::Manifest;
use super::observer::Observer;
use super::resume::{data_hashes, sources};
use super::run::RunFolder;
use super::stage::StageRun;
use super::{report, trainable};
use crate::data::Dataset;
use crate::eval::EvalError;
use crate::features::EncoderIdentity;

/// Where a session begins.
pub(super) enum Start<'s> {
    /// At the first step of the stage of that number; those before it are done.
    Stage(usize),
    /// Within the stage of that number, where a checkpoint left it.
    Saved(usize, &'s Saved),
}

impl<'s> Start<'s> {
    fn stage(&self) -> usize {
        match self {
            Self::Stage(first) | Self::Saved(first, _) => *first,
        }
    }

    fn saved(&self) -> Option<&'s Saved> {
        match self {
            Self::Stage(_) => None,
            Self::Saved(_, saved) => Some(saved),
        }
    }
}

/// All that a run needs besides its model.
pub(super) struct Session<'a> {
    recipe: &'a Recipe,
    /// The recipe, resolved, as TOML.
    recipe_text: String,
    stages: Vec<StageRun<'a>>,
    questions: Option<Arc<Dataset>>,
    adapters: Adapters,
    run: &'a RunFolder,
    observer: &'a mut dyn Observer,
    stop: &'a AtomicBool,
    manifest: Manifest,
    data: BTreeMap<String, Vec<String>>,
    writer: Writer,
    table: CheckpointTable,
    /// The best score within each stage so far.
    best: BTreeMap<String, Best>,
    /// When the last checkpoint was begun.
    saved: Instant,
    /// After how many steps of the stage it was taken.
    saved_step: usize,
    log: RunLog,
    start: Start<'a>,
    /// The encoder whose features are kept, once it is known.
    encoder: Option<EncoderIdentity>,
}

/// A stage as it goes.
struct Progress {
    model: Model,
    optimizer: AdamW,
    /// Steps done.
    step: usize,
    smoothed_loss: Option<f64>,
    seconds: f64,
    base: Vec<FileHash>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        recipe: &'a Recipe,
        run: &'a RunFolder,
        (stages, questions, adapters): (Vec<StageRun<'a>>, Option<Arc<Dataset>>, Adapters),
        manifest: Manifest,
        start: Start<'a>,
        observer: &'a mut dyn Observer,
        stop: &'a AtomicBool,
    ) -> Result<Self, TrainError> {
        let table = recipe.checkpoint.clone().unwrap_or_default();
        let checkpoints = Checkpoints::new(run.path(), &recipe.stages);
        let recipe_text = recipe.to_toml()?;
        let timeline = manifest.timeline();
        let standing = start.saved().map(|saved| &saved.standing);
        let done = match standing {
            Some(standing) => timeline.at(&standing.stage, standing.step),
            None => timeline
                .stages()
                .nth(start.stage())
                .map(|(_, before, _)| before),
        };
        let log = RunLog::open(
            run.path(),
            &LogPlan {
                timeline: &timeline,
                first: done.unwrap_or(0),
                recipe: &recipe_text,
                samples: recipe.eval.as_ref().map_or(0, |table| table.samples),
            },
        )?;
        let writer = Writer::new(checkpoints, table.keep, table.keep_best);
        if let Some(standing) = standing {
            writer.tidy(standing)?;
        }
        Ok(Self {
            recipe,
            recipe_text,
            data: data_hashes(&sources(&stages, questions.as_deref())),
            stages,
            questions,
            adapters,
            run,
            observer,
            stop,
            manifest,
            writer,
            table,
            best: standing
                .map(|standing| standing.best.clone())
                .unwrap_or_default(),
            saved: Instant::now(),
            saved_step: standing.map_or(0, |standing| standing.step),
            log,
            start,
            encoder: None,
        })
    }

    /// Runs the stages from its start on. `base` are the files that `model` came from.
    pub(super) fn run(
        mut self,
        mut model: Model,
        mut base: Vec<FileHash>,
    ) -> Result<(), TrainError> {
        let (first, mut saved) = (self.start.stage(), self.start.saved());
        let stages = std::mem::take(&mut self.stages);
        for (number, stage) in stages.iter().enumerate().skip(first) {
            let previous = number.checked_sub(1).map(|before| stages[before].name);
            (model, base) = self.stage(stage, model, base, saved.take(), previous)?;
        }
        self.manifest.finish();
        self.run.write_manifest(&self.manifest)?;
        self.observer.done(self.run.path());
        Ok(())
    }

    fn stage(
        &mut self,
        stage: &StageRun<'_>,
        model: Model,
        base: Vec<FileHash>,
        saved: Option<&Saved>,
        previous: Option<&str>,
    ) -> Result<(Model, Vec<FileHash>), TrainError> {
        let model = self.adapters.before(stage, model, self.run, previous)?;
        let lies_over = self.adapters.files(&base, self.run)?;
        self.observer.stage(&stage.plan(&model));
        let before = Fingerprint::of(model.network(), |path| stage.learns(path));
        let at = self.begin(stage, model, base, saved)?;
        let is_scored = saved.is_none_or(|saved| saved.standing.scored);
        let Progress { model, seconds, .. } = self.steps(stage, at, is_scored)?;
        self.writer.finish()?;

        let model = model.map_network(trainable::none);
        let after = Fingerprint::of(model.network(), |path| stage.learns(path));
        if let Some(parameter) = before.moved(&after) {
            return Err(TrainError::FrozenMoved {
                stage: stage.name.to_owned(),
                parameter: parameter.to_owned(),
            });
        }
        let model = self.adapters.after(stage, model, self.run)?;
        let mut hashes = self
            .run
            .save_stage(stage, &model, &self.adapters, previous)?;
        hashes.extend(lies_over);
        self.manifest
            .finish_stage(stage.name, hashes.clone(), seconds);
        self.run
            .write_model(self.recipe, &model, &self.adapters, stage.name)?;
        if stage.table.eval {
            match self.score(stage, &model, stage.steps, stage.name) {
                Err(TrainError::Eval(EvalError::Interrupted { .. })) => {
                    return Err(self.interrupted(stage, stage.steps)?);
                }
                scored => scored?,
            }
        }
        self.run.write_manifest(&self.manifest)?;
        self.report()?;
        Ok((model, hashes))
    }

    /// Writes the report of what is done.
    fn report(&self) -> Result<(), TrainError> {
        let questions = self.questions.as_deref();
        report::write(self.run, self.recipe, &self.manifest, questions)
    }

    /// The stage at its first step, or where `saved` left it.
    fn begin(
        &mut self,
        stage: &StageRun<'_>,
        model: Model,
        base: Vec<FileHash>,
        saved: Option<&Saved>,
    ) -> Result<Progress, TrainError> {
        let mut optimizer = AdamW::new(stage.adamw());
        let mut network = model.network().clone();
        if let Some(saved) = saved {
            network = saved.restore(network)?;
            optimizer = AdamW::restored(stage.adamw(), saved.moments(&model.device())?);
        }
        let network = trainable::for_stage(network, |path| stage.learns(path));
        let standing = saved.map(|saved| &saved.standing);
        let at = Progress {
            model: model.map_network(|_| network),
            optimizer,
            step: standing.map_or(0, |standing| standing.step),
            smoothed_loss: standing.and_then(|standing| standing.smoothed_loss),
            seconds: standing.map_or(0.0, |standing| standing.seconds),
            base,
        };
        self.saved_step = at.step;
        if saved.is_none() {
            self.save(stage, &at, true)?;
        }
        Ok(at)
    }

    /// The end that someone asked for, once what is done is safe.
    fn interrupted(&mut self, stage: &StageRun<'_>, step: usize) -> Result<TrainError, TrainError> {
        self.writer.finish()?;
        Ok(TrainError::Interrupted {
            stage: stage.name.to_owned(),
            step,
            steps: stage.steps,
            run: self.run.path().to_owned(),
        })
    }
}
