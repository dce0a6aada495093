//! Sweeps: what their runs have in common, what they cost, and what came of them.
//!
//! ```text
//! SWEEP/sweep.json         points, runs and what failed
//! SWEEP/recipes/NAME.toml  the recipe of each run, resolved
//! SWEEP/shared/NAME/       a run of stages that several points begin with
//! SWEEP/runs/NAME/         the run of each point
//! SWEEP/logs/NAME.log      what each run said
//! SWEEP/report.html        what came of it, and the same as report.md and report.csv
//! ```

mod check;
mod cost;
mod error;
mod folder;
mod jobs;
mod report;
mod results;
mod statistics;

pub use check::{check, check_recipe};
pub use cost::{JobCost, SweepCost, cost};
pub use error::SweepError;
pub use folder::{Standing, SweepFolder};
pub use jobs::{Job, jobs};
pub use report::write;
pub use results::{Outcome, PointResult, Results, Setting};
pub use statistics::{Compared, Spread, Verdict, compare};
