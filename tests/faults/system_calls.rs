//! A kill, a full disk, a broken disk at every system call that touches the run folder.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use crate::place::{Place, copy, each, said, spread};
use crate::shim::{Call, Calls, Errno, Fault, calls, with};
use crate::tiny::Said;

const SIGKILL: i32 = 9;

/// A new run that dies at a call; it must go on to an equal end.
fn dies(place: &Place, under: &str, call: &Call, fault: Fault) {
    let run = place.run();
    let mut command = with(
        place.go(&run),
        &run.join(under),
        Calls::Writing,
        call.number,
        fault,
    );
    let output = command.output().expect("the program starts");
    // With other threads about, the run may have a few calls less than it had in the survey.
    let status = output.status;
    assert!(
        status.signal() == Some(SIGKILL) || status.success(),
        "{call:?} {fault:?}: {output:?}"
    );
    place.ends_equal(&run, &format!("{fault:?} at {call:?}"));
}

/// Before each call, and in the middle of it where it writes.
fn deaths(found: Vec<Call>) -> Vec<(Call, Fault)> {
    let deaths = found.into_iter().flat_map(|call| {
        let torn = (call.name == "write").then(|| (call.clone(), Fault::Torn));
        torn.into_iter().chain([(call, Fault::Kill)])
    });
    deaths.collect()
}

#[test]
fn a_kill_at_every_system_call_of_a_save_harms_nothing() {
    let place = Place::new();
    let found = place.survey("checkpoints");
    // The save of one checkpoint, and the removal of an older one after it.
    let of = |name: &str| {
        let mut places = found.iter().enumerate();
        let first = places.position(|(_, call)| call.path.ends_with(name));
        first.unwrap_or_else(|| panic!("no call makes {name}"))
    };
    let first = of(".partial-finetune-00000002");
    let last = of(".partial-finetune-00000003");
    let save = deaths(found[first..last].to_vec());
    assert!(save.len() > 40, "{}", save.len());
    each(&spread(save, 40), |(call, fault)| {
        dies(&place, "checkpoints", call, *fault);
    });
}

#[test]
fn a_kill_at_every_system_call_of_a_run_harms_nothing() {
    let place = Place::new();
    let found = deaths(place.survey(""));
    each(&spread(found, 30), |(call, fault)| {
        dies(&place, "", call, *fault);
    });
}

/// A run on a disk that fails says so and ends with exit code 4, or it can do without what failed.
fn fails(place: &Place, run: &Path, said: &Said, errno: Errno, trial: &str) {
    assert!(!said.stderr.contains("panicked"), "{trial}: {said:?}");
    if said.code == Some(0) {
        assert_eq!(place.differing(run).len(), 0, "{trial}");
        return;
    }
    assert_eq!(said.code, Some(4), "{trial}: {said:?}");
    assert!(said.stdout.is_empty(), "{trial}: {said:?}");
    let error = said.stderr.split("error: ").nth(1).unwrap_or_default();
    assert!(
        error.contains(&run.display().to_string()) && error.contains(&errno.text()),
        "{trial}: {error}"
    );
}

#[test]
fn a_disk_that_fails_at_any_call_ends_the_run_with_exit_code_4_and_harms_nothing() {
    let place = Place::new();
    let faults = [
        Fault::Fail(Errno::Enospc),
        Fault::Fail(Errno::Eio),
        Fault::Stay(Errno::Enospc),
    ];
    let found = place.survey("").into_iter();
    let trials = found.flat_map(|call| faults.map(|fault| (call.clone(), fault)));
    each(&spread(trials.collect(), 40), |(call, fault)| {
        let (Fault::Fail(errno) | Fault::Stay(errno)) = *fault else {
            unreachable!("no other faults are tried");
        };
        let run = place.run();
        let said = said(with(
            place.go(&run),
            &run,
            Calls::Writing,
            call.number,
            *fault,
        ));
        let trial = format!("{fault:?} at {call:?}");
        fails(&place, &run, &said, errno, &trial);
        place.ends_equal(&run, &trial);
    });
}

#[test]
fn a_disk_that_cannot_be_read_at_some_call_keeps_no_run_from_going_on() {
    let place = Place::new();
    let stopped = place.stopped();
    let run = place.run();
    copy(&stopped, &run);
    let log = run.with_extension("log");
    let found = calls(place.go(&run), &run, Calls::Reading, &log);
    each(&spread(found, 20), |call| {
        let run = place.run();
        copy(&stopped, &run);
        let fault = Fault::Fail(Errno::Eio);
        let said = said(with(
            place.go(&run),
            &run,
            Calls::Reading,
            call.number,
            fault,
        ));
        let trial = format!("unreadable at {call:?}");
        fails(&place, &run, &said, Errno::Eio, &trial);
        place.ends_equal(&run, &trial);
    });
}

#[test]
fn writes_that_take_half_of_what_they_are_given_change_nothing() {
    let place = Place::new();
    let run = place.run();
    let said = said(with(place.go(&run), &run, Calls::Writing, 1, Fault::Short));
    assert_eq!(said.code, Some(0), "{said:?}");
    place.ends_equal(&run, "short writes");
}
