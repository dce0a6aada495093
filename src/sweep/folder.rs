//! The folder of a sweep, held by one process at a time.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use menagerie_core::recipe::Sweep;
use menagerie_core::weights;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::error::SweepError;
use super::jobs::Job;
use crate::lock::{FolderLock, LOCK};
use crate::runs::{RunState, RunSummary, is_run};
use crate::train::differences;

/// What says that the folder is a sweep's.
const STATE: &str = "sweep.json";

/// The folder of a sweep.
#[derive(Debug)]
pub struct SweepFolder {
    path: PathBuf,
    state: State,
    _lock: FolderLock,
}

/// `sweep.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    name: String,
    base: String,
    /// The runs: what each is called, and what it begins with.
    runs: Vec<StateRun>,
    /// Runs that failed when they were last tried, with the reason.
    #[serde(default)]
    failed: BTreeMap<String, String>,
    /// Wall-clock time that was spent, over all sessions.
    #[serde(default)]
    seconds: f64,
}

#[derive(Debug, Serialize, Deserialize)]
struct StateRun {
    name: String,
    folder: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

/// How far a job's run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// Nothing that can be gone on with is there.
    New,
    /// It has a checkpoint.
    Begun,
    /// All its stages are done.
    Finished,
}

impl SweepFolder {
    /// Opens the folder of a sweep, or makes it.
    ///
    /// # Errors
    /// It holds something else, another process works in it, or it cannot be written.
    pub fn open(path: &Path) -> Result<Self, SweepError> {
        fs::create_dir_all(path).map_err(|source| write_error(path, source))?;
        let file = path.join(STATE);
        let state = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| read_error(&file, std::io::Error::other(error)))?,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let entries = fs::read_dir(path).map_err(|source| read_error(path, source))?;
                let foreign = |name: &str| name != LOCK && !name.starts_with(weights::PARTIAL);
                let mut names = entries.flatten().map(|entry| entry.file_name());
                if names.any(|name| foreign(&name.to_string_lossy())) {
                    return Err(SweepError::NoSweep(path.to_owned()));
                }
                State::default()
            }
            Err(source) => return Err(read_error(&file, source)),
        };
        let lock =
            FolderLock::take(path).map_err(|source| write_error(&path.join(LOCK), source))?;
        Ok(Self {
            path: path.to_owned(),
            state,
            _lock: lock.ok_or_else(|| SweepError::Locked(path.to_owned()))?,
        })
    }

    /// Writes down what the sweep is made of. Runs that are there must be of these recipes.
    ///
    /// # Errors
    /// A run of another recipe, or a folder that cannot be written.
    pub fn begin(&mut self, sweep: &Sweep, jobs: &[Job]) -> Result<(), SweepError> {
        for job in jobs {
            self.check(job)?;
        }
        for folder in ["recipes", "logs"] {
            let folder = self.path.join(folder);
            fs::create_dir_all(&folder).map_err(|source| write_error(&folder, source))?;
        }
        for job in jobs {
            write(&self.recipe(job), job.recipe.to_toml()?.as_bytes())?;
        }
        self.state.name.clone_from(&sweep.name);
        self.state.base.clone_from(&sweep.base_name);
        let runs = jobs.iter().map(|job| StateRun {
            name: job.name.clone(),
            folder: job.folder(),
            after: job.after.map(|after| jobs[after].folder()),
        });
        self.state.runs = runs.collect();
        let names = |name: &String| jobs.iter().any(|job| job.name == *name);
        self.state.failed.retain(|name, _| names(name));
        self.save()
    }

    fn check(&self, job: &Job) -> Result<(), SweepError> {
        let run = self.run(job);
        let file = run.join("recipe.toml");
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(read_error(&file, source)),
        };
        let table = |text: &str| text.parse::<Table>().unwrap_or_default();
        let found = differences(&table(&text), &table(&job.recipe.to_toml()?));
        let found = found.into_iter().filter(|one| !one.is_harmless());
        let changes: Vec<String> = found.map(|one| one.to_string()).collect();
        if changes.is_empty() {
            return Ok(());
        }
        Err(SweepError::OtherRecipe { run, changes })
    }

    /// Notes how a run ended: with nothing, or the reason why it failed.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn ended(&mut self, job: &Job, failure: Option<String>) -> Result<(), SweepError> {
        match failure {
            Some(reason) => self.state.failed.insert(job.name.clone(), reason),
            None => self.state.failed.remove(&job.name),
        };
        self.save()
    }

    /// Adds wall-clock time.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn spent(&mut self, seconds: f64) -> Result<(), SweepError> {
        self.state.seconds += seconds;
        self.save()
    }

    fn save(&self) -> Result<(), SweepError> {
        let text = serde_json::to_string_pretty(&self.state).expect("plain data serialises");
        write(&self.path.join(STATE), (text + "\n").as_bytes())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Wall-clock time that was spent on it, in seconds.
    pub fn seconds(&self) -> f64 {
        self.state.seconds
    }

    /// Why a run failed when it was last tried.
    pub fn failure(&self, job: &Job) -> Option<&str> {
        self.state.failed.get(&job.name).map(String::as_str)
    }

    /// A job's run folder.
    pub fn run(&self, job: &Job) -> PathBuf {
        self.path.join(job.folder())
    }

    /// A job's recipe.
    pub fn recipe(&self, job: &Job) -> PathBuf {
        self.path.join("recipes").join(format!("{}.toml", job.name))
    }

    /// Where what runs say lies.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// What a job's runs said.
    pub fn log(&self, job: &Job) -> PathBuf {
        self.logs().join(format!("{}.log", job.name))
    }

    /// Where the features of images are kept, if the recipes say so.
    pub fn features(&self) -> PathBuf {
        self.path.join("features")
    }

    /// How far a job's run came.
    ///
    /// # Errors
    /// Its folder cannot be read.
    pub fn standing(&self, job: &Job) -> Result<Standing, SweepError> {
        let run = self.run(job);
        if !run.is_dir() || !is_run(&run) {
            return Ok(Standing::New);
        }
        if RunSummary::read(&run)?.state == RunState::Finished {
            return Ok(Standing::Finished);
        }
        let checkpoints = fs::read_dir(run.join("checkpoints"));
        let partial = |name: &str| name.starts_with(weights::PARTIAL);
        let begun = checkpoints.is_ok_and(|entries| {
            let mut names = entries.flatten().map(|entry| entry.file_name());
            names.any(|name| !partial(&name.to_string_lossy()))
        });
        Ok(if begun {
            Standing::Begun
        } else {
            Standing::New
        })
    }

    /// Removes what a run left that was killed before its first checkpoint.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn clear(&self, job: &Job) -> Result<(), SweepError> {
        let run = self.run(job);
        match fs::remove_dir_all(&run) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(write_error(&run, error)),
            _ => Ok(()),
        }
    }
}

/// Writes a file whole or not at all.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), SweepError> {
    let written = weights::write_whole(path, |temporary| fs::write(temporary, bytes));
    written.map_err(|source| write_error(path, source))
}

fn write_error(path: &Path, source: std::io::Error) -> SweepError {
    SweepError::Write {
        path: path.to_owned(),
        source,
    }
}

fn read_error(path: &Path, source: std::io::Error) -> SweepError {
    SweepError::Read {
        path: path.to_owned(),
        source,
    }
}
