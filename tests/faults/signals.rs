//! Ctrl-C and its kin: the step in hand is finished and saved, and a second one ends the process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::place::Place;

/// Steps enough for a signal to come in the middle.
const LONG: &str = "\
[checkpoint]
every_minutes = 0
[stage.align]
steps = 400";

/// A process that has begun its stage, and the lines that it says.
fn begun(place: &Place, run: &Path) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut command = place.go(run);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let said = BufReader::new(child.stderr.take().expect("piped"));
    let mut lines = said.lines().map(|line| line.expect("text"));
    // Its handler stands before the first step.
    assert!(lines.any(|line| line.starts_with("align")), "a step");
    (child, lines)
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status();
    assert!(sent.expect("kill is there").success());
}

#[test]
fn an_interrupted_run_saves_says_how_to_go_on_and_exits_with_130() {
    let place = Place::with(LONG);
    for name in ["INT", "TERM"] {
        let run = place.run();
        let (mut child, lines) = begun(&place, &run);
        signal(&child, name);
        let said: Vec<String> = lines.collect();
        assert_eq!(child.wait().expect("ended").code(), Some(130), "{said:?}");
        let last = said.last().expect("a last word");
        let how = format!("go on with: menagerie train --resume {}", run.display());
        assert!(last.contains("stopped after step "), "{said:?}");
        assert!(last.contains(&how), "{said:?}");
        // What it says it has done is what was saved.
        let step = last.split("after step ").nth(1).expect("a step");
        let step: usize = step.split(' ').next().unwrap().parse().expect("a number");
        let saved = run.join(format!("checkpoints/align-{step:08}"));
        assert!(saved.is_dir(), "{}", saved.display());
        place.ends_equal(&run, name);
    }
}

#[test]
fn a_second_interrupt_ends_at_once_and_the_run_can_go_on() {
    let place = Place::with(LONG);
    let run = place.run();
    let (mut child, lines) = begun(&place, &run);
    signal(&child, "INT");
    signal(&child, "INT");
    drop(lines);
    assert_eq!(child.wait().expect("ended").code(), Some(130));
    place.ends_equal(&run, "two interrupts");
}
