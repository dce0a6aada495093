//! Images of several squares, of all proportions in one batch, from training to answers.

use menagerie::Component;
use menagerie::weights::Shards;

use crate::tiny::{Run, World};

fn stretched() -> World {
    let world = World::new();
    world.stretch();
    world
}

/// A tiny run whose images are made `way`, scored after each stage, with `more`.
fn recipe(way: &str, more: &str) -> String {
    format!(
        "[vision]\nresize = \"{way}\"\n{more}\n[eval.data]\nconversations = \"questions.json\"\n\
         images = \"images\"\n"
    )
}

fn newline(run: &Run, stage: &str) -> Vec<f32> {
    let file = run.0.join(format!("weights/{stage}/projector.safetensors"));
    let data = Shards::open(&file)
        .expect("weights")
        .data("image_newline")
        .expect("there");
    data.try_to_vec().expect("f32")
}

#[test]
fn every_way_of_several_squares_is_trained_scored_and_asked() {
    let world = stretched();
    for way in ["anyres", "tiles"] {
        let run = world.train(way, &recipe(way, ""));
        let score = run.text("manifest.json");
        assert!(
            score.contains("\"scores\"") || run.0.join("answers.jsonl").is_file(),
            "{score}"
        );
        let first = run.metrics().remove(0);
        assert!(first.loss.is_finite() && first.tokens > 8 * 20, "{first:?}");
        for images in [&[][..], &["yellow"], &["green", "blue", "red"]] {
            let paths: Vec<String> = images
                .iter()
                .map(|name| format!("images/{name}.bmp"))
                .collect();
            let mut args = vec!["ask", way, "what color?", "--max-new-tokens", "3"];
            for path in &paths {
                args.extend(["--image", path]);
            }
            let said = world.menagerie(&args);
            assert_eq!(said.code, Some(0), "{way}, {images:?}: {said:?}");
        }
        let chat = [
            "chat",
            way,
            "--image",
            "images/yellow.bmp",
            "--max-new-tokens",
            "3",
        ];
        let said = world.menagerie_reading("what color?\nis it blue?\n", &chat);
        assert_eq!(said.code, Some(0), "{way}: {said:?}");
        let score = "bench run exact MODEL questions.json --images images --no-out";
        let score: Vec<&str> = score
            .split(' ')
            .map(|word| if word == "MODEL" { way } else { word })
            .collect();
        let said = world.menagerie(&score);
        assert_eq!(said.code, Some(0), "{way}: {said:?}");
    }
}

#[test]
fn the_vector_learns_with_the_projector_unless_it_is_frozen() {
    let world = stretched();
    let free = world.train("free", &recipe("anyres", ""));
    assert_ne!(newline(&free, "align"), newline(&free, "finetune"));
    let freeze = "[stage.align]\nfreeze = [\"vision\", \"llm\", \"projector.image_newline\"]";
    let held = world.train("held", &recipe("anyres", freeze));
    assert_ne!(newline(&free, "align"), newline(&held, "align"));
    assert_ne!(newline(&held, "align"), newline(&held, "finetune"));
    // Packed rows compute the same.
    let packed = world.train("packed", &recipe("anyres", "[stage.align]\npacking = true"));
    for (one, other) in free.metrics().iter().zip(packed.metrics()).take(5) {
        assert_eq!(one.tokens, other.tokens);
        assert!(
            (one.loss / other.loss - 1.0).abs() < 1e-4,
            "{one:?} {other:?}"
        );
    }
    let no = "[stage.finetune]\nfreeze = [\"projector.newline\"]";
    let error = world
        .try_train("no", &recipe("anyres", no))
        .expect_err("no such part");
    assert!(
        error.to_string().contains("projector.image_newline"),
        "{error}"
    );
}

#[test]
fn a_stage_may_take_one_square_of_an_image() {
    let world = stretched();
    let align = "[stage.align]\ndata = { conversations = \"data.json\", images = \"images\", \
        resize = \"pad\" }";
    let run = world.train("first", &recipe("anyres", align));
    let free = world.train("whole", &recipe("anyres", ""));
    let tokens = |run: &Run| {
        run.metrics()
            .iter()
            .map(|step| step.tokens)
            .collect::<Vec<_>>()
    };
    let (one, several) = (tokens(&run), tokens(&free));
    assert!(
        one[..5]
            .iter()
            .zip(&several)
            .all(|(one, several)| one < several)
    );
    assert_eq!(one[5..], several[5..]);
    let tiles = "[stage.align]\ndata = { conversations = \"data.json\", images = \"images\", \
        resize = \"tiles\" }";
    let error = world
        .try_train("mixed", &recipe("anyres", tiles))
        .expect_err("two ways");
    let expected =
        "`stage.align.data.resize`: a model whose images are `anyres` cannot have them as `tiles`";
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn lengths_are_those_of_each_image() {
    let world = stretched();
    world.recipe(
        "short",
        &format!("max_tokens = 50\n{}", recipe("anyres", "")),
    );
    let said = world.menagerie(&["data", "check", "short.toml"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let cut = |text: &str| text.matches("overlong").count();
    world.recipe(
        "short-pad",
        &format!("max_tokens = 50\n{}", recipe("pad", "")),
    );
    let padded = world.menagerie(&["data", "check", "short-pad.toml"]);
    assert!(
        cut(&said.stdout) > cut(&padded.stdout),
        "{said:?} {padded:?}"
    );

    // An image that is not there is one fault, as where no size is asked for.
    std::fs::remove_file(world.path("images/blue.bmp")).expect("it was there");
    let faults = |name: &str| {
        let said = world.menagerie(&["data", "check", name, "--json"]).json();
        said["data"][0]["checked"]["bad"]
            .as_array()
            .expect("a list")
            .len()
    };
    assert_eq!(faults("short.toml"), faults("short-pad.toml"));
    let run = world.recipe(
        "skip",
        &recipe("anyres", "[stage.align.data]\non_bad_sample = \"skip\""),
    );
    assert_eq!(run.stages.len(), 2);
}

#[test]
fn a_run_of_several_squares_goes_out_and_comes_back() {
    let world = stretched();
    let run = world.train("next", &recipe("anyres", ""));
    assert!(!run.weights("finetune", Component::Projector).is_empty());
    let ask = |model: &str| {
        let args = [
            "ask",
            model,
            "what color?",
            "--image",
            "images/green.bmp",
            "--json",
        ];
        let said = world.menagerie(&args);
        assert_eq!(said.code, Some(0), "{said:?}");
        said.json()["ids"].clone()
    };
    let expected = ask("next");
    for layout in ["hf", "original", "burnpack"] {
        let said = world.menagerie(&["export", "next", "--layout", layout, layout]);
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(ask(layout), expected, "{layout}");
    }
}
