//! The steps of a stage, one after the other, and what is due after each.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use menagerie_core::Model;

use super::{Progress, Session};
use crate::train::checkpoint::{FORMAT, Logs, Snapshot, Standing, learning, optimizer};
use crate::train::error::TrainError;
use crate::train::memory::Memory;
use crate::train::metrics::{StepMetrics, StepTiming};
use crate::train::stage::StageRun;
use crate::train::step::Step;

/// Share of the smoothed loss that a step keeps.
const KEEP: f64 = 0.95;
/// Steps before a loss can be called exploding: the first ones may be anything.
const SETTLED: usize = 20;

/// The loss of a model that finds every token equally likely.
fn ignorance(model: &Model) -> f64 {
    (model.configured().llm_spec.vocab_size as f64).ln()
}

impl Session<'_> {
    /// Steps to the end of the stage.
    pub(super) fn steps(
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
        let mut features = self.features_of(&at.model, stage.table.data.resize)?;
        let mut loader = stage.loader(&at.model, &passes, at.step, features.shared());
        while at.step < stage.steps {
            if self.stop.load(Ordering::Relaxed) {
                // Someone may have asked since the last step was looked at.
                if self.saved_step != at.step {
                    self.save(stage, &at, true)?;
                }
                return Err(self.interrupted(stage, at.step)?);
            }
            let (begun, mut waited) = (Instant::now(), Duration::ZERO);
            let network = at.model.network();
            let mut work = Step::new(&at.model, network, stage.pass(), features.cache());
            for pass in 0..passes.of_step(at.step) {
                let waiting = Instant::now();
                let batch = loader
                    .next()
                    .expect("the loader has a batch for every pass")?;
                waited += waiting.elapsed();
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
            let asked = features.step();
            let timing = StepTiming {
                stage: stage.name.to_owned(),
                step: at.step,
                seconds,
                wait_seconds: waited.as_secs_f64(),
                resident_bytes: memory.resident,
                peak_bytes: memory.peak,
                features_found: asked.map(|asked| asked.found),
                features_computed: asked.map(|asked| asked.computed),
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
        self.tell_of(&features, stage);
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

    /// Begins to write a checkpoint.
    pub(super) fn save(
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
}
