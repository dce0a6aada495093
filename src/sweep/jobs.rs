//! The runs that a sweep is made of: one for each point, and one for stages that several points begin
//! with, which is trained once.

use std::collections::HashMap;

use menagerie_core::hex::hex;
use menagerie_core::recipe::Sweep;
use menagerie_core::{Recipe, RecipeError};
use sha2::{Digest, Sha256};

use crate::train::prefix;

/// A run of a sweep.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Job {
    /// The name of its folder.
    pub name: String,
    /// Whether it is stages that several points begin with, and no point itself.
    pub is_shared: bool,
    /// What it trains.
    pub recipe: Recipe,
    /// The number of the job that it goes on from.
    pub after: Option<usize>,
    /// The numbers of the points that it is part of; of a point its own.
    pub points: Vec<usize>,
}

impl Job {
    /// Its run folder within the sweep's.
    #[must_use]
    pub fn folder(&self) -> String {
        let room = if self.is_shared { "shared" } else { "runs" };
        format!("{room}/{}", self.name)
    }
}

/// Stages that points have in common.
struct Beginning {
    key: String,
    stages: usize,
    /// Points with more stages than these.
    points: Vec<usize>,
    /// A point of these stages and no more: its run is what the others go on from.
    whole: Option<usize>,
}

/// The jobs of a sweep: shared stages, the shorter ones first, then the points in their order.
///
/// # Errors
/// A point whose plugins or sizes do not fit.
pub fn jobs(sweep: &Sweep) -> Result<Vec<Job>, RecipeError> {
    let beginnings = beginnings(sweep)?;
    let shared: Vec<&Beginning> = beginnings
        .iter()
        .filter(|one| one.whole.is_none())
        .collect();
    let number = |beginning: &Beginning| match beginning.whole {
        Some(point) => shared.len() + point,
        None => shared
            .iter()
            .take_while(|one| one.key != beginning.key)
            .count(),
    };
    let after = |points: &[usize], stages: usize| {
        let mut shorter: Vec<&Beginning> = beginnings.iter().collect();
        shorter.retain(|one| one.stages < stages && points.iter().all(|p| one.points.contains(p)));
        let longest = shorter.into_iter().max_by_key(|beginning| beginning.stages);
        longest.map(number)
    };
    let mut jobs = Vec::with_capacity(shared.len() + sweep.points.len());
    for beginning in &shared {
        let mut recipe = sweep.points[beginning.points[0]].recipe.clone();
        recipe.stages.truncate(beginning.stages);
        let last = recipe.stages.last().cloned().unwrap_or_default();
        let hash = hex(&Sha256::digest(&beginning.key));
        recipe.name = format!("{last}-{}", &hash[..8]);
        jobs.push(Job {
            name: recipe.name.clone(),
            is_shared: true,
            after: after(&beginning.points, beginning.stages),
            points: beginning.points.clone(),
            recipe,
        });
    }
    for (number, point) in sweep.points.iter().enumerate() {
        jobs.push(Job {
            name: point.name.clone(),
            is_shared: false,
            after: after(&[number], point.recipe.stages.len()),
            points: vec![number],
            recipe: point.recipe.clone(),
        });
    }
    Ok(jobs)
}

/// What at least two points begin with, or one point beside another one that is no more than that; the
/// shorter ones first. Of those that the same points have in common the longest.
fn beginnings(sweep: &Sweep) -> Result<Vec<Beginning>, RecipeError> {
    let mut all: Vec<Beginning> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for (number, point) in sweep.points.iter().enumerate() {
        let count = point.recipe.stages.len();
        for stages in 1..=count {
            let key = prefix(&point.recipe, stages)?.to_string();
            let place = *known.entry(key.clone()).or_insert(all.len());
            if place == all.len() {
                all.push(Beginning {
                    key,
                    stages,
                    points: Vec::new(),
                    whole: None,
                });
            }
            if stages == count {
                all[place].whole.get_or_insert(number);
            } else {
                all[place].points.push(number);
            }
        }
    }
    let is_longest = |one: &Beginning| {
        let mut others = all.iter();
        !others.any(|other| other.stages > one.stages && other.points == one.points)
    };
    let keep: Vec<bool> = all
        .iter()
        .map(|one| match one.whole {
            Some(_) => !one.points.is_empty(),
            None => one.points.len() > 1 && is_longest(one),
        })
        .collect();
    let kept = all.into_iter().zip(keep);
    let mut kept: Vec<Beginning> = kept.filter_map(|(one, keep)| keep.then_some(one)).collect();
    kept.sort_by_key(|beginning| beginning.stages);
    Ok(kept)
}
