//! Sweeps read with toy plugins.

use std::fs;

use super::Sweep;
use crate::recipe::load::LoadOptions;

/// A sweep file over the embedded recipe `toy`, or the message about it.
fn load_with(text: &str, sets: &[&str]) -> Result<Sweep, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("toys.toml");
    fs::write(&path, format!("base = \"toy\"\n{text}")).unwrap();
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    let options = LoadOptions {
        sets: &sets,
        ..LoadOptions::default()
    };
    let place = format!("{}/", folder.path().display());
    let loaded = Sweep::load(&path, &options);
    loaded.map_err(|error| error.to_string().replace(&place, ""))
}

fn load(text: &str) -> Sweep {
    load_with(text, &[]).unwrap_or_else(|error| panic!("{error}"))
}

fn message(text: &str) -> String {
    load_with(text, &[]).expect_err("the sweep is wrong")
}

fn names(sweep: &Sweep) -> Vec<&str> {
    let points = sweep.points.iter();
    points.map(|point| point.name.as_str()).collect()
}

#[test]
fn a_grid_has_every_combination_the_last_axis_fastest() {
    let sweep = load("[axes]\n\"vision.layer\" = [-1, -2]\nseed = [1, 2]");
    assert_eq!(
        names(&sweep),
        [
            "layer=-1,seed=1",
            "layer=-1,seed=2",
            "layer=-2,seed=1",
            "layer=-2,seed=2"
        ]
    );
    let last = &sweep.points[3];
    assert_eq!(
        (last.recipe.seed, last.recipe.name.as_str()),
        (2, "layer=-2,seed=2")
    );
    assert_eq!(last.recipe.vision.options["layer"].as_integer(), Some(-2));
    assert_eq!(last.recipe.vision.preset.as_deref(), Some("small"));
    assert_eq!(last.choices, [Some("-2".to_owned()), Some("2".to_owned())]);
    // A sweep is called as its file, and the base is as it is.
    assert_eq!((sweep.name.as_str(), sweep.base.seed), ("toys", 42));
}

/// A table that states `type` is the whole component; one that does not is a difference. Keys come
/// after both, wherever their axis stands.
#[test]
fn alternatives_of_a_component() {
    let sweep = load(
        "recipe = { seed = 7 }\n[axes]\n\"vision.layer\" = [-3]\n\
         vision = [\"large\", \"toy-eye\", \"fine\", \"whole\"]\n\
         [alternatives.vision]\nfine = { patch_size = 2 }\n\
         whole = { type = \"toy-eye\", image_size = 8, patch_size = 4 }\n",
    );
    assert_eq!(
        names(&sweep),
        [
            "layer=-3,large",
            "layer=-3,toy-eye",
            "layer=-3,fine",
            "layer=-3,whole"
        ]
    );
    let of = |point: usize| {
        let vision = &sweep.points[point].recipe.vision;
        (
            vision.preset.as_deref(),
            vision.options.to_string().replace('\n', " "),
        )
    };
    assert_eq!(of(0), (Some("large"), "layer = -3 ".to_owned()));
    // What the base is already stays as it is.
    assert_eq!(of(1), (Some("small"), "layer = -3 ".to_owned()));
    assert_eq!(
        of(2),
        (Some("small"), "patch_size = 2 layer = -3 ".to_owned())
    );
    assert_eq!(
        of(3),
        (None, "image_size = 8 patch_size = 4 layer = -3 ".to_owned())
    );
    assert!(sweep.points.iter().all(|point| point.recipe.seed == 7));
}

#[test]
fn an_axis_of_its_own_changes_anything() {
    let sweep = load(
        "[axes]\nlength = [\"short\", \"long\"]\n[alternatives.length]\n\
         short = { stage.align.steps = 5 }\n\
         long = { seed = 3, stage.align = { steps = 50, data = { conversations = \"more.json\" } } }",
    );
    assert_eq!(names(&sweep), ["short", "long"]);
    let [short, long] = [0, 1].map(|point| &sweep.points[point].recipe);
    assert_eq!((short.stage["align"].steps, short.seed), (Some(5), 42));
    assert_eq!((long.stage["align"].steps, long.seed), (Some(50), 3));
    let paths = &long.stage["align"].data.sources()[0].0.paths;
    // Paths are relative to the file that states them.
    assert!(paths[0].is_absolute() && paths[0].ends_with("more.json"));
}

#[test]
fn listed_points_are_each_taken_with_the_grid() {
    let sweep = load(
        "points = [{}, { vision = \"large\" }, { vision = \"large\", \"vision.layer\" = -1 }]\n\
         exclude = [{ vision = \"large\", \"vision.layer\" = -1, seed = 2 }]\n\
         [axes]\nseed = [1, 2]",
    );
    assert_eq!(
        names(&sweep),
        [
            "seed=1",
            "seed=2",
            "large,seed=1",
            "large,seed=2",
            "large,layer=-1,seed=1"
        ]
    );
    assert_eq!(sweep.points[0].choices, [None, None, Some("1".to_owned())]);
    let axes: Vec<&str> = sweep.axes.iter().map(|axis| axis.name.as_str()).collect();
    assert_eq!(axes, ["vision", "vision.layer", "seed"]);
    assert_eq!(names(&load("points = [{}]")), ["base"]);
}

#[test]
fn names_are_those_of_folders_and_sets_come_last() {
    let sweep = load("[axes]\n\"stage.align.freeze\" = [[\"vision\"], [\"llm\", \"vision\"]]");
    assert_eq!(names(&sweep), ["freeze=vision", "freeze=llm,vision"]);
    let alike = load(
        "[axes]\n\"eval.batch_size\" = [1]\n\"stage.align.batch_size\" = [2]\nseed = [1]\n\
                      [recipe.eval.data]\nconversations = \"asked.json\"",
    );
    assert_eq!(
        names(&alike),
        ["eval.batch_size=1,align.batch_size=2,seed=1"]
    );
    let set = load_with("[axes]\nseed = [1, 2]", &["max_tokens = 9"]).unwrap();
    assert!(set.points.iter().all(|point| point.recipe.max_tokens == 9));
    assert_eq!(
        load_with("[axes]\nseed = [1, 2]", &["seed = 3"]).unwrap_err(),
        "<embedded toy>:1:1: the points `seed=1` and `seed=2` are the same recipe; leave one of them \
         out, or let their alternatives differ"
    );
}

#[test]
fn errors_say_where_and_what_is_allowed() {
    let axes = "[axes]\nseed = [1]\n";
    let table = [
        (
            "seed = [1]",
            "toys.toml:2:1: the sweep has no key `seed`; its keys are: name, description, base, \
             budget, recipe, axes, alternatives, points, exclude",
        ),
        (
            "",
            "toys.toml:1:1: `axes`: a sweep must vary something: state alternatives in [axes], or \
             `points`",
        ),
        (
            "[axes]\nseed = 1",
            "toys.toml:3:1: `axes.seed`: expected an array of alternatives; what all points state \
             belongs into [recipe]",
        ),
        (
            "[axes]\nvision.layer = [1]",
            "toys.toml:3:1: `axes.vision`: expected an array of alternatives; write a key of the \
             recipe in quotes: \"vision.KEY\" = […]",
        ),
        (
            "[axes]\nseed = []",
            "toys.toml:3:1: `axes.seed`: names no alternative; leave the axis out",
        ),
        (
            "[axes]\nseed = [1, 1]",
            "toys.toml:3:12: `axes.seed`: states `1` twice",
        ),
        (
            "[axes]\nseeds = [1]",
            "toys.toml:3:10: `axes.seeds`: is no component and no key of a recipe, which begins with \
             one of: model, seed, dtype, max_tokens, stages, cache_features, vision, projector, llm, stage, eval, \
             checkpoint; for an axis of your own state what its alternatives are: \
             [alternatives.seeds.NAME]",
        ),
        (
            "[axes]\nvision = [\"lagre\"]",
            "toys.toml:3:11: `axes.vision` is `lagre`; it must be one of: toy-eye, toy-eye/small, \
             toy-eye/large",
        ),
        (
            "[axes]\nvision = [{ layer = 1 }]",
            "toys.toml:3:11: `axes.vision`: expected a name in quotes; a table is stated as \
             [alternatives.vision.NAME]",
        ),
        (
            "[axes]\nx = [\"b\"]\n[alternatives.x]\na = {}",
            "toys.toml:3:6: `x` is `b`; it must be one of: a (did you mean `a`?)",
        ),
        (
            "[axes]\nseed = [1]\n[alternatives.x]\na = {}",
            "toys.toml:4:15: [alternatives] has no key `x`; its keys are: seed",
        ),
        (
            "exclude = [{ seed = 2 }]\n[axes]\nseed = [1]",
            "toys.toml:2:14: `seed` is `2`; it must be one of: 1 (did you mean `1`?)",
        ),
        (
            "exclude = [{ sed = 1 }]\n[axes]\nseed = [1]",
            "toys.toml:2:14: [exclude.0] has no key `sed`; its keys are: seed (did you mean `seed`?)",
        ),
        (
            "exclude = [{ seed = 1 }]\n[axes]\nseed = [1]",
            "toys.toml:1:1: `exclude`: leaves no point of the sweep",
        ),
        (
            "budget = { runs = 1 }\n[axes]\nseed = [1, 2]",
            "toys.toml:2:1: `budget.runs`: allows 1 runs, and the sweep has 2; vary less or allow more",
        ),
        (
            "[axes]\n\"stage.align.batch_size\" = [1, \"many\"]",
            "toys.toml:3:32: `stage.align.batch_size`: expected a whole number of 0 or more, found the \
             text \"many\" (in the point `batch_size=many`)",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(message(text), expected, "{text}");
    }
    let nameless = format!("name = \"a/b\"\n{axes}");
    assert!(message(&nameless).starts_with("toys.toml:1:1: `name`: it names a folder"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no-base.toml");
    fs::write(&path, axes).unwrap();
    let error = Sweep::load(&path, &LoadOptions::default()).unwrap_err();
    assert!(error.to_string().ends_with("the sweep must state `base`"));
}

/// The keys that can be varied are all that the schema has.
#[test]
fn every_key_of_a_recipe_can_be_varied() {
    let schema = crate::Recipe::schema().unwrap().to_value();
    let properties = schema["properties"].as_object().unwrap();
    let own = ["name", "description", "extends"];
    let mut keys: Vec<&str> = properties.keys().map(String::as_str).collect();
    keys.retain(|key| !own.contains(key));
    keys.sort_unstable();
    let mut known = super::axis::RECIPE_KEYS.to_vec();
    known.sort_unstable();
    assert_eq!(keys, known);
}
