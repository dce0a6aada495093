//! Training: the stages of a recipe, in order, into a run folder.
//!
//! ```text
//! RUN/recipe.toml       the recipe, resolved: training it again repeats the run
//! RUN/model.toml        the trained model as a recipe, for `ask`, `chat`, `bench run` and `Recipe::load`
//! RUN/manifest.json     versions, seed, hashes of data and weights, parameters by stage
//! RUN/metrics.jsonl     one line an optimizer step: what follows from recipe and data
//! RUN/timings.jsonl     one line an optimizer step, one a score: what they cost
//! RUN/scores.jsonl      one line a score
//! RUN/tensorboard/      both of these and the scores for TensorBoard
//! RUN/skipped.jsonl     one line a sample that could not be learned from, if there are any
//! RUN/weights/STAGE/    vision.safetensors, projector.safetensors, llm.safetensors; of a component
//!                       that carries an adapter the adapter alone, as a folder: llm/
//! RUN/checkpoints/        what is needed to go on exactly; see `train --resume`
//! RUN/answers/STAGE.jsonl  every question of the score with its answers
//! RUN/tokenizer.json    the tokenizer
//! RUN/report.html       curves, scores and a few answers, in one file
//! ```

mod adamw;
mod adapters;
mod checkpoint;
mod curves;
mod difference;
mod error;
mod files;
mod fork;
mod frozen;
mod gradients;
mod history;
mod log;
mod loss;
mod manifest;
mod memory;
mod metrics;
mod observer;
mod pass;
pub mod plan;
mod prefix;
mod rates;
mod report;
mod resume;
mod run;
mod schedule;
mod session;
mod skipped;
mod smooth;
mod stage;
mod step;
mod tape;
mod tensorboard;
mod timeline;
mod totals;
pub mod trainable;

pub use adamw::{AdamW, AdamWConfig, Moments, Rates};
pub use checkpoint::CheckpointModel;
pub(crate) use curves::{Quantity, curve};
pub use difference::{Difference, differences};
pub use error::TrainError;
pub use fork::fork;
pub use gradients::GradientSet;
pub use history::History;
pub use loss::loss_sum;
pub use metrics::{Score, ScoreTiming, StepMetrics, StepTiming};
pub use observer::{Observer, Silent, StagePlan};
pub use pass::{Pass, PassDone, PassOptions};
pub use prefix::prefix;
pub use run::{RunFolder, weights_after};
pub use schedule::{Decay, Schedule};
pub(crate) use smooth::Smooth;
pub(crate) use timeline::Timeline;
pub use totals::StageTotals;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use menagerie_core::parameters::{ParameterInfo, parameters};
use menagerie_core::{Model, Recipe};

use crate::code::Code;
use crate::data::Dataset;
use crate::eval;
use adapters::Adapters;
use manifest::{InitialWeights, Manifest};
use session::{Session, Start};
use stage::StageRun;

/// Trains `recipe` into `run`, which must be new (see [`RunFolder::create`]).
///
/// `stop` is asked after every step: once it is set, the run is saved as it stands and training ends
/// there, with [`TrainError::Interrupted`]; [`resume`] goes on.
///
/// # Errors
/// A recipe that does not fit its data or weights, files that cannot be read or written, a loss
/// that is not a number or that explodes, or an interruption.
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
    recipe.check_dtype()?;
    let recipe = &recipe.resolve()?;
    let opened = Opened::new(recipe)?;
    let (adapters, model) = opened.assemble(recipe, 0, run, device)?;
    let code = Code::here(device);
    let manifest = opened.manifest(recipe, &model, code, InitialWeights::of(&model)?)?;
    run.begin(recipe, &manifest)?;
    let base = manifest.base(None);
    let parts = (opened.stages, opened.questions, adapters);
    let start = Start::Stage(0);
    let session = Session::new(recipe, run, parts, manifest, start, observer, stop)?;
    session.run(model, base)
}

/// Goes on with the run in `run` (see [`RunFolder::open`]) from its newest checkpoint, so that its
/// weights become those of a run that was never interrupted, bit for bit, on the same machine in f32.
///
/// `recipe` is the run's own, `recipe.toml` in its folder. A checkpoint that is damaged is told to
/// `observer`, and the one before it is taken.
///
/// # Errors
/// As [`train`]; and [`TrainError::Changed`] if recipe, data, weights or program are not what they
/// were, unless `allow_changes`.
pub fn resume(
    recipe: &Recipe,
    run: &RunFolder,
    allow_changes: bool,
    device: &Device,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<(), TrainError> {
    let before = Manifest::read(run.path())?;
    run.sweep()?;
    if before.as_ref().is_ok_and(Manifest::finished) {
        observer.note("all stages are done: nothing is left to train");
        observer.done(run.path());
        return Ok(());
    }
    let recipe = &recipe.resolve()?;
    let opened = Opened::new(recipe)?;
    let saved = resume::find(run, recipe, observer)?;
    let code = Code::here(device);
    let changes = match (&saved, &before) {
        (Some(saved), _) => {
            let data = resume::sources(&opened.stages, opened.questions.as_deref());
            resume::changes(saved, &recipe.to_toml()?, &data, &code, run)
        }
        // Of what was computed nothing is used.
        (None, Ok(before)) => before.changes(recipe, &code)?,
        (None, Err(_)) => Vec::new(),
    };
    if !changes.is_empty() && !allow_changes {
        return Err(TrainError::Changed {
            run: run.path().to_owned(),
            changes,
        });
    }
    resume::cut_logs(run, saved.as_ref(), observer)?;
    let standing = saved.as_ref().map(|saved| &saved.standing);
    let mut stages = opened.stages.iter();
    let first = standing.map(|standing| stages.position(|stage| stage.name == standing.stage));
    let first = first.flatten().unwrap_or(0);
    match standing {
        Some(standing) => observer.note(&format!(
            "going on after step {} of {} of stage `{}`",
            standing.step, standing.steps, standing.stage
        )),
        None => observer.note("no checkpoint is there: going on from the beginning"),
    }
    let from = run::before_stage(recipe, run.path(), opened.stages[first].name)?;
    let (adapters, model) = opened.assemble(&from, first, run, device)?;
    let initial = match &before {
        Ok(before) => before.initial_weights().to_vec(),
        Err(_) => InitialWeights::of(&model)?,
    };
    let mut manifest = opened.manifest(recipe, &model, code, initial)?;
    match before {
        Ok(before) => {
            manifest = manifest.going_on(before, History::read(run.path())?.scores);
        }
        // A run that was killed before its first step has none yet.
        Err(_) if saved.is_none() => {}
        Err(reason) => observer.note(&format!("{reason}; it is made anew")),
    }
    manifest.add_changes(changes);
    let base = match standing {
        Some(standing) => standing.base.clone(),
        None => manifest.base(None),
    };
    run.begin(recipe, &manifest)?;
    let parts = (opened.stages, opened.questions, adapters);
    let start = match &saved {
        Some(saved) => Start::Saved(first, saved),
        None => Start::Stage(0),
    };
    let session = Session::new(recipe, run, parts, manifest, start, observer, stop)?;
    session.run(model, base)
}

/// What a run is opened to: its data, and the parameters of its model.
struct Opened<'r> {
    stages: Vec<StageRun<'r>>,
    questions: Option<Arc<Dataset>>,
    /// Without adapters.
    parameters: Vec<ParameterInfo>,
}

impl<'r> Opened<'r> {
    /// Opens all data before the first step, so that a missing file of the last stage shows now.
    fn new(recipe: &'r Recipe) -> Result<Self, TrainError> {
        let configured = recipe.configure()?;
        let parameters = parameters(&recipe.network(&configured, &Device::flex())?);
        recipe.check_stages(&configured, &parameters)?;
        let stages = recipe
            .stages()
            .map(|(name, stage)| StageRun::open(recipe, name, stage))
            .collect::<Result<Vec<_>, TrainError>>()?;
        let questions = recipe
            .eval
            .as_ref()
            .map(|table| {
                let data = eval::open_table(table)?;
                data.check_images()?;
                Ok::<_, TrainError>(Arc::new(data))
            })
            .transpose()?;
        Ok(Self {
            stages,
            questions,
            parameters,
        })
    }

    /// The model of `recipe` as the stage of number `first` finds it.
    fn assemble(
        &self,
        recipe: &Recipe,
        first: usize,
        run: &RunFolder,
        device: &Device,
    ) -> Result<(Adapters, Model), TrainError> {
        let stages = self.stages.split_at(first);
        Adapters::open(recipe, stages, &self.parameters, run, device)
    }

    fn manifest(
        &self,
        recipe: &Recipe,
        model: &Model,
        code: Code,
        initial: Vec<InitialWeights>,
    ) -> Result<Manifest, TrainError> {
        let (stages, questions) = (&self.stages, self.questions.as_deref());
        Manifest::new(
            recipe,
            model,
            &self.parameters,
            stages,
            questions,
            code,
            initial,
        )
    }
}
