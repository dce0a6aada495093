//! Steps counted over all stages of a run.

/// A run's stages with their steps, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Timeline(Vec<(String, usize)>);

impl Timeline {
    /// Of stages, each with its name and its number of steps.
    pub(crate) fn new<'s>(stages: impl IntoIterator<Item = (&'s str, usize)>) -> Self {
        let stages = stages.into_iter();
        Self(
            stages
                .map(|(name, steps)| (name.to_owned(), steps))
                .collect(),
        )
    }

    /// Each stage's name, the steps of those before it, and its own.
    pub(crate) fn stages(&self) -> impl Iterator<Item = (&str, usize, usize)> {
        self.0.iter().scan(0, |before, (name, steps)| {
            *before += steps;
            Some((name.as_str(), *before - steps, *steps))
        })
    }

    /// A stage's step, counted over all stages; `None` for a stage that is none of the run's.
    pub(crate) fn at(&self, stage: &str, step: usize) -> Option<usize> {
        let (_, before, _) = self.stages().find(|(name, ..)| *name == stage)?;
        Some(before + step)
    }

    /// Whether `step` is the end of `stage`.
    pub(crate) fn is_end(&self, stage: &str, step: usize) -> bool {
        self.0
            .iter()
            .any(|(name, steps)| name == stage && *steps == step)
    }
}
