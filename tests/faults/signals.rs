//! Ctrl-C, and what else asks a process to end.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::place::{CHECKED, Place, WIDE, said};

fn start(mut command: Command) -> (Child, BufReader<ChildStderr>) {
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let stderr = child.stderr.take().unwrap();
    (child, BufReader::new(stderr))
}

fn signal(child: &Child, name: &str) {
    let mut kill = Command::new("kill");
    kill.arg(format!("-{name}")).arg(child.id().to_string());
    assert!(kill.status().unwrap().success());
}

/// Waits until a process has made something true; it ends by itself if it does not.
fn until(child: &mut Child, there: impl Fn() -> bool) {
    while !there() {
        assert!(child.try_wait().unwrap().is_none(), "it ended too soon");
        thread::sleep(Duration::from_millis(2));
    }
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).unwrap_or_default().lines().count()
}

#[test]
fn a_signal_ends_the_run_after_its_step_with_a_checkpoint_and_the_way_to_go_on() {
    // Long enough to be caught in the middle; no checkpoint but the one that the signal asks for.
    let difference = CHECKED.replace("every_steps = 2", "every_steps = 1000");
    let difference = format!("{difference}\n[stage.align]\nsteps = 200");
    let place = Place::with(&difference);
    for name in ["INT", "TERM"] {
        let run = place.run();
        let (mut child, mut stderr) = start(place.go(&run));
        until(&mut child, || lines(&run.join("metrics.jsonl")) > 2);
        signal(&child, name);
        let status = child.wait().unwrap();
        let mut said = String::new();
        stderr.read_to_string(&mut said).unwrap();
        assert_eq!(status.code(), Some(130), "{said}");
        let steps = lines(&run.join("metrics.jsonl"));
        let end = format!(
            "stopped after step {steps} of 200 of stage `align`; go on with: menagerie train --resume {}\n",
            run.display()
        );
        assert!(said.ends_with(&end), "{said}");
        assert!(run.join(format!("checkpoints/align-{steps:08}")).is_dir());
        place.ends_equal(&run, name);
    }
}

#[test]
fn a_second_ctrl_c_stops_at_once_and_the_run_goes_on_all_the_same() {
    let place = Place::with(WIDE);
    let run = place.run();
    let (mut child, mut stderr) = start(place.go(&run));
    // The first step has begun, and takes a while.
    until(&mut child, || {
        run.join("checkpoints/align-00000000").is_dir()
    });
    signal(&child, "INT");
    let mut said = String::new();
    while !said.contains("press Ctrl-C again to stop at once") {
        assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "{said}");
    }
    signal(&child, "INT");
    let status = child.wait().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(!said.contains("stopped after step"), "{said}");
    assert_eq!(lines(&run.join("metrics.jsonl")), 0);
    place.ends_equal(&run, "stopped at once");
}

#[test]
fn the_way_to_go_on_can_be_pasted_into_a_shell() {
    let difference = format!("{CHECKED}\n[stage.align]\nsteps = 200");
    let place = Place::with(&difference);
    let run = place.world.path("it's a run");
    let (mut child, mut stderr) = start(place.go(&run));
    until(&mut child, || lines(&run.join("metrics.jsonl")) > 2);
    signal(&child, "INT");
    child.wait().unwrap();
    let mut text = String::new();
    stderr.read_to_string(&mut text).unwrap();
    let (_, way) = text
        .trim_end()
        .rsplit_once("go on with: menagerie ")
        .unwrap();
    let mut shell = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_menagerie");
    shell.args(["-c", &format!("'{program}' {way}")]);
    let said = said(shell);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(place.differing(&run).len(), 0);
}
