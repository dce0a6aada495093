//! A run of a sweep as a process of its own: one that fails, or that the system kills, takes no other
//! with it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::cli::error::CliError;
use crate::cli::exit::Exit;

/// Characters of a failure's reason that are kept.
const REASON: usize = 2000;

/// How a run begins.
pub(super) enum Begin<'a> {
    /// From the start of a recipe, into a new folder.
    New { recipe: &'a Path },
    /// From the end of another run.
    Fork { recipe: &'a Path, from: &'a Path },
    /// From its newest checkpoint.
    Resume,
}

/// What a run computes with.
pub(super) struct Means<'a> {
    pub device: &'a str,
    pub threads: usize,
    /// Where the features of images are kept, which all runs of a sweep share.
    pub features: &'a Path,
}

/// A run that goes on. It stops, saved, once this is dropped.
pub(super) struct RunningChild {
    child: Child,
    log: PathBuf,
    /// Where the log of this process begins.
    log_from: u64,
}

/// How a run ended.
pub(super) enum ChildEnd {
    Finished,
    Stopped,
    Failed(String),
}

impl RunningChild {
    /// Starts this program anew to train into `run`.
    pub(super) fn start(
        begin: &Begin<'_>,
        run: &Path,
        log: &Path,
        means: &Means<'_>,
    ) -> Result<Self, CliError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| CliError::Write { path, source }
        };
        let file = OpenOptions::new().create(true).append(true).open(log);
        let file = file.map_err(failed(log))?;
        let log_from = file.metadata().map_err(failed(log))?.len();
        let program = std::env::current_exe().map_err(failed(Path::new("menagerie")))?;
        let mut command = Command::new(&program);
        command.arg("train");
        match begin {
            Begin::New { recipe } => command.arg(recipe).arg("--out").arg(run),
            Begin::Fork { recipe, from } => {
                let command = command.arg(recipe).arg("--fork").arg(from);
                command.arg("--out").arg(run)
            }
            Begin::Resume => command.arg("--resume").arg(run),
        };
        command
            .args(["--device", means.device, "--until-eof"])
            .arg("--features")
            .arg(means.features)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(file);
        if std::env::var_os(THREADS).is_none() {
            command.env(THREADS, means.threads.to_string());
        }
        // Ctrl-C is for this process, which then stops its runs.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().map_err(failed(&program))?;
        Ok(Self {
            child,
            log: log.to_owned(),
            log_from,
        })
    }

    /// Asks it to save and stop.
    pub(super) fn stop(&mut self) {
        drop(self.child.stdin.take());
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ChildEnd> {
        let status = self.child.try_wait().ok()??;
        Some(if status.success() {
            ChildEnd::Finished
        } else if status.code() == Some(Exit::Interrupted.code()) {
            ChildEnd::Stopped
        } else {
            ChildEnd::Failed(self.reason(status))
        })
    }

    /// The last error that it told of, or how the process ended.
    fn reason(&self, status: ExitStatus) -> String {
        let mut said = Vec::new();
        let read = File::open(&self.log).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.log_from))?;
            file.read_to_end(&mut said)
        });
        let said = String::from_utf8_lossy(&said);
        let error = said
            .rfind("error: ")
            .map(|place| &said[place + "error: ".len()..]);
        match error.filter(|_| read.is_ok()) {
            Some(error) => error.trim().chars().take(REASON).collect(),
            None => format!("its process ended without a word: {status}"),
        }
    }
}

/// How many threads a process computes with.
const THREADS: &str = "RAYON_NUM_THREADS";

/// Removes the log of an earlier try.
pub(super) fn forget(log: &Path) {
    // One that stays is only longer.
    let _ = fs::remove_file(log);
}
