//! What a sweep will cost, told before it runs.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor};
use menagerie_core::{Recipe, RecipeError};
use serde::Serialize;

use super::jobs::Job;
use crate::train::plan::{Plan, PlanOptions, plan};

/// Side of the matrices whose product tells how fast this machine computes.
const SIDE: usize = 512;
/// How long that is looked at.
const LOOK: Duration = Duration::from_millis(300);
/// The share of the memory that runs may take together: plans are near, and not exact.
const MEMORY_SHARE: f64 = 0.8;

/// What a run of the sweep will cost.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct JobCost {
    /// The job's name.
    pub name: String,
    /// Whether it is stages that several points share.
    pub is_shared: bool,
    /// The folder of the run that it goes on from.
    pub after: Option<String>,
    /// Optimizer steps that it trains itself; none where its data is not on this machine.
    pub steps: Option<usize>,
    /// Optimizer steps of all its stages, those that it goes on from included.
    pub all_steps: Option<usize>,
    /// Arithmetic of the steps that it trains itself.
    pub flops: Option<f64>,
    /// Numbers of the model.
    pub parameters: usize,
    /// The most memory that it holds, a checkpoint that is being written included.
    pub peak_bytes: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Why nothing of this is known, if it cannot be planned.
    pub problem: Option<String>,
}

/// What a sweep will cost.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct SweepCost {
    /// Each job, in order.
    pub jobs: Vec<JobCost>,
    /// Optimizer steps of all jobs.
    pub steps: Option<usize>,
    /// Optimizer steps that sharing stages saves.
    pub saved_steps: Option<usize>,
    /// Arithmetic of all steps.
    pub flops: Option<f64>,
    /// Operations a second of a large matrix product on this machine's CPU.
    pub flops_per_second: f64,
    /// The least time that the steps take: their arithmetic at that speed. Small models and scores
    /// take more.
    pub least_seconds: Option<f64>,
    /// Bytes on disk.
    pub disk_bytes: u64,
    /// Memory of this machine, where the system tells it.
    pub machine_bytes: Option<u64>,
}

impl SweepCost {
    /// How many runs fit into the memory at once, on so many cores.
    #[must_use]
    pub fn at_once(&self, cores: usize) -> usize {
        let mut peaks: Vec<u64> = self.jobs.iter().map(|job| job.peak_bytes).collect();
        peaks.sort_unstable_by(|a, b| b.cmp(a));
        let memory = self
            .machine_bytes
            .map_or(f64::MAX, |bytes| bytes as f64 * MEMORY_SHARE);
        let mut taken = 0.0;
        let fitting = peaks.iter().take_while(|peak| {
            taken += **peak as f64;
            taken <= memory
        });
        fitting.take(cores).count().max(1)
    }
}

/// Plans every job. Points that differ in their seed alone are planned once. A job that cannot be
/// planned says why, and the rest is planned all the same.
#[must_use]
pub fn cost(jobs: &[Job]) -> SweepCost {
    let mut known: HashMap<String, Result<Plan, String>> = HashMap::new();
    let mut costs: Vec<JobCost> = Vec::with_capacity(jobs.len());
    for job in jobs {
        let after = job.after.map(|after| &jobs[after]);
        let planned = match seedless(&job.recipe) {
            Ok(key) => known.entry(key).or_insert_with(|| {
                let planned = plan(&job.recipe, &PlanOptions::default());
                planned.map_err(|error| error.to_string())
            }),
            Err(error) => &mut Err(error.to_string()),
        };
        costs.push(of_job(job, after, planned));
    }
    let total = |of: fn(&JobCost) -> Option<f64>| costs.iter().map(of).sum::<Option<f64>>();
    let sum = |of: fn(&JobCost) -> Option<usize>| costs.iter().map(of).sum::<Option<usize>>();
    let flops = total(|job| job.flops);
    let steps = sum(|job| job.steps);
    let alone = sum(|job| {
        if job.is_shared {
            Some(0)
        } else {
            job.all_steps
        }
    });
    let flops_per_second = flops_per_second();
    let mut plans = known.values().filter_map(|plan| plan.as_ref().ok());
    SweepCost {
        steps,
        saved_steps: alone.zip(steps).map(|(alone, steps)| alone - steps),
        flops,
        flops_per_second,
        least_seconds: flops.map(|flops| flops / flops_per_second),
        disk_bytes: costs.iter().map(|job| job.disk_bytes).sum(),
        machine_bytes: plans.find_map(|plan| plan.machine_bytes),
        jobs: costs,
    }
}

fn of_job(job: &Job, after: Option<&Job>, plan: &Result<Plan, String>) -> JobCost {
    let mut cost = JobCost {
        name: job.name.clone(),
        is_shared: job.is_shared,
        after: after.map(Job::folder),
        steps: None,
        all_steps: None,
        flops: None,
        parameters: 0,
        peak_bytes: 0,
        disk_bytes: 0,
        problem: None,
    };
    let plan = match plan {
        Ok(plan) => plan,
        Err(problem) => {
            cost.problem = Some(problem.clone());
            return cost;
        }
    };
    let done = after.map_or(0, |after| after.recipe.stages.len());
    let own = &plan.stages[done.min(plan.stages.len())..];
    JobCost {
        steps: own.iter().map(|stage| stage.steps).sum(),
        all_steps: plan.stages.iter().map(|stage| stage.steps).sum(),
        flops: own.iter().map(|stage| stage.flops).sum(),
        parameters: plan.components.iter().map(|one| one.parameters).sum(),
        peak_bytes: plan.peak_saving_bytes(),
        disk_bytes: plan.disk_bytes,
        ..cost
    }
}

/// What a plan follows from; but the order of samples, which the seed decides.
fn seedless(recipe: &Recipe) -> Result<String, RecipeError> {
    let mut recipe = recipe.clone();
    "any".clone_into(&mut recipe.name);
    recipe.seed = 0;
    recipe.to_toml()
}

/// Operations a second of a matrix product on the CPU: of the fastest one, since others may have had
/// to share it.
fn flops_per_second() -> f64 {
    let device = Device::flex();
    let matrix: Tensor<2> = Tensor::ones([SIDE, SIDE], &device);
    let begun = Instant::now();
    let mut fastest = f64::MAX;
    while begun.elapsed() < LOOK {
        let product = Instant::now();
        drop(matrix.clone().matmul(matrix.clone()).into_data());
        fastest = fastest.min(product.elapsed().as_secs_f64());
    }
    2.0 * (SIDE as f64).powi(3) / fastest
}
