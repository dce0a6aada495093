//! A folder for a run, and what lies in it afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// What nobody may ever see again.
pub const KEY: &str = "sk-never-to-be-seen-4711";

pub struct World {
    folder: TempDir,
}

pub fn contexts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/llava-bench/coco/caps_boxes_coco2014_val_80.jsonl")
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn out(&self) -> PathBuf {
        self.path("out")
    }

    /// `menagerie instruct make OUT` on the 80 contexts, with no wait worth the name before a retry.
    pub fn make(&self, url: &str) -> Command {
        let mut command = self.make_of(url, &["--contexts", contexts().to_str().unwrap()]);
        command.args(["--send-seed", "--backoff", "0.001"]);
        command
    }

    pub fn make_of(&self, url: &str, input: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_menagerie"));
        command
            .args(["instruct", "make"])
            .arg(self.out())
            .args(input)
            .args(["--base-url", url, "--model", "parrot"])
            .env("OPENAI_API_KEY", KEY)
            .stdin(Stdio::null());
        command
    }

    /// The lines of the journal that are whole.
    pub fn journal(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.out().join("replies.jsonl")).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub fn lines(&self, name: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.out().join(name)).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.out().join(name)).unwrap()).unwrap()
    }

    /// No file of the run holds the key.
    pub fn keeps_the_key_secret(&self) {
        for (path, bytes) in files(&self.out()) {
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.contains(KEY), "{} has the key", path.display());
        }
    }
}

/// All files under a folder.
pub fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    all
}

/// What a command said, without the key in it.
pub fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!text.contains(KEY), "stderr has the key");
    assert!(
        !String::from_utf8_lossy(&output.stdout).contains(KEY),
        "stdout has the key"
    );
    text
}

/// Runs a command to its end, which has this exit code, and gives what it said.
pub fn ends_with(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// Waits until something has come true while a process runs.
pub fn until(child: &mut Child, there: impl Fn() -> bool) {
    while !there() {
        assert!(child.try_wait().unwrap().is_none(), "it ended too soon");
        thread::sleep(Duration::from_millis(2));
    }
}
