//! What the weights depend on, and what not.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::{CHECKED, Place, said};
use crate::tiny::state::{differing, state};

fn weights(place: &Place, name: &str, difference: &str, threads: Option<usize>) -> PathBuf {
    let world = &place.world;
    world.recipe(name, &format!("{CHECKED}\n{difference}"));
    let run = world.path(&format!("{name}-{threads:?}"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_menagerie"));
    command
        .arg("train")
        .arg(world.path(&format!("{name}.toml")));
    command.arg("--out").arg(&run);
    if let Some(threads) = threads {
        command.env("RAYON_NUM_THREADS", threads.to_string());
    }
    let said = said(command);
    assert_eq!(said.code, Some(0), "{said:?}");
    run
}

/// The recipes differ, and so do their texts; nothing else may.
fn same(one: &Path, other: &Path) {
    let mut names = differing(&state(one), &state(other));
    names.retain(|name| !name.ends_with("recipe.toml") && !name.ends_with("model.toml"));
    names.retain(|name| !name.ends_with("manifest.json") && !name.ends_with("checkpoint.json"));
    names.retain(|name| !name.ends_with("SHA256SUMS"));
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn the_number_of_workers_and_of_threads_changes_no_bit() {
    let place = Place::new();
    for workers in [0, 1, 4] {
        let difference = format!(
            "[stage.align.data]\nworkers = {workers}\n[stage.finetune.data]\nworkers = {workers}"
        );
        let run = weights(&place, &format!("workers-{workers}"), &difference, None);
        same(&place.whole, &run);
    }
    for threads in [1, 2, 4] {
        same(&place.whole, &weights(&place, "threads", "", Some(threads)));
    }
}
