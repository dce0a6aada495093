//! The library that counts a process's file operations and makes one of them fail: `shim.c`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What happens at a call; `shim.c` says what each means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Kill,
    Torn,
    Short,
    Fail(Errno),
    Stay(Errno),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errno {
    Eio,
    Enospc,
}

impl Errno {
    const fn number(self) -> i32 {
        match self {
            Self::Eio => 5,
            Self::Enospc => 28,
        }
    }

    /// What the system says of it.
    pub fn text(self) -> String {
        std::io::Error::from_raw_os_error(self.number()).to_string()
    }
}

impl Fault {
    fn words(self) -> (&'static str, i32) {
        match self {
            Self::Kill => ("kill", 0),
            Self::Torn => ("torn", 0),
            Self::Short => ("short", 0),
            Self::Fail(errno) => ("fail", errno.number()),
            Self::Stay(errno) => ("stay", errno.number()),
        }
    }
}

/// A call that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// From 1.
    pub number: usize,
    pub name: String,
    pub path: String,
}

/// Which calls count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Calls {
    Writing,
    Reading,
}

/// `command` with a fault at call number `at` of those to files below `under`.
pub fn with(mut command: Command, under: &Path, calls: Calls, at: usize, fault: Fault) -> Command {
    let (word, errno) = fault.words();
    command
        .env("LD_PRELOAD", library())
        .env("FAULT_UNDER", under)
        .env("FAULT_AT", at.to_string())
        .env("FAULT_DO", word)
        .env("FAULT_ERRNO", errno.to_string());
    if calls == Calls::Reading {
        command.env("FAULT_READS", "1");
    }
    command
}

/// All calls that `command` makes, which runs to its end.
pub fn calls(command: Command, under: &Path, calls: Calls, log: &Path) -> Vec<Call> {
    let mut command = with(command, under, calls, 0, Fault::Kill);
    command.env("FAULT_LOG", log);
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{output:?}");
    let text = fs::read_to_string(log).expect("a log");
    fs::remove_file(log).expect("removed");
    let mut calls: Vec<Call> = text.lines().map(parse).collect();
    calls.sort_unstable_by_key(|call| call.number);
    calls
}

fn parse(line: &str) -> Call {
    let mut parts = line.splitn(3, ' ');
    let mut next = || parts.next().expect("NUMBER NAME PATH").to_owned();
    Call {
        number: next().parse().expect("a number"),
        name: next(),
        path: next(),
    }
}

/// The library, built once a test process.
fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/shim.c");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        // Another process may be using the one that is there.
        let new = folder.join(format!("shim-{}.so", std::process::id()));
        let library = folder.join("shim.so");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .args([&new, &source])
            .status();
        let built = built.unwrap_or_else(|error| panic!("cc: {error}"));
        assert!(built.success(), "{}", source.display());
        fs::rename(new, &library).expect("renamed");
        library
    })
}
