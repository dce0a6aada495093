//! Features of a frozen encoder, kept on disk: what they follow from, who shares them, and that a run
//! with them is the run without.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use menagerie::burn::tensor::{Device, Tensor};
use menagerie::parameters::draw;
use menagerie::runs::RunSummary;
use menagerie::testing::normal;
use menagerie::toml::Table;
use menagerie::{Component, plugin};

use crate::resume::go;
use crate::tiny::{COLOURS, Run, World, state};

const KEPT: &str = "cache_features = true\n";
/// Scores within stages and after them, and checkpoints.
const SCORED: &str = "\
[checkpoint]
every_steps = 2
every_minutes = 0
[eval]
data = { conversations = \"questions.json\", images = \"images\" }
every_steps = 3
max_new_tokens = 3
";

/// Images whose features a run found, and those that its encoder saw, in the steps of all stages.
fn asked(run: &Run) -> (usize, usize) {
    let stages = RunSummary::read(&run.0).unwrap().stages;
    let sum = |of: fn(&menagerie::train::StageTotals) -> Option<usize>| {
        stages.iter().map(|stage| of(stage).unwrap()).sum()
    };
    (
        sum(|stage| stage.features_found),
        sum(|stage| stage.features_computed),
    )
}

/// All files of features in a folder.
fn kept(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "squares") {
                found.push(path);
            }
        }
    }
    found
}

/// How many encoders, each with its way of preparing images, have features in a folder.
fn encoders(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

/// Asserts that two runs computed the same, all but what their recipes are called and keep.
fn assert_same(one: &Run, other: &Run) {
    let differing = state::differing(&state::state(&one.0), &state::state(&other.0));
    let allowed = [
        "recipe.toml",
        "model.toml",
        "manifest.json",
        "checkpoint.json",
    ];
    let allowed = |path: &PathBuf| allowed.iter().any(|name| path.ends_with(name));
    let differing: Vec<PathBuf> = differing
        .into_iter()
        .filter(|path| !allowed(path))
        .collect();
    assert_eq!(differing, Vec::<PathBuf>::new());
}

#[test]
fn a_run_with_kept_features_is_the_run_without_bit_for_bit() {
    let convnext = plugin::encoder("convnext").unwrap().info.tiny();
    let convnext = format!("[vision]\ntype = \"convnext\"\n{convnext}");
    let variants = [
        "",
        "[stage.align]\nmicro_batch_size = 3\n[stage.finetune]\ncheckpoint_blocks = true\npacking = true\n",
        "dtype = \"bf16\"\n",
        &convnext,
    ];
    for more in variants {
        let world = World::new();
        let without = world.train("without", &format!("{more}{SCORED}"));
        assert!(!world.path(".features").exists());
        let cold = world.train("cold", &format!("{KEPT}{more}{SCORED}"));
        let (found, computed) = asked(&cold);
        assert_eq!(computed, COLOURS.len(), "{more}");
        assert!(found > computed, "{more}");
        // The four images and the grey one.
        assert_eq!(kept(&world.path(".features")).len(), COLOURS.len() + 1);
        let warm = world.train("warm", &format!("{KEPT}{more}{SCORED}"));
        assert_eq!(asked(&warm), (found + computed, 0), "{more}");
        assert_same(&without, &cold);
        assert_same(&cold, &warm);
        assert!(warm.text("report.html").contains("features found"));
        assert!(!without.text("report.html").contains("features found"));
        assert!(!warm.text("model.toml").contains("cache_features"));
    }
}

#[test]
fn images_of_several_squares_are_kept_whole() {
    for way in ["anyres", "tiles", "pad"] {
        let world = World::new();
        world.stretch();
        let more = format!("[vision]\nresize = \"{way}\"\n{SCORED}");
        let without = world.train("without", &more);
        let cold = world.train("cold", &format!("{KEPT}{more}"));
        let warm = world.train("warm", &format!("{KEPT}{more}"));
        assert_eq!(asked(&cold).1, COLOURS.len(), "{way}");
        assert_eq!(asked(&warm).1, 0, "{way}");
        assert_same(&without, &cold);
        assert_same(&cold, &warm);
    }
}

#[test]
fn what_the_encoder_sees_alike_is_shared_and_nothing_else() {
    let world = World::new();
    world.train("first", KEPT);
    let features = world.path(".features");
    assert_eq!(encoders(&features), 1);
    // Neither projector nor rates nor the sampler change what the encoder makes of an image.
    let other =
        "[projector]\ntype = \"linear\"\n[stage.finetune]\nepochs = 1\nsampler = \"sequential\"\n";
    let run = world.train("other", &format!("{KEPT}{other}"));
    assert_eq!((encoders(&features), asked(&run).1), (1, 0));
    // The same picture under another name and in another place.
    fs::rename(world.path("images"), world.path("moved")).unwrap();
    let moved =
        "[stage.align.data]\nimages = \"moved\"\n[stage.finetune.data]\nimages = \"moved\"\n";
    let run = world.train("moved-run", &format!("{KEPT}{moved}"));
    assert_eq!((encoders(&features), asked(&run).1), (1, 0));
    fs::rename(world.path("moved"), world.path("images")).unwrap();
    // Other weights, another layer, another number type, another way of preparing images.
    let others = [
        "seed = 2\n",
        "[vision]\nlayer = -2\n",
        "dtype = \"bf16\"\n",
        "[vision]\nresize = \"naive\"\n",
    ];
    for (number, other) in others.into_iter().enumerate() {
        let run = world.train(&format!("other-{number}"), &format!("{KEPT}{other}"));
        assert_eq!(asked(&run).1, COLOURS.len(), "{other}");
        assert_eq!(encoders(&features), number + 2, "{other}");
    }
    // An image that is not what it was.
    world.write("images/red.bmp", crate::tiny::square([1, 2, 3]));
    let run = world.train("changed", KEPT);
    assert_eq!((encoders(&features), asked(&run).1), (5, 1));
    // They are no run.
    let runs = world.menagerie(&["runs", "."]);
    assert!(runs.stdout.contains("changed"), "{runs:?}");
    assert!(!format!("{runs:?}").contains(".features"), "{runs:?}");
}

#[test]
fn damaged_features_are_computed_again() {
    let world = World::new();
    let whole = world.train("whole", KEPT);
    let files = kept(&world.path(".features"));
    let before: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    let (flipped, torn, longer) = (&files[0], &files[1], &files[2]);
    let mut bytes = before[0].clone();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(flipped, bytes).unwrap();
    fs::write(torn, &before[1][..before[1].len() / 2]).unwrap();
    fs::write(longer, [&before[2][..], &[0]].concat()).unwrap();
    fs::remove_file(&files[3]).unwrap();
    let again = world.train("again", KEPT);
    assert_eq!(asked(&again).1, 4);
    assert_same(&whole, &again);
    let after: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    assert!(before == after);
}

#[test]
fn a_run_goes_on_where_features_cannot_be_kept() {
    let world = World::new();
    let whole = world.train("whole", KEPT);
    let files = kept(&world.path(".features"));
    for file in &files {
        let room = file.parent().unwrap();
        if room.is_dir() {
            fs::remove_dir_all(room).unwrap();
            fs::write(room, "in the way").unwrap();
        }
    }
    let path = world.path("again");
    let (ended, notes) = go(&world.recipe("again", KEPT), &path, usize::MAX);
    assert!(ended);
    let said = notes
        .iter()
        .any(|note| note.contains("are not kept") && note.contains("cannot write"));
    assert!(said, "{notes:?}");
    assert_same(&whole, &Run(path));
}

#[test]
fn a_run_that_is_stopped_goes_on_with_its_features() {
    let world = World::new();
    let text = format!("{KEPT}{SCORED}");
    let whole = world.train("whole", &text);
    fs::remove_dir_all(world.path(".features")).unwrap();
    let recipe = world.recipe("parts", &text);
    let path = world.path("parts");
    while !go(&recipe, &path, 2).0 {}
    assert_same(&whole, &Run(path));
}

/// Killed as soon as the first features are there: what it left serves the next run.
#[test]
fn a_killed_run_leaves_features_that_are_whole() {
    let world = World::new();
    let without = world.train("without", "");
    world.recipe("killed", KEPT);
    let features = world.path("elsewhere");
    let mut child = Command::new(env!("CARGO_BIN_EXE_menagerie"))
        .args([
            "train",
            "killed.toml",
            "--out",
            "killed",
            "--features",
            "elsewhere",
        ])
        .current_dir(world.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while kept(&features).is_empty() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!kept(&features).is_empty());
    let said = world.menagerie(&[
        "train",
        "killed.toml",
        "--out",
        "next",
        "--features",
        "elsewhere",
    ]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.stderr
            .contains("note: stage align found the features of"),
        "{said:?}"
    );
    assert!(!world.path(".features").exists());
    let next = Run(world.path("next"));
    assert!(next.all_weights("finetune") == without.all_weights("finetune"));
}

#[test]
fn runs_at_the_same_time_share_features() {
    let world = World::new();
    let without = world.train("without", SCORED);
    world.recipe("kept", &format!("{KEPT}{SCORED}"));
    let names = ["first", "second", "third"];
    let start = |name: &&str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_menagerie"));
        let program = program.args(["train", "kept.toml", "--out", name]);
        let program = program.current_dir(world.path("")).stdout(Stdio::null());
        program.stderr(Stdio::null()).spawn().unwrap()
    };
    let children: Vec<_> = names.iter().map(start).collect();
    for (name, mut child) in names.into_iter().zip(children) {
        assert!(child.wait().unwrap().success(), "{name}");
        let run = Run(world.path(name));
        assert_same(&without, &run);
        let (found, computed) = asked(&run);
        assert!(found > 0 && computed <= COLOURS.len(), "{name}");
    }
    let features = world.path(".features");
    assert_eq!(
        (encoders(&features), kept(&features).len()),
        (1, COLOURS.len() + 1)
    );
}

#[test]
fn an_encoder_that_changes_has_no_features_to_keep() {
    let world = World::new();
    let check = |text: &str| {
        world.write(
            "wrong.toml",
            format!("extends = \"tiny.toml\"\n{KEPT}{text}"),
        );
        let said = world.menagerie(&["recipe", "check", "wrong.toml"]);
        assert_eq!(said.code, Some(3), "{said:?}");
        said.stderr
    };
    let said = check("[stage.finetune]\nfreeze = [\"vision.layers\", \"llm.layers.0\"]\n");
    assert!(
        said.contains("wrong.toml:4:1: `stage.finetune.freeze`: `cache_features` keeps what"),
        "{said}"
    );
    assert!(said.contains("name `\"vision\"` here"), "{said}");
    let lora = "{ rank = 2, alpha = 4, on = [\"llm\", \"vision\"] }";
    let said = check(&format!("[stage.finetune]\nlora = {lora}\n"));
    assert!(said.contains("wrong.toml:4:"), "{said}");
    assert!(said.contains("no adapter may lie on it"), "{said}");
    // A stage that does not run is no hindrance.
    world.write(
        "fine.toml",
        format!(
            "extends = \"align.toml\"\n{KEPT}[stage.later]\nbatch_size = 8\n\
                 data = {{ conversations = \"data.json\", images = \"images\" }}\n\
                 optimizer = {{ type = \"adamw\", learning_rate = 1e-3 }}\n"
        ),
    );
    let said = world.menagerie(&["recipe", "check", "fine.toml"]);
    assert_eq!(said.code, Some(0), "{said:?}");
}

/// An encoder's features of some random squares, together and each alone.
fn together_and_alone(name: &str, options: Table, squares: usize) -> (Vec<u32>, Vec<u32>) {
    let device = Device::flex();
    let config = plugin::encoder(name).unwrap().configure(options).unwrap();
    let side = config.spec().unwrap().image_size;
    let encoder = config.init(&device).unwrap();
    draw(&encoder, 7);
    let pixels = normal([squares, 3, side, side]);
    let bits = |features: Tensor<3>| {
        let values = features.into_data().try_into_vec::<f32>().unwrap();
        values.into_iter().map(f32::to_bits).collect::<Vec<u32>>()
    };
    let together = bits(encoder.forward(pixels.clone()));
    let each = (0..squares).map(|square| encoder.forward(pixels.clone().narrow(0, square, 1)));
    (together, each.flat_map(bits).collect())
}

/// On the CPU: of every encoder, and of one whose products are cut among threads.
#[test]
fn an_image_has_the_features_that_it_has_alone_whatever_batch_it_is_in() {
    let encoders = plugin::list().unwrap().into_iter();
    let encoders = encoders.filter(|info| info.component == Component::Vision);
    let mut encoders: Vec<(&str, Table)> = encoders.map(|info| (info.name, info.tiny())).collect();
    let larger = "image_size = 154\npatch_size = 14\nhidden_size = 192\nintermediate_size = 768\n\
                  num_layers = 2\nnum_heads = 3\nlayer = -1\nselect = \"cls_patch\"";
    encoders.push(("clip", larger.parse().unwrap()));
    for (name, options) in encoders {
        for squares in [2, 3, 5, 8, 13] {
            let (together, alone) = together_and_alone(name, options.clone(), squares);
            assert!(together == alone, "{name}, {squares} squares");
        }
    }
}
