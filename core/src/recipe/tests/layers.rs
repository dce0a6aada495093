//! `extends`, `--set` and paths.

use std::fs;
use std::path::Path;

use super::super::{DataSource, DataText, Dtype, Length, Recipe, RecipeSource, Schedule, Turns};
use super::TOY;

fn with_sets(sets: &[&str]) -> Result<Recipe, String> {
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    let recipe = Recipe::load_with(&RecipeSource::Text(TOY.to_owned()), &sets);
    recipe.map_err(|error| error.to_string())
}

fn write(folder: &Path, name: &str, text: &str) {
    fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
    fs::write(folder.join(name), text).unwrap();
}

/// The message of loading `name` in `folder`, its path shortened to what follows it.
fn message(folder: &Path, name: &str) -> String {
    let error = Recipe::load(folder.join(name)).unwrap_err().to_string();
    let canonical = folder.canonicalize().unwrap();
    let error = error.replace(&format!("{}/", canonical.display()), "");
    error.replace(&format!("{}/", folder.display()), "")
}

#[test]
fn sets_come_last_and_in_their_order() {
    let recipe = with_sets(&[
        "seed = 1",
        "seed=2",
        "name=bare-word",
        "dtype = bf16",
        "stage.align.optimizer.learning_rate = 2e-5",
        "stage.align.schedule.type = constant",
        "vision.layer = -1",
    ])
    .unwrap();
    assert_eq!((recipe.seed, recipe.name.as_str()), (2, "bare-word"));
    assert_eq!(recipe.dtype, Dtype::Bf16);
    assert_eq!(recipe.vision.options["layer"].as_integer(), Some(-1));
    assert_eq!(recipe.vision.preset.as_deref(), Some("small"));
    let Schedule::Constant(constant) = &recipe.stage["align"].schedule else {
        panic!("{:?}", recipe.stage["align"].schedule);
    };
    assert!(constant.warmup_ratio.abs() < f64::EPSILON);
}

#[test]
fn errors_in_sets_name_the_set() {
    let message = |set: &str| with_sets(&[set]).unwrap_err();
    assert_eq!(
        message("stage.align.batch_size = many"),
        "--set 'stage.align.batch_size = many': `stage.align.batch_size`: expected a whole number \
         of 0 or more, found the text \"many\""
    );
    assert!(message("stage.aling.batch_size = 2").contains("[stage.aling] must state"));
    assert_eq!(
        message("seed"),
        "--set 'seed': there is no `=`; write it as `--set 'stage.align.epochs = 2'`"
    );
    assert!(message("stages = [1").starts_with("--set 'stages = [1': "));
    assert!(message("extends = toy").contains("`extends` belongs in a file"));
}

#[test]
fn steps_over_epochs_take_their_place() {
    let length = |sets: &[&str]| with_sets(sets).unwrap().stage["align"].length();
    assert_eq!(length(&[]), Length::Epochs(1.0));
    assert_eq!(
        length(&["stage.align.epochs = 2", "stage.align.steps = 7"]),
        Length::Steps(7)
    );
    assert_eq!(
        length(&["stage.align.steps = 7", "stage.align.epochs = 0.5"]),
        Length::Epochs(0.5)
    );
}

#[test]
fn a_recipe_extends_a_file_or_an_embedded_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "base/toy.toml", TOY);
    write(
        folder,
        "file.toml",
        "extends = \"base/toy.toml\"\nname = \"file\"",
    );
    write(
        folder,
        "embedded.toml",
        "extends = \"toy\"\nname = \"embedded\"",
    );
    write(
        folder,
        "copied.toml",
        "extends = \"toy.toml\"\nname = \"copied\"",
    );
    for name in ["file", "embedded", "copied"] {
        let recipe = Recipe::load(folder.join(name).with_extension("toml")).unwrap();
        assert_eq!(recipe.name, name);
        assert_eq!(recipe.stage["align"].batch_size, 4);
    }
    write(folder, "lost.toml", "extends = \"tory\"");
    assert_eq!(
        message(folder, "lost.toml"),
        "lost.toml:1:1: `extends`: there is no file tory and no embedded recipe `tory`; embedded \
         are: toy (did you mean `toy`?)"
    );
}

#[test]
fn a_circle_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "a.toml", "extends = \"b.toml\"");
    write(folder, "b.toml", "# the way back\nextends = \"./a.toml\"");
    assert_eq!(
        message(folder, "a.toml"),
        "b.toml:2:1: `extends` comes back to where it began: a.toml -> b.toml -> a.toml"
    );
    for index in 0..20 {
        let text = format!("extends = \"{}.toml\"", index + 1);
        write(folder, &format!("{index}.toml"), &text);
    }
    assert!(message(folder, "0.toml").contains("deeper than 16 recipes"));
}

#[test]
fn an_error_points_into_the_file_that_states_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(
        folder,
        "base.toml",
        &TOY.replace("batch_size = 4", "batch_size = 0"),
    );
    write(
        folder,
        "top.toml",
        "extends = \"base.toml\"\n\n[stage.align]\nsampler = \"shuffled\"",
    );
    assert_eq!(
        message(folder, "top.toml"),
        "base.toml:18:1: `stage.align.batch_size`: must be 1 or more"
    );
    write(
        folder,
        "top.toml",
        "extends = \"toy\"\n\n[stage.align]\nsampler = \"shufled\"",
    );
    assert!(message(folder, "top.toml").starts_with("top.toml:4:1: `stage.align.sampler` is"));
}

#[test]
fn a_table_whose_type_changes_is_replaced_whole() {
    let recipe = with_sets(&["vision = { type = 'other', depth = 3 }"]).unwrap();
    assert_eq!(recipe.vision.preset, None);
    assert_eq!(recipe.vision.options.len(), 1);
    let recipe = with_sets(&["vision = { type = 'toy-eye', layer = 3 }"]).unwrap();
    assert_eq!(recipe.vision.preset.as_deref(), Some("small"));
}

#[test]
fn paths_are_relative_to_the_file_that_states_them() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let weights = "preset = \"small\"\nweights = \"ends/eye\"";
    write(
        folder,
        "base/toy.toml",
        &TOY.replace("preset = \"small\"", weights),
    );
    write(folder, "base/ends/eye/weights", "");
    let top = "extends = \"base/toy.toml\"\n[llm]\nweights = \"acme/tongue\"\n\
               [stage.align.data]\nimages = \"../images\"";
    write(folder, "top/top.toml", &top.replace("base/", "../base/"));
    let recipe = Recipe::load(folder.join("top/top.toml")).unwrap();
    let path = |name: &str| folder.join(name);
    assert_eq!(
        recipe.vision.weights,
        path("base/ends/eye").to_str().map(str::to_owned)
    );
    assert_eq!(recipe.llm.weights.as_deref(), Some("acme/tongue"));
    let data = &recipe.stage["align"].data;
    let conversations = data.conversations.as_ref().unwrap();
    assert_eq!(conversations[0], path("base/chat.json"));
    assert_eq!(data.images, Some(path("images")));
}

#[test]
fn a_mix_takes_the_place_of_conversations_and_its_paths_are_relative_too() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "base/toy.toml", TOY);
    let mix = "extends = \"base/toy.toml\"\n[stage.align.data]\nturns = \"separate\"\nmix = [\n\
               { conversations = [\"a.json\", \"b.json\"], weight = 0.5 },\n\
               { conversations = \"c.tar\", images = \"c\", turns = \"together\" },\n]\n";
    write(folder, "mix.toml", mix);
    let recipe = Recipe::load(folder.join("mix.toml")).unwrap();
    let path = |name: &str| folder.join(name);
    let sources = recipe.stage["align"].data.sources();
    let first = DataSource {
        paths: vec![path("a.json"), path("b.json")],
        images: Some(path("base/images")),
        turns: Turns::Separate,
        text: DataText::Conversations,
        ..DataSource::default()
    };
    let second = DataSource {
        paths: vec![path("c.tar")],
        images: Some(path("c")),
        turns: Turns::Together,
        text: DataText::Conversations,
        ..DataSource::default()
    };
    assert_eq!(sources, [(first, 0.5), (second, 1.0)]);
    let again = Recipe::parse(&recipe.to_toml().unwrap()).unwrap();
    assert_eq!(again.stage["align"].data, recipe.stage["align"].data);

    let back = "extends = \"mix.toml\"\nstage.align.data.conversations = \"d.json\"";
    write(folder, "back.toml", back);
    let recipe = Recipe::load(folder.join("back.toml")).unwrap();
    let [(source, weight)] = &recipe.stage["align"].data.sources()[..] else {
        panic!("one set");
    };
    assert_eq!((&source.paths, *weight), (&vec![path("d.json")], 1.0));
}
