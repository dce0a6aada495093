//! A run that begins with the stages of another one.

use std::fs;

use crate::tiny::World;

const LONGER: &str = "[stage.finetune]\nepochs = 3";

#[test]
fn a_fork_goes_on_as_a_run_from_its_beginning() {
    let world = World::new();
    world.train("first", "stages = [\"align\"]");
    let whole = world.train("whole", LONGER);
    let kept = world.path("first/metrics.jsonl");
    let before = fs::read(&kept).unwrap();
    let said = world.menagerie(&["train", "whole.toml", "--fork", "first", "--out", "forked"]);
    // This test and the program are two builds, so the run of the one is no beginning for the other.
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(
        said.stderr
            .contains("the program is another build of the same version"),
        "{said:?}"
    );
    assert!(!world.path("forked").exists());

    let align = world.menagerie(&["train", "first.toml", "--out", "align"]);
    assert_eq!(align.code, Some(0), "{align:?}");
    let said = world.menagerie(&["train", "whole.toml", "--fork", "align", "--out", "forked"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.stderr
            .contains("going on from `align` after stage `align`"),
        "{said:?}"
    );
    let forked = crate::tiny::Run(world.path("forked"));
    assert!(forked.all_weights("finetune") == whole.all_weights("finetune"));
    assert_eq!(forked.text("metrics.jsonl"), whole.text("metrics.jsonl"));
    assert_eq!(fs::read(&kept).unwrap(), before);
    let steps = world.menagerie(&["runs", "align", "--json"]).json();
    assert_eq!(steps["steps"], 5);
}

#[test]
fn what_is_no_beginning_is_refused_with_reasons() {
    let world = World::new();
    let train = |recipe: &str, out: &str| {
        let said = world.menagerie(&["train", recipe, "--out", out]);
        assert_eq!(said.code, Some(0), "{said:?}");
    };
    world.recipe("short", "stages = [\"align\"]\n[stage.align]\nsteps = 2");
    train("short.toml", "short");
    let said = world.menagerie(&["train", "tiny.toml", "--fork", "short", "--out", "forked"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(
        said.stderr.contains(
            "error: the recipe cannot go on from `short`:\n  `stage.align.steps` was 2 and is 5"
        ),
        "{said:?}"
    );
    train("align.toml", "whole");
    let said = world.menagerie(&["train", "align.toml", "--fork", "whole", "--out", "forked"]);
    assert!(
        said.stderr.contains(
            "its stages are align, and must be the first of the recipe's, which are align"
        ),
        "{said:?}"
    );
    let data = fs::read_to_string(world.path("data.json")).unwrap();
    world.write("data.json", data + "\n");
    let said = world.menagerie(&["train", "tiny.toml", "--fork", "whole", "--out", "forked"]);
    assert!(said.stderr.contains("it did not learn from `"), "{said:?}");
    let said = world.menagerie(&["train", "tiny.toml", "--fork", "nothing", "--out", "forked"]);
    assert!(
        said.stderr.contains("manifest.json`: it is not there"),
        "{said:?}"
    );
}
