//! Thousands of samples, a network and a server with every fault, and kills in the middle.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use serde_json::Value;

use crate::misbehave::{Fault, Received, Server, faulty};
use crate::teacher::{fault, number, teach};
use crate::world::{KEY, World, ends_with, said, until};

/// Requests, counted from the first, after which the process is killed.
const KILLS: [usize; 4] = [150, 900, 901, 2400];
const SAMPLES: u64 = 3000;

/// Mostly what passes at once, and now and then what takes the whole timeout.
static FAULTS: LazyLock<Vec<Fault>> = LazyLock::new(|| {
    let quick = std::iter::repeat_n(Fault::QUICK, 40).flatten();
    quick.chain(Fault::SLOW).copied().collect()
});

/// How often each request came.
fn times(server: &Server) -> BTreeMap<u64, usize> {
    let mut times = BTreeMap::new();
    for request in server.received() {
        *times.entry(number(&request.body)).or_default() += 1;
    }
    times
}

/// The numbers of the requests whose replies are in the journal: the teacher puts them there.
fn answered(journal: &[Value]) -> BTreeSet<u64> {
    let ids = journal
        .iter()
        .filter_map(|line| line["reply"]["id"].as_str());
    ids.map(|id| id.trim_start_matches("chatcmpl-").parse().unwrap())
        .collect()
}

#[test]
fn nothing_is_lost_and_nothing_asked_twice() {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let server = Server::start(faulty(
        11,
        0.2,
        FAULTS.as_slice(),
        move |request: &Received| {
            counted.fetch_max(request.number, Ordering::Relaxed);
            teach(request)
        },
    ));
    let world = World::new();
    let make = || {
        let mut command = world.make(&server.url());
        command.args(["--counts", "conversation=1200,detail=500,reasoning=1300"]);
        command.args(["--timeout", "5", "--in-flight", "12"]);
        command
    };

    let mut kept: Vec<(Vec<Value>, BTreeMap<u64, usize>)> = Vec::new();
    for kill in KILLS {
        let mut child = make().stderr(Stdio::piped()).spawn().unwrap();
        until(&mut child, || count.load(Ordering::Relaxed) >= kill);
        child.kill().unwrap();
        said(&child.wait_with_output().unwrap());
        kept.push((world.journal(), times(&server)));
    }
    // A request whose every retry failed is asked again by the next call.
    let ended = (0..20).any(|_| {
        let output = make().output().unwrap();
        said(&output);
        output.status.code() == Some(0)
    });
    assert!(ended, "it does not come to an end");

    let journal = world.journal();
    let times = times(&server);
    for (before, times_before) in &kept {
        assert_eq!(journal[..before.len()], before[..], "a reply was lost");
        for number in answered(before) {
            assert_eq!(
                times[&number], times_before[&number],
                "{number} was asked again"
            );
        }
    }
    assert!(
        !kept[1].0.is_empty(),
        "nothing was kept before the second kill"
    );
    check(&world, &journal);
    assert!(
        server
            .received()
            .iter()
            .all(|request| request.key() == Some(KEY))
    );
    world.keeps_the_key_secret();
    // Once all is made, the same command asks nothing.
    let requests = server.received().len();
    ends_with(&mut make(), 0);
    assert_eq!(server.received().len(), requests);
}

/// What was made is what follows from the journal: each reply once, as a sample or as a reject.
fn check(world: &World, journal: &[Value]) {
    // Every reply stands there once, and is what the teacher says to that request.
    assert_eq!(
        answered(journal).len(),
        journal
            .iter()
            .filter(|line| line["reply"].is_object())
            .count()
    );

    let (samples, rejects) = (world.lines("samples.jsonl"), world.lines("rejects.jsonl"));
    assert_eq!(samples.len() + rejects.len(), journal.len());
    let manifest = world.json("manifest.json");
    let report = &manifest["made"];
    let total = |name: &str| -> u64 {
        let types = ["conversation", "detail", "reasoning"];
        types
            .iter()
            .map(|kind| report[name][kind].as_u64().unwrap())
            .sum()
    };
    assert_eq!(total("accepted"), samples.len() as u64);
    assert_eq!(total("accepted") + total("given_up"), SAMPLES);
    assert_eq!(total("open"), 0);
    assert!(total("given_up") > 0, "the test has none that is given up");

    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for number in answered(journal) {
        if let Some(reason) = fault(number) {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    let refused = journal.iter().filter(|line| line["refused"].is_object());
    reasons.insert("request-refused", refused.count() as u64);
    assert!(
        reasons.len() == 8 && reasons.values().all(|count| *count > 0),
        "{reasons:?}"
    );
    assert_eq!(report["rejects"], serde_json::to_value(&reasons).unwrap());

    let usage = |name: &str| -> u64 {
        let replies = journal.iter().map(|line| &line["reply"]["usage"][name]);
        replies.filter_map(Value::as_u64).sum()
    };
    for name in ["prompt_tokens", "completion_tokens"] {
        assert_eq!(report["usage"][name], usage(name));
    }
    let ids: BTreeSet<&str> = samples
        .iter()
        .map(|sample| sample["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), samples.len());
}
