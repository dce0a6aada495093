//! Training: the stages of a recipe, in order, into a run folder.
//!
//! ```text
//! RUN/recipe.toml       the recipe, resolved: training it again repeats the run
//! RUN/model.toml        the trained model as a recipe, for `ask`, `chat`, `eval` and `Recipe::load`
//! RUN/manifest.json     versions, seed, hashes of data and weights, parameters by stage
//! RUN/metrics.jsonl     one line an optimizer step
//! RUN/scores.jsonl      one line a score
//! RUN/weights/STAGE/    vision.safetensors, projector.safetensors, llm.safetensors; of a component
//!                       that carries an adapter the adapter alone, as a folder: llm/
//! RUN/answers/STAGE.jsonl  every question of the score with its answers
//! RUN/tokenizer.json    the tokenizer
//! RUN/report.html       curves, scores and a few answers, in one file
//! ```

mod adamw;
mod adapters;
mod batches;
mod error;
mod files;
mod frozen;
mod gradients;
mod loss;
mod manifest;
mod metrics;
mod observer;
mod report;
mod run;
mod schedule;
mod stage;
mod step;
mod trainable;

pub use adamw::{AdamW, AdamWConfig};
pub use error::TrainError;
pub use gradients::GradientSet;
pub use loss::loss_sum;
pub use metrics::{Score, StepMetrics};
pub use observer::{Observer, Silent, StagePlan};
pub use run::{RunFolder, weights_after};
pub use schedule::{Decay, Schedule};

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use menagerie_core::Recipe;
use menagerie_core::parameters::parameters;

use crate::data::Dataset;
use crate::eval::{self, EvalOptions};
use adapters::Adapters;
use manifest::Manifest;
use stage::{Outcome, StageRun};

/// Trains `recipe` into `run`, which must be new (see [`RunFolder::create`]).
///
/// `stop` is asked after every step: once it is set, training ends there, with
/// [`TrainError::Interrupted`]. Stages that are done stay in the run folder.
///
/// # Errors
/// A recipe that does not fit its data or weights, files that cannot be read or written, a loss
/// that is not a number, or an interruption.
pub fn train(
    recipe: &Recipe,
    run: &RunFolder,
    device: &Device,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<(), TrainError> {
    if recipe.stages.is_empty() {
        return Err(TrainError::NoStage(recipe.name.clone()));
    }
    let recipe = &recipe.resolve()?;
    let configured = recipe.configure()?;
    let bare = parameters(&recipe.network(&configured, &device.clone().inner())?);
    recipe.check_stages(&configured, &bare)?;
    let (mut adapters, mut model) = Adapters::open(recipe, &bare, device)?;
    // Data is opened before the first step, so that a missing file of the last stage shows now.
    let stages = recipe
        .stages()
        .map(|(name, stage)| StageRun::open(recipe, name, stage))
        .collect::<Result<Vec<_>, TrainError>>()?;
    let questions = recipe
        .eval
        .as_ref()
        .map(|table| {
            let data = Dataset::open(&table.data.source())?;
            data.check_images()?;
            Ok::<_, TrainError>(Arc::new(data))
        })
        .transpose()?;

    let mut manifest = Manifest::new(recipe, &model, &bare, &stages, questions.as_deref())?;
    run.begin(recipe, &manifest)?;
    let mut scores = Vec::new();
    let mut previous = None;
    for stage in &stages {
        model = adapters.before(stage, model, run, previous)?;
        let outcome = stage.train(model, run, observer, stop)?;
        let Outcome {
            model: trained,
            finished,
            seconds,
        } = outcome;
        model = trained;
        if !finished {
            return Err(TrainError::Interrupted {
                stage: stage.name.to_owned(),
                run: run.path().to_owned(),
            });
        }
        model = adapters.after(stage, model, run)?;
        let hashes = run.save_stage(stage, &model, &adapters, previous)?;
        manifest.finish_stage(stage.name, hashes, seconds);
        run.write_model(recipe, &model, &adapters, stage.name)?;
        if let (Some(table), Some(data), true) = (&recipe.eval, &questions, stage.table.eval) {
            let options = EvalOptions {
                template: Some(recipe.eval_template()?),
                ..EvalOptions::from(table)
            };
            let mut progress = |done, total| {
                observer.scoring(stage.name, done, total);
                !stop.load(Ordering::Relaxed)
            };
            let evaluation = eval::evaluate(&model, data, &options, &mut progress)?;
            run.write_answers(stage.name, &evaluation)?;
            let score = Score::new(stage.name, &evaluation);
            run.append_score(&score)?;
            observer.scored(&score);
            manifest.scores.push(score.clone());
            scores.push((score, evaluation));
        }
        run.write_manifest(&manifest)?;
        report::write(run, recipe, &manifest, &scores, questions.as_deref())?;
        previous = Some(stage.name);
    }
    observer.done(run.path());
    Ok(())
}
