//! What is said when something is wrong.

use std::fs;

use crate::sweep;
use crate::tiny::World;

#[test]
fn sweeps_are_checked_without_data() {
    let world = World::new();
    world.write("good.toml", sweep(""));
    world.write(
        "bad.toml",
        "base = \"tiny.toml\"\n[axes]\nprojector = [\"mlp\", \"lineer\"]",
    );
    world.write(
        "unfit.toml",
        "base = \"tiny.toml\"\n[axes]\n\"vision.layer\" = [-1, -9]",
    );
    fs::remove_file(world.path("data.json")).unwrap();
    let said = world.menagerie(&["ablate", "--check", "good.toml"]);
    assert_eq!(
        (said.code, said.stdout.as_str()),
        (Some(0), "good.toml: ok, 8 runs\n"),
        "{said:?}"
    );
    let said = world.menagerie(&["ablate", "--check", "good.toml", "bad.toml", "unfit.toml"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    let lines: Vec<&str> = said.stderr.lines().collect();
    assert!(
        lines[0]
            .starts_with("error: bad.toml:3:21: `axes.projector` is `lineer`; it must be one of:")
            && lines[0].ends_with("(did you mean `linear`?)"),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("error: unfit.toml:3:23: "),
        "{lines:?}"
    );
    assert!(lines[1].ends_with("(in the point `layer=-9`)"), "{lines:?}");
    assert_eq!(lines[2], "error: 2 of 3 recipes are wrong");
    let said = world.menagerie(&["ablate", "good.toml", "good.toml"]);
    assert_eq!(said.code, Some(3));
    assert!(said.stderr.contains("one sweep at a time"), "{said:?}");
}

#[test]
fn a_sweep_over_its_budget_does_not_begin() {
    let world = World::new();
    world.write("runs.toml", sweep("budget = { runs = 7 }"));
    let said = world.menagerie(&["ablate", "runs.toml"]);
    assert_eq!(said.code, Some(3));
    assert!(
        said.stderr
            .contains("`budget.runs`: allows 7 runs, and the sweep has 8"),
        "{said:?}"
    );
}

/// A wrong guess beforehand stops nothing; the clock does.
#[test]
fn a_sweep_that_spends_its_budget_ends_there() {
    let world = World::new();
    world.write("sweep.toml", sweep("budget = { hours = 2e-4 }"));
    let said = world.menagerie(&["ablate", "sweep.toml", "--jobs", "1"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.stderr
            .contains("the budget of 0.0002 hours is spent, and "),
        "{said:?}"
    );
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let world = World::new();
    world.write("sweep.toml", "base = \"align.toml\"\n[axes]\nseed = [1]");
    let said = world.menagerie(&["ablate", "sweep.toml", "--out", "images"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(
        said.stderr
            .contains("`images` holds something that is no sweep"),
        "{said:?}"
    );
    assert_eq!(world.menagerie(&["ablate", "sweep.toml"]).code, Some(0));
    // A point of the same name and another recipe.
    let said = world.menagerie(&["ablate", "sweep.toml", "--set", "max_tokens = 99"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(
        said.stderr
            .contains("runs/seed=1` was made by another recipe:\n  `max_tokens` was 160 and is 99"),
        "{said:?}"
    );
}
