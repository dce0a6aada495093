//! How a run goes on, and when it does not.

use std::ffi::OsStr;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::misbehave::{Behaviour, Received, Server};
use crate::teacher::teach;
use crate::world::{World, contexts, ends_with, until};

#[test]
fn a_run_of_something_else_is_not_gone_on_with() {
    let server = Server::start(teach);
    let world = World::new();
    let make = |more: &[&str]| {
        let mut command = world.make(&server.url());
        command.args(more);
        command
    };
    ends_with(&mut make(&["--max-tokens-total", "300"]), 1);
    let before = crate::world::files(&world.out());

    let other = world.path("other.jsonl");
    let text = fs::read_to_string(contexts()).unwrap();
    fs::write(&other, text.replace("donut", "pretzel")).unwrap();
    let prompts = world.path("prompts");
    ends_with(
        Command::new(env!("CARGO_BIN_EXE_menagerie"))
            .args(["instruct", "prompts"])
            .arg(&prompts),
        0,
    );
    fs::write(prompts.join("detail/system.j2"), "Be brief.").unwrap();
    for (more, said) in [
        (vec!["--seed", "1"], "seed: it was 0, and is 1"),
        (
            vec!["--temperature", "0.5"],
            "temperature: it was the endpoint's, and is 0.5",
        ),
        (
            vec!["--samples", "81"],
            "samples: it was 29 conversations, 12 descriptions",
        ),
        (
            vec!["--prompts", prompts.to_str().unwrap()],
            "prompts: it was SHA-256 ",
        ),
    ] {
        let text = ends_with(&mut make(&more), 3);
        assert!(text.contains(said), "{text}");
        assert!(text.contains("begin anew in another folder"), "{text}");
    }
    let input = ["--contexts", other.to_str().unwrap(), "--send-seed"];
    let text = ends_with(&mut world.make_of(&server.url(), &input), 3);
    assert!(text.contains("input: it was "), "{text}");
    let command = make(&[]);
    let args = command.get_args().map(|arg| match arg.to_str() {
        Some("parrot") => OsStr::new("macaw"),
        _ => arg,
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_menagerie"));
    let text = ends_with(command.args(args), 3);
    assert!(
        text.contains("model: it was parrot, and is macaw"),
        "{text}"
    );
    assert_eq!(crate::world::files(&world.out()), before);

    let foreign = World::new();
    fs::create_dir(foreign.out()).unwrap();
    fs::write(foreign.out().join("thesis.doc"), "years of work").unwrap();
    let text = ends_with(&mut foreign.make(&server.url()), 1);
    assert!(text.contains("no run of `menagerie instruct`"), "{text}");
    let left = fs::read_dir(foreign.out()).unwrap().count();
    assert_eq!(left, 1, "nothing is put beside the thesis");
}

#[test]
fn two_processes_do_not_work_in_a_folder() {
    let server = Server::start(|_: &Received| Behaviour::Hang);
    let world = World::new();
    let mut first = world.make(&server.url());
    first.stdout(Stdio::null()).stderr(Stdio::null());
    let mut first = first.spawn().unwrap();
    until(&mut first, || !server.received().is_empty());
    let text = ends_with(&mut world.make(&server.url()), 1);
    assert!(text.contains("another process works in"), "{text}");
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn a_budget_ends_a_run_cleanly_and_holds_for_all_of_it() {
    let server = Server::start(teach);
    let world = World::new();
    let make = |more: &[&str]| {
        let mut command = world.make(&server.url());
        command.args(more);
        command
    };
    let text = ends_with(&mut make(&["--max-tokens-total", "2000"]), 1);
    assert!(text.contains("the budget is spent, and "), "{text}");
    assert!(
        text.contains("of 80 samples are still to be made"),
        "{text}"
    );
    let manifest = world.json("manifest.json");
    let usage = &manifest["made"]["usage"];
    let spent = |name: &str| usage[name].as_u64().unwrap();
    // Replies are of unlike sizes, so the dearest may go over it.
    assert!(spent("prompt_tokens") + spent("completion_tokens") < 2400);
    let samples = world.lines("samples.jsonl").len();
    assert!(samples > 0 && samples < 80);

    let requests = server.received().len();
    ends_with(&mut make(&["--max-tokens-total", "2000"]), 1);
    assert_eq!(
        server.received().len(),
        requests,
        "the budget was given twice"
    );
    ends_with(&mut make(&[]), 0);
    assert_eq!(world.json("manifest.json")["made"]["finished"], true);
}

#[test]
fn ctrl_c_keeps_what_there_is_and_the_run_goes_on() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let server = Server::start(move |request: &Received| {
        counted.fetch_max(request.number, Ordering::Relaxed);
        teach(request)
    });
    let world = World::new();
    let make = || {
        let mut command = world.make(&server.url());
        command.args(["--counts", "conversation=400,detail=200,reasoning=400"]);
        command
    };
    let mut command = make();
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    until(&mut child, || count.load(Ordering::Relaxed) >= 30);
    let pid = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let output = child.wait_with_output().unwrap();
    let said = crate::world::said(&output);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        said.contains("stopped; the same command goes on with"),
        "{said}"
    );

    let kept = world.journal();
    let (samples, rejects) = (world.lines("samples.jsonl"), world.lines("rejects.jsonl"));
    assert!(!samples.is_empty());
    assert_eq!(samples.len() + rejects.len(), kept.len());
    ends_with(&mut make(), 0);
    assert_eq!(world.journal()[..kept.len()], kept[..]);
}

#[test]
fn a_wrong_key_ends_all_at_once_and_a_damaged_journal_is_told() {
    let server = Server::start(|request: &Received| match request.number {
        1..=20 => teach(request),
        _ => Behaviour::error(401, "invalid_api_key"),
    });
    let world = World::new();
    let text = ends_with(&mut world.make(&server.url()), 4);
    assert!(text.contains("does not accept the API key"), "{text}");
    assert!(
        server.received().len() < 60,
        "it went on after the key was refused"
    );
    let samples = world.lines("samples.jsonl").len();
    assert!(samples > 0, "what was paid is written");

    let path = world.out().join("replies.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"attempt\":1", "\"attempt\":7", 2)).unwrap();
    let said = ends_with(&mut world.make(&server.url()), 3);
    assert!(
        said.contains("replies.jsonl:1: it is attempt 7, and attempt 1 comes next"),
        "{said}"
    );
}
