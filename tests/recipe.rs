//! A user's day with recipes: list, copy, change, check, and what is said when something is wrong.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Runs the program in `folder`.
fn run(folder: &Path, args: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_menagerie");
    let output = Command::new(program)
        .args(args)
        .current_dir(folder)
        .output();
    output.expect("the program starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is text")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("stderr is text")
}

fn empty() -> TempDir {
    tempfile::tempdir().expect("there is a temporary folder")
}

/// A difference to LLaVA-1.5 7B in `mine.toml`: the message and exit code of checking it.
fn check(difference: &str) -> (String, Option<i32>) {
    let folder = empty();
    let text = format!("extends = \"llava-1.5-7b\"\n{difference}\n");
    fs::write(folder.path().join("mine.toml"), text).unwrap();
    let output = run(folder.path(), &["recipe", "check", "mine.toml"]);
    assert_eq!(stdout(&output).is_empty(), !output.status.success());
    (stderr(&output), output.status.code())
}

#[test]
fn a_stranger_copies_changes_and_checks_a_recipe() {
    let folder = empty();
    let run = |args: &[&str]| run(folder.path(), args);

    let listed = stdout(&run(&["recipe", "list"]));
    assert!(
        listed.contains("\nllava-1.5-13b      LLaVA-1.5"),
        "{listed}"
    );

    let copied = run(&["recipe", "copy", "llava-13b", "--out", "mine.toml"]);
    assert_eq!(copied.status.code(), Some(0));
    assert_eq!(
        (stdout(&copied), stderr(&copied)),
        (String::new(), "wrote mine.toml\n".to_owned())
    );
    let again = run(&["recipe", "copy", "llava-7b", "--out", "mine.toml"]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(
        stderr(&again),
        "error: mine.toml exists already; `--force` overwrites it, `--out FILE` chooses another name\n"
    );

    let checked = run(&[
        "recipe",
        "check",
        "mine.toml",
        "--set",
        "llm.chat = llava_llama_2",
    ]);
    assert_eq!(stdout(&checked), "mine.toml: ok\n", "{}", stderr(&checked));

    let shown = stdout(&run(&["recipe", "show", "mine.toml", "--set", "seed = 7"]));
    for line in [
        "seed = 7",
        "hidden_size = 5120",
        "image_size = 224",
        "beta2 = 0.999",
    ] {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    fs::write(folder.path().join("resolved.toml"), &shown).unwrap();
    assert_eq!(stdout(&run(&["recipe", "show", "resolved.toml"])), shown);
    let json = stdout(&run(&["recipe", "show", "resolved.toml", "--json"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["recipe"]["stage"]["finetune"]["batch_size"], 32);
}

/// What the optimizer does with which part, before anything is trained.
#[test]
fn groups_of_the_optimizer_are_shown_and_checked() {
    let folder = empty();
    let write = |on: &str| {
        let text = format!(
            "extends = \"llava-1.5-7b\"\n[stage.finetune]\nfreeze = [\"vision.layers.0..20\"]\n\
             [stage.finetune.optimizer]\nweight_decay = 0.1\n\
             groups = [{{ on = [\"{on}\"], learning_rate = 2e-6, weight_decay = 0.05 }}]\n"
        );
        fs::write(folder.path().join("mine.toml"), text).unwrap();
    };
    write("vision");
    let shown = stdout(&run(folder.path(), &["recipe", "show", "mine.toml"]));
    let expected = "\
# stage     learning rate  weight decay           count  of
# align              1e-3             0        20979712  all that learn
# finetune           2e-5           0.1      6759120896  all others
# finetune           2e-5             0          274432  all others
# finetune           2e-6          0.05        51525632  vision
# finetune           2e-6             0           57344  vision
";
    assert!(shown.ends_with(expected), "{shown}");
    write("vision.layers.0..4");
    let checked = run(folder.path(), &["recipe", "check", "mine.toml"]);
    let message = "mine.toml:6:19: `optimizer.groups` of stage `finetune`: `vision.layers.0..4` names \
                   only parameters that the stage freezes";
    assert!(stderr(&checked).contains(message), "{}", stderr(&checked));
}

#[test]
fn a_file_wins_over_an_embedded_recipe() {
    let folder = empty();
    fs::write(folder.path().join("llava-7b"), "name = 3").unwrap();
    let output = run(folder.path(), &["recipe", "check", "llava-7b"]);
    let message = "error: llava-7b:1:1: `name`: expected a string, found 3\n";
    assert_eq!(stderr(&output), message);
}

#[test]
fn mistakes_in_a_recipe_point_at_their_line() {
    for (difference, message) in [
        (
            "[stage.align]\nbatchsize = 4",
            "mine.toml:3:1: [stage.align] has no key `batchsize`; its keys are: freeze, lora, \
             epochs, steps, batch_size, micro_batch_size, checkpoint_blocks, max_grad_norm, \
             max_loss_ratio, sampler, packing, eval, data, optimizer, schedule (did you mean `batch_size`?)",
        ),
        (
            "[vision]\nlayers = -1",
            "mine.toml:3:1: [vision] has no key `layers`; its keys are: type, preset, weights, \
             adapter, base, resize, images, activation, hidden_size, image_size, intermediate_size, layer, \
             layer_norm_eps, num_heads, num_layers, patch_size, select (did you mean `layer`?)",
        ),
        (
            "[projector]\ntype = \"mpl\"",
            "mine.toml:3:1: no projector plugin is called `mpl`; there are: \
             c_abstractor, identity, ldp_v2, linear, mlp, pixel_shuffle, pool, qformer, resampler \
             (did you mean `mlp`?)",
        ),
        (
            "[llm]\npreset = \"vicuna-7\"",
            "mine.toml:3:1: `llama` has no preset `vicuna-7`; there are: vicuna-7b, vicuna-13b \
             (did you mean `vicuna-7b`?)",
        ),
        (
            "stages = [\"algin\", \"finetune\"]",
            "mine.toml:2:11: `stages` lists `algin`, which has no table [stage.algin]; there \
             are: align, finetune (did you mean `align`?)",
        ),
        (
            "[stage.finetune]\nfreeze = [\"vission\"]",
            "mine.toml:3:11: `stage.finetune.freeze.0`: `vission`: it must begin with one of: \
             vision, projector, llm (did you mean `vision`?)",
        ),
        (
            "[stage.finetune]\nfreeze = [\"vision\", \"llm.layer.0..8\"]",
            "mine.toml:3:21: `freeze` of stage `finetune`: `llm.layer.0..8` matches no \
             parameter; there are: llm.embed_tokens, llm.layers, llm.lm_head, llm.norm (did you \
             mean `llm.layers`?)",
        ),
        (
            "[stage.finetune]\nfreeze = [\"vision\", \"llm\", \"projector\"]",
            "mine.toml:3:1: `freeze` of stage `finetune`: every parameter is frozen, so the \
             stage would learn nothing; leave out a target",
        ),
        (
            "seed = \"42\"",
            "mine.toml:2:1: `seed`: expected a whole number of 0 or more, found the text \"42\"",
        ),
        (
            "[stage.align",
            "mine.toml:2:13: unclosed table, expected `]`",
        ),
    ] {
        assert_eq!(check(difference), (format!("error: {message}\n"), Some(3)));
    }
    let (notes, code) = check("seed = 1");
    assert_eq!(code, Some(0));
    assert_eq!(
        notes.lines().next(),
        Some(
            "note: mine.toml: the weights of vision, `openai/clip-vit-large-patch14-336`, are not beside it: they come from the hub or its cache"
        )
    );
    assert_eq!(
        check("[stage.finetune]\nfreeze = [\"vision\", \"llm.layers.0..8\"]").1,
        Some(0)
    );
}

#[test]
fn a_recipe_and_its_weights_must_agree() {
    let folder = empty();
    fs::create_dir(folder.path().join("clip")).unwrap();
    let config = r#"{ "model_type": "clip_vision_model", "image_size": 224, "patch_size": 14,
        "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24,
        "num_attention_heads": 16 }"#;
    let path = folder.path().join("clip/config.json");
    fs::write(&path, config).unwrap();
    let text = "extends = \"llava-1.5-7b\"\n\n[vision]\nweights = \"clip\"\n";
    fs::write(folder.path().join("mine.toml"), text).unwrap();
    let output = run(folder.path(), &["recipe", "check", "mine.toml"]);
    let message = stderr(&output);
    assert!(
        message.contains("`vision.image_size` is 336 by preset `vit-l-14-336`, but "),
        "{message}"
    );
    assert!(
        message.contains("clip/config.json says 224; correct the recipe"),
        "{message}"
    );
    let fixed = [
        "recipe",
        "check",
        "mine.toml",
        "--set",
        "vision.preset = vit-l-14",
    ];
    let output = run(folder.path(), &fixed);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn exit_codes_tell_what_kind_of_failure_it_was() {
    let folder = empty();
    let code = |args: &[&str]| run(folder.path(), args).status.code();
    assert_eq!(code(&["recipe", "check", "llava-7b"]), Some(0));
    assert_eq!(code(&["recipe", "chek"]), Some(2));
    assert_eq!(code(&["recipe", "check", "llava-7"]), Some(3));
    assert_eq!(
        code(&["recipe", "check", "llava-7b", "--set", "seed = x"]),
        Some(3)
    );
    assert_eq!(code(&["recipe", "check", "missing.toml"]), Some(4));
    assert_eq!(
        code(&["recipe", "check", "missing.toml", "llava-7"]),
        Some(4)
    );
    assert_eq!(code(&["plugins", "clop"]), Some(3));
    assert_eq!(
        code(&["recipe", "copy", "llava-7b", "--out", "none/a.toml"]),
        Some(4)
    );
}

#[test]
fn plugins_are_listed_and_shown() {
    let folder = empty();
    let listed = stdout(&run(folder.path(), &["plugins"]));
    // A line a plugin, its options indented below it, and a word on how to read them.
    let plugins = listed.lines().take_while(|line| !line.is_empty());
    let names: Vec<_> = plugins
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().nth(1))
        .collect();
    assert_eq!(
        names,
        [
            "clip",
            "convnext",
            "dinov2",
            "fused",
            "siglip",
            "c_abstractor",
            "identity",
            "ldp_v2",
            "linear",
            "mlp",
            "pixel_shuffle",
            "pool",
            "qformer",
            "resampler",
            "gemma2",
            "llama",
            "mistral",
            "phi",
            "phi3",
            "qwen2",
            "qwen3",
            "exact",
            "gqa",
            "llava-bench-coco",
            "llava-bench-wild",
            "mmbench",
            "mme",
            "pope",
            "scienceqa",
            "textvqa",
            "vqa",
        ]
    );
    assert!(listed.contains("options: depth = 2\n"), "{listed}");
    let shown = stdout(&run(folder.path(), &["plugins", "clip"]));
    assert!(
        shown.contains("  layer: integer | array of integer, default -2\n      Hidden state read"),
        "{shown}"
    );
    assert!(
        shown.contains("  vit-l-14-336\n      image_size = 336"),
        "{shown}"
    );
    let json = stdout(&run(folder.path(), &["plugins", "mlp", "--json"]));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["options"][0]["default"], 2);
    assert_eq!(
        stderr(&run(folder.path(), &["plugins", "lama"])),
        "error: no plugin is called `lama`; there are: clip, convnext, dinov2, fused, siglip, c_abstractor, identity, ldp_v2, linear, mlp, pixel_shuffle, pool, qformer, resampler, gemma2, llama, mistral, phi, phi3, qwen2, qwen3, exact, gqa, llava-bench-coco, llava-bench-wild, mmbench, mme, pope, scienceqa, textvqa, vqa (did you mean `llama`?)\n"
    );
}

/// With `MENAGERIE_UPDATE=1` the file is written anew.
#[test]
fn the_schema_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/recipe.schema.json");
    let schema = stdout(&run(Path::new("."), &["recipe", "schema"]));
    if std::env::var_os("MENAGERIE_UPDATE").is_some() {
        fs::write(&path, &schema).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == schema,
        "recipes/recipe.schema.json is old; run with MENAGERIE_UPDATE=1"
    );
}
