//! Scores, in the middle of a stage and at its end.

use std::sync::atomic::Ordering;

use menagerie_core::Model;
use menagerie_core::recipe::EvalTable;

use super::{Progress, Session};
use crate::eval::{self, EvalError, EvalOptions};
use crate::train::checkpoint::Best;
use crate::train::error::TrainError;
use crate::train::metrics::Score;
use crate::train::stage::StageRun;
use crate::train::trainable;

impl Session<'_> {
    pub(super) fn score_due(&self, stage: &StageRun<'_>, step: usize) -> bool {
        let every = self.recipe.eval.as_ref().and_then(|eval| eval.every_steps);
        stage.table.eval
            && step < stage.steps
            && every.is_some_and(|every| step.is_multiple_of(every))
    }

    /// Takes a score in the middle of a stage. False if someone asked to stop before it was done.
    pub(super) fn score_within(
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
    pub(super) fn score(
        &mut self,
        stage: &StageRun<'_>,
        model: &Model,
        step: usize,
        answers: &str,
    ) -> Result<(), TrainError> {
        let (Some(table), Some(data)) = (&self.recipe.eval, self.questions.clone()) else {
            return Ok(());
        };
        let features = self.features_of(model, table.data.resize)?;
        let options = EvalOptions {
            features: features.shared(),
            ..self.options(table)?
        };
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
