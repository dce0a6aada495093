//! A run from where it stands to its end: steps, scores, checkpoints, and the files of each stage.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use menagerie_core::recipe::{CheckpointTable, EvalTable};
use menagerie_core::{Model, Recipe};

use super::adamw::AdamW;
use super::adapters::Adapters;
use super::checkpoint::{
    Best, Checkpoints, FORMAT, Logs, Saved, Snapshot, Standing, Writer, learning, optimizer,
};
use super::error::TrainError;
use super::files::FileHash;
use super::frozen::Fingerprint;
use super::log::{LogPlan, RunLog};
use super::manifest::Manifest;
use super::memory::Memory;
use super::metrics::{Score, StepMetrics, StepTiming};
use super::observer::Observer;
use super::resume::{data_hashes, sources};
use super::run::RunFolder;
use super::stage::StageRun;
use super::step::Step;
use super::{report, trainable};
use crate::data::Dataset;
use crate::eval::{self, EvalError, EvalOptions};

/// Share of the smoothed loss that a step keeps.
const KEEP: f64 = 0.95;
/// Steps before a loss can be called exploding: the first ones may be anything.
const SETTLED: usize = 20;

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

/// The loss of a model that finds every token equally likely.
fn ignorance(model: &Model) -> f64 {
    (model.configured().llm_spec.vocab_size as f64).ln()
}

impl<'a> Session<'a> {
    pub(super) fn new(
        recipe: &'a Recipe,
        run: &'a RunFolder,
        (stages, questions, adapters): (Vec<StageRun<'a>>, Option<Arc<Dataset>>, Adapters),
        manifest: Manifest,
        standing: Option<&Standing>,
        observer: &'a mut dyn Observer,
        stop: &'a AtomicBool,
    ) -> Result<Self, TrainError> {
        let table = recipe.checkpoint.clone().unwrap_or_default();
        let checkpoints = Checkpoints::new(run.path(), &recipe.stages);
        let recipe_text = recipe.to_toml()?;
        let timeline = manifest.timeline();
        let done = standing.and_then(|standing| timeline.at(&standing.stage, standing.step));
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
        })
    }

    /// Runs the stages from number `first` on; the first of them from a checkpoint, if there is one.
    /// `base` are the files that `model` came from.
    pub(super) fn run(
        mut self,
        mut model: Model,
        mut base: Vec<FileHash>,
        first: usize,
        mut saved: Option<&Saved>,
    ) -> Result<(), TrainError> {
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

    /// Steps to the end of the stage.
    fn steps(
        &mut self,
        stage: &StageRun<'_>,
        mut at: Progress,
        is_scored: bool,
    ) -> Result<Progress, TrainError> {
        if !is_scored {
            let done;
            (at, done) = self.score_within(stage, at)?;
            if done {
                // As if it had not been missing.
                self.save(stage, &at, true)?;
            }
        }
        let rates = stage.rates(&at.model);
        let passes = stage.passes(&at.model);
        let mut skipped = self.run.skipped(stage.name)?;
        skipped.note(stage.data.left_out(), self.observer)?;
        let mut loader = stage.loader(&at.model, &passes, at.step);
        while at.step < stage.steps {
            if self.stop.load(Ordering::Relaxed) {
                // Someone may have asked since the last step was looked at.
                if self.saved_step != at.step {
                    self.save(stage, &at, true)?;
                }
                return Err(self.interrupted(stage, at.step)?);
            }
            let (begun, mut waited) = (Instant::now(), Duration::ZERO);
            let mut work = Step::new(&at.model, at.model.network(), stage.pass());
            for pass in 0..passes.of_step(at.step) {
                let asked = Instant::now();
                let batch = loader
                    .next()
                    .expect("the loader has a batch for every pass")?;
                waited += asked.elapsed();
                skipped.note(&batch.skipped, self.observer)?;
                stage.adapter_passes.begin(stage.pass_seed(at.step, pass));
                work.pass(batch);
                stage.adapter_passes.end();
            }
            let done = work.finish();
            let mut gradients = done.gradients;
            let grad_norm = gradients.norm();
            let smoothed = at.smoothed_loss;
            let explodes = smoothed.is_some_and(|smoothed| {
                let limit = stage.table.max_loss_ratio;
                limit > 0.0
                    && at.step >= SETTLED
                    && done.loss > (limit * smoothed).max(ignorance(&at.model))
            });
            if !done.loss.is_finite() || !grad_norm.is_finite() || explodes {
                self.writer.discard(stage.name, at.step)?;
                return Err(TrainError::Loss {
                    stage: stage.name.to_owned(),
                    step: at.step,
                    loss: done.loss,
                    smoothed,
                    grad_norm,
                    samples: done.samples,
                    run: self.run.path().to_owned(),
                });
            }
            if stage.table.max_grad_norm > 0.0 {
                gradients.clip(grad_norm, stage.table.max_grad_norm);
            }
            let (optimizer, step) = (&mut at.optimizer, at.step);
            at.model = at.model.map_network(|network| {
                optimizer.step(network, &gradients, |path| rates.of(step, path))
            });

            let line = StepMetrics {
                stage: stage.name.to_owned(),
                step: at.step,
                loss: done.loss,
                grad_norm,
                lr: rates.own(at.step),
                group_lrs: rates.groups(at.step),
                supervised_tokens: done.supervised_tokens,
                tokens: done.tokens,
                samples: done.samples.len(),
            };
            let seconds = begun.elapsed().as_secs_f64();
            let memory = Memory::now();
            let timing = StepTiming {
                stage: stage.name.to_owned(),
                step: at.step,
                seconds,
                wait_seconds: waited.as_secs_f64(),
                resident_bytes: memory.resident,
                peak_bytes: memory.peak,
            };
            self.log.step(&line, &timing)?;
            self.observer.step(&line, &timing);
            at.smoothed_loss = Some(smoothed.map_or(done.loss, |smoothed| {
                KEEP * smoothed + (1.0 - KEEP) * done.loss
            }));
            at.seconds += seconds;
            at.step += 1;
            at = self.after_step(stage, at)?;
        }
        Ok(at)
    }

    /// The score and the checkpoint that are due.
    fn after_step(
        &mut self,
        stage: &StageRun<'_>,
        mut at: Progress,
    ) -> Result<Progress, TrainError> {
        self.writer.check()?;
        let best_before = self.best.get(stage.name).map(|best| best.step);
        let mut scored = true;
        if self.score_due(stage, at.step) {
            (at, scored) = self.score_within(stage, at)?;
        }
        let is_best = self.best.get(stage.name).map(|best| best.step) != best_before;
        let stopped = self.stop.load(Ordering::Relaxed);
        let minutes = self.saved.elapsed().as_secs_f64() / 60.0;
        let every_steps = self.table.every_steps;
        if stopped
            || at.step == stage.steps
            || (is_best && self.table.keep_best)
            || every_steps.is_some_and(|steps| at.step.is_multiple_of(steps))
            || (self.table.every_minutes > 0.0 && minutes >= self.table.every_minutes)
        {
            self.save(stage, &at, scored)?;
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

    /// Begins to write a checkpoint.
    fn save(
        &mut self,
        stage: &StageRun<'_>,
        at: &Progress,
        scored: bool,
    ) -> Result<(), TrainError> {
        let has_learned = at.step > 0;
        let learns = |path: &str| has_learned && stage.learns(path);
        let standing = Standing {
            format: FORMAT,
            stage: stage.name.to_owned(),
            step: at.step,
            steps: stage.steps,
            seed: self.recipe.seed,
            smoothed_loss: at.smoothed_loss,
            scored,
            best: self.best.clone(),
            seconds: at.seconds,
            logs: Logs(self.run.path()).synced()?,
            optimizer_steps: optimizer::steps(&at.optimizer),
            base: at.base.clone(),
            data: self.data.clone(),
            tensors: Vec::new(),
            code: self.manifest.code.clone(),
        };
        self.saved = Instant::now();
        self.saved_step = at.step;
        self.writer.begin(Snapshot {
            standing,
            recipe: self.recipe_text.clone(),
            weights: learning(at.model.network(), learns),
            optimizer: optimizer::tensors(&at.optimizer),
        })
    }

    fn score_due(&self, stage: &StageRun<'_>, step: usize) -> bool {
        let every = self.recipe.eval.as_ref().and_then(|eval| eval.every_steps);
        stage.table.eval
            && step < stage.steps
            && every.is_some_and(|every| step.is_multiple_of(every))
    }

    /// Takes a score in the middle of a stage. False if someone asked to stop before it was done.
    fn score_within(
        &mut self,
        stage: &StageRun<'_>,
        mut at: Progress,
    ) -> Result<(Progress, bool), TrainError> {
        let learning = at.model.network().clone();
        at.model = at.model.map_network(trainable::none);
        let answers = format!("{}-{}", stage.name, at.step);
        let scored = self.score(stage, &at.model, at.step, &answers);
        at.model = at.model.map_network(|_| learning);
        match scored {
            Err(TrainError::Eval(EvalError::Interrupted { .. })) => Ok((at, false)),
            Err(error) => Err(error),
            Ok(()) => {
                self.report()?;
                Ok((at, true))
            }
        }
    }

    /// Asks the questions and writes down how it went.
    fn score(
        &mut self,
        stage: &StageRun<'_>,
        model: &Model,
        step: usize,
        answers: &str,
    ) -> Result<(), TrainError> {
        let (Some(table), Some(data)) = (&self.recipe.eval, self.questions.clone()) else {
            return Ok(());
        };
        let options = self.options(table)?;
        let mut progress = |done, total| {
            self.observer.scoring(stage.name, done, total);
            !self.stop.load(Ordering::Relaxed)
        };
        let evaluation = eval::evaluate(model, &data, &options, &mut progress)?;
        self.run.write_answers(answers, &evaluation)?;
        let score = Score::new(stage.name, step, &evaluation);
        self.log.score(&score, &evaluation)?;
        self.observer.scored(&score);
        let best = self.best.get(stage.name);
        if best.is_none_or(|best| score.score > best.score) {
            let score = score.score;
            self.best
                .insert(stage.name.to_owned(), Best { step, score });
        }
        self.manifest.scores.push(score);
        Ok(())
    }

    fn options(&self, table: &EvalTable) -> Result<EvalOptions, TrainError> {
        Ok(EvalOptions {
            template: Some(self.recipe.eval_template()?),
            ..EvalOptions::from(table)
        })
    }
}
