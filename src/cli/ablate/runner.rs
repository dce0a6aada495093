//! Runs the jobs of a sweep, each once that one is done which it goes on from.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use menagerie_core::recipe::Sweep;

use super::child::{Begin, ChildEnd, Means, RunningChild, forget};
use crate::cli::error::CliError;
use crate::html::{counted, duration, percent};
use crate::runs::RunSummary;
use crate::sweep::{self, Job, Results, Standing, SweepFolder};
use crate::train::RunFolder;

/// Time between two looks at the processes.
const LOOK: Duration = Duration::from_millis(50);

/// What runs a sweep.
pub(super) struct Runner<'a> {
    pub sweep: &'a Sweep,
    pub jobs: &'a [Job],
    pub folder: &'a mut SweepFolder,
    pub device: &'a str,
    /// Runs at once.
    pub at_once: usize,
    /// Threads of each.
    pub threads: usize,
    pub stop: &'a AtomicBool,
}

/// How a sweep ended.
pub(super) enum Ended {
    /// Every run is at its end, or has failed.
    All,
    /// Somebody asked to stop.
    Stopped,
    /// So many hours were allowed, and are over.
    OverBudget(f64),
}

enum State {
    Waiting,
    Running(RunningChild, Instant),
    Done,
    Failed,
}

impl Runner<'_> {
    pub(super) fn run(&mut self) -> Result<Ended, CliError> {
        let mut states = self.states()?;
        let count = |states: &[State], wanted: fn(&State) -> bool| {
            states.iter().filter(|state| wanted(state)).count()
        };
        let waiting = count(&states, |state| matches!(state, State::Waiting));
        anstream::eprintln!(
            "{}, {waiting} to train, {} at once, {} each; what they say is in {}",
            counted(states.len(), "run"),
            self.at_once.min(waiting.max(1)),
            counted(self.threads, "thread"),
            self.folder.logs().display()
        );
        let begun = Instant::now();
        let spent_before = self.folder.seconds();
        let mut noted = begun;
        let mut held = BTreeSet::new();
        let mut ended_here = 0;
        loop {
            let stopping = self.stop.load(Ordering::Relaxed);
            let hours = self.sweep.budget.hours;
            let spent = spent_before + begun.elapsed().as_secs_f64();
            let is_over = hours.is_some_and(|hours| spent > hours * 3600.0);
            if !stopping && !is_over {
                self.start(&mut states, &mut held)?;
            }
            for number in 0..states.len() {
                let State::Running(child, since) = &mut states[number] else {
                    continue;
                };
                if stopping {
                    child.stop();
                }
                let Some(end) = child.ended() else { continue };
                let took = since.elapsed().as_secs_f64();
                states[number] = self.end(number, end, took)?;
                ended_here += 1;
                let left = count(&states, |state| {
                    matches!(state, State::Waiting | State::Running(..))
                });
                if left > 0 && !stopping {
                    let each = begun.elapsed().as_secs_f64() / f64::from(ended_here);
                    let left_seconds = duration(each * left as f64);
                    let left = counted(left, "run");
                    anstream::eprintln!("{left} to go, about {left_seconds}");
                }
                self.folder.spent(noted.elapsed().as_secs_f64())?;
                noted = Instant::now();
                let results = Results::read(self.sweep, self.jobs, self.folder)?;
                sweep::write(self.sweep, &results, self.folder)?;
            }
            if count(&states, |state| matches!(state, State::Running(..))) == 0 {
                let waits = count(&states, |state| matches!(state, State::Waiting)) > 0;
                match hours {
                    _ if stopping => return Ok(Ended::Stopped),
                    Some(hours) if waits && is_over => return Ok(Ended::OverBudget(hours)),
                    _ if waits => {}
                    _ => return Ok(Ended::All),
                }
            }
            thread::sleep(LOOK);
        }
    }

    /// Where each job stands. Shared stages that no point waits for count as done.
    fn states(&self) -> Result<Vec<State>, CliError> {
        let standings = self.jobs.iter().map(|job| self.folder.standing(job));
        let standings = standings.collect::<Result<Vec<_>, _>>()?;
        let mut needed = vec![false; self.jobs.len()];
        for (number, job) in self.jobs.iter().enumerate().rev() {
            needed[number] |= !job.is_shared;
            if needed[number]
                && standings[number] == Standing::New
                && let Some(after) = job.after
            {
                needed[after] = true;
            }
        }
        let states = standings
            .iter()
            .zip(needed)
            .map(|(standing, needed)| match standing {
                Standing::Finished => State::Done,
                _ if !needed => State::Done,
                _ => State::Waiting,
            });
        Ok(states.collect())
    }

    /// Starts what can be started. `held` are runs that another process trains: it is waited for, as the
    /// runs of a sweep that was killed stop by themselves.
    fn start(&mut self, states: &mut [State], held: &mut BTreeSet<usize>) -> Result<(), CliError> {
        for number in 0..states.len() {
            let is_running = |state: &&State| matches!(state, State::Running(..));
            if states.iter().filter(is_running).count() >= self.at_once {
                break;
            }
            if !matches!(states[number], State::Waiting) {
                continue;
            }
            let job = &self.jobs[number];
            if RunFolder::is_held(&self.folder.run(job)) {
                if held.insert(number) {
                    anstream::eprintln!("{}: another process trains it; waiting", job.name);
                }
                continue;
            }
            let standing = self.folder.standing(job)?;
            if standing == Standing::Finished {
                self.folder.ended(job, None)?;
                states[number] = State::Done;
                continue;
            }
            let before = job.after.map(|after| (&states[after], &self.jobs[after]));
            match before {
                Some((State::Failed, before)) if standing == Standing::New => {
                    anstream::eprintln!("{}: not begun, because {} failed", job.name, before.name);
                    states[number] = State::Failed;
                    continue;
                }
                Some((State::Waiting | State::Running(..), _)) if standing == Standing::New => {
                    continue;
                }
                _ => {}
            }
            states[number] = State::Running(self.begin(job, standing)?, Instant::now());
        }
        Ok(())
    }

    fn begin(&self, job: &Job, standing: Standing) -> Result<RunningChild, CliError> {
        let (run, recipe, log) = (
            self.folder.run(job),
            self.folder.recipe(job),
            self.folder.log(job),
        );
        let from = job.after.map(|after| self.folder.run(&self.jobs[after]));
        let begin = match (standing, &from) {
            (Standing::Begun | Standing::Finished, _) => Begin::Resume,
            (Standing::New, Some(from)) => Begin::Fork {
                recipe: &recipe,
                from,
            },
            (Standing::New, None) => Begin::New { recipe: &recipe },
        };
        if standing == Standing::New {
            self.folder.clear(job)?;
            forget(&log);
        }
        let what = match begin {
            Begin::Resume => "goes on",
            Begin::New { .. } | Begin::Fork { .. } => "begins",
        };
        let shared = if job.is_shared {
            format!(", shared by {}", counted(job.points.len(), "run"))
        } else {
            String::new()
        };
        anstream::eprintln!("{} {what}{shared}", job.name);
        let means = Means {
            device: self.device,
            threads: self.threads,
            features: &self.folder.features(),
        };
        RunningChild::start(&begin, &run, &log, &means)
    }

    fn end(&mut self, number: usize, end: ChildEnd, took: f64) -> Result<State, CliError> {
        let job = &self.jobs[number];
        match end {
            ChildEnd::Finished => {
                let summary = RunSummary::read(&self.folder.run(job))?;
                let score = summary.scores.last();
                let score = score.map_or(String::new(), |score| {
                    format!(", score {}", percent(score.score))
                });
                anstream::eprintln!("{} is done after {}{score}", job.name, duration(took));
                self.folder.ended(job, None)?;
                Ok(State::Done)
            }
            ChildEnd::Stopped if self.stop.load(Ordering::Relaxed) => {
                anstream::eprintln!("{} is saved", job.name);
                Ok(State::Waiting)
            }
            ChildEnd::Stopped => {
                let reason = "it was stopped from outside; run the sweep again to go on".to_owned();
                self.failed(job, reason)
            }
            ChildEnd::Failed(reason) => self.failed(job, reason),
        }
    }

    fn failed(&mut self, job: &Job, reason: String) -> Result<State, CliError> {
        anstream::eprintln!("{} failed: {reason}", job.name);
        self.folder.ended(job, Some(reason))?;
        Ok(State::Failed)
    }
}
