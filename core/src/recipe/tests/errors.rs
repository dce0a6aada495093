//! Every message names the place, what is allowed and the nearest name.

use super::super::Recipe;
use super::TOY;

/// The message about [`TOY`] with `from` replaced by `to`.
fn message(from: &str, to: &str) -> String {
    assert!(TOY.contains(from), "{from}");
    let recipe = Recipe::parse(&TOY.replace(from, to));
    let configured = recipe.and_then(|recipe| recipe.configure());
    configured.expect_err("the recipe is wrong").to_string()
}

#[test]
fn unknown_keys() {
    assert_eq!(
        message("batch_size = 4", "batchsize = 4"),
        "<recipe>:18:1: [stage.align] has no key `batchsize`; its keys are: freeze, lora, \
             epochs, steps, batch_size, micro_batch_size, checkpoint_blocks, max_grad_norm, \
             max_loss_ratio, sampler, packing, eval, data, optimizer, schedule (did you mean `batch_size`?)"
    );
    assert!(message("images =", "imgaes =").starts_with(
        "<recipe>:17:39: [stage.align.data] has no key `imgaes`; its keys are: conversations, \
         mix, images,"
    ));
    assert_eq!(
        message("learning_rate = 1e-3", "learning_rat = 1e-3"),
        "<recipe>:19:31: [stage.align.optimizer] has no key `learning_rat`; its keys are: \
         learning_rate, weight_decay, no_decay, beta1, beta2, epsilon, groups (did you mean `learning_rate`?)"
    );
    assert!(
        message("stages =", "stage_order = []\nstages =")
            .starts_with("<recipe>:2:1: the recipe has no key `stage_order`; its keys are: name,")
    );
    assert_eq!(
        message("preset = \"small\"", "rezise = \"pad\""),
        "<recipe>:6:1: [vision] has no key `rezise`; its keys are: type, preset, weights, adapter, base, resize, images, \
         image_size, layer, patch_size (did you mean `resize`?)"
    );
}

#[test]
fn missing_keys() {
    assert_eq!(
        message("batch_size = 4\n", ""),
        "<recipe>:15:8: [stage.align] must state `batch_size`"
    );
    assert_eq!(
        message("type = \"adamw\", ", ""),
        "<recipe>:19:1: [stage.align.optimizer] must state `type`"
    );
    assert_eq!(
        message("name = \"toy\"\n", ""),
        "<recipe>:1:1: the recipe must state `name`"
    );
}

#[test]
fn values_of_the_wrong_kind() {
    assert_eq!(
        message("batch_size = 4", "batch_size = \"four\""),
        "<recipe>:18:1: `stage.align.batch_size`: expected a whole number of 0 or more, found the \
         text \"four\""
    );
    assert_eq!(
        message("batch_size = 4", "batch_size = -4"),
        "<recipe>:18:1: `stage.align.batch_size`: expected a whole number of 0 or more, found -4"
    );
    assert_eq!(
        message("\"chat.json\"", "[\"a.json\", 3]"),
        "<recipe>:17:37: `stage.align.data.conversations.1`: expected a path, found 3"
    );
    assert_eq!(
        message("batch_size = 4", "batch_size = 4\ndata.turns = \"x\"")
            .split(": ")
            .next(),
        Some("<recipe>:19:1")
    );
}

#[test]
fn data_is_one_set_or_a_mix_with_weights() {
    let data = "{ conversations = \"chat.json\", images = \"images\" }";
    let mix = |set: &str| format!("{{ mix = [{{ conversations = \"a.json\" }}, {{ {set} }}] }}");
    assert_eq!(
        message(data, "{ images = \"images\" }"),
        "<recipe>:17:1: `stage.align.data`: must name data: state `conversations`, or `mix` for \
         several sets"
    );
    assert_eq!(
        message(
            "images = \"images\"",
            "mix = [{ conversations = \"a.json\" }]"
        ),
        "<recipe>:17:39: `stage.align.data.mix`: state `conversations` or `mix`, not both; a set \
         of `mix` has `conversations` of its own"
    );
    assert_eq!(
        message(data, &mix("conversations = \"b.json\", weight = 0")),
        "<recipe>:17:75: `stage.align.data.mix.1.weight`: must be above 0; leave a set out that \
         is not to be learned"
    );
    assert_eq!(
        message(data, &mix("conversations = []")),
        "<recipe>:17:49: `stage.align.data.mix.1.conversations`: must name at least one file"
    );
    assert!(message(data, &mix("wieght = 2")).contains("did you mean `weight`?"));
}

#[test]
fn words_that_are_not_among_the_allowed() {
    assert_eq!(
        message("preset", "resize = \"crob\"\npreset"),
        "<recipe>:6:1: `vision.resize` is `crob`; it must be one of: crop, pad, naive, anyres, tiles (did you mean \
         `crop`?)"
    );
    assert_eq!(
        message("\"adamw\"", "\"adam\""),
        "<recipe>:19:15: `stage.align.optimizer.type` is `adam`; it must be one of: adamw (did \
         you mean `adamw`?)"
    );
}

#[test]
fn values_out_of_range() {
    assert_eq!(
        message("batch_size = 4", "batch_size = 4\nmicro_batch_size = 8"),
        "<recipe>:19:1: `stage.align.micro_batch_size`: must be at most `batch_size`, which is 4"
    );
    assert_eq!(
        message("batch_size = 4", "batch_size = 4\nepochs = 1\nsteps = 3"),
        "<recipe>:20:1: `stage.align.steps`: state `epochs` or `steps`, not both"
    );
    assert_eq!(
        message("1e-3", "nan"),
        "<recipe>:19:31: `stage.align.optimizer.learning_rate`: must be 0 or more"
    );
    assert_eq!(
        message("[llm]", "[llm.generation]\ntop_p = 0\n[llm]"),
        "<recipe>:12:1: `llm.generation.top_p`: must be above 0 and at most 1"
    );
}

#[test]
fn every_stage_listed_has_a_table_and_runs_once() {
    assert_eq!(
        message("[\"align\"]", "[\"algin\"]"),
        "<recipe>:2:11: `stages` lists `algin`, which has no table [stage.algin]; there are: \
         align (did you mean `align`?)"
    );
    assert!(message("[\"align\"]", "[\"align\", \"align\"]").contains("`align` is listed twice"));
}

#[test]
fn a_stage_that_is_not_listed_waits() {
    let recipe = Recipe::parse(&TOY.replace("[\"align\"]", "[]")).unwrap();
    assert_eq!(recipe.stages().count(), 0);
    assert!(recipe.stage.contains_key("align"));
}

#[test]
fn freeze_targets() {
    assert_eq!(
        message("\"llm\"]", "\"lm\"]"),
        "<recipe>:16:21: `stage.align.freeze.1`: `lm`: it must begin with one of: vision, \
         projector, llm (did you mean `llm`?)"
    );
    assert_eq!(
        message("\"llm\"]", "\"llm\", \"projector\"]"),
        "<recipe>:16:1: `freeze` of stage `align`: every parameter is frozen, so the stage would \
         learn nothing; leave out a target"
    );
    let recipe = Recipe::parse(&TOY.replace("\"llm\"]", "\"llm.embed\"]")).unwrap();
    let paths = ["vision.a.weight", "llm.embed_tokens.weight"].map(str::to_owned);
    assert_eq!(
        recipe.check_freeze(&paths).unwrap_err().to_string(),
        "<recipe>:16:21: `freeze` of stage `align`: `llm.embed` matches no parameter; there are: \
         llm.embed_tokens (did you mean `llm.embed_tokens`?)"
    );
}

#[test]
fn groups_of_the_optimizer() {
    let groups = |groups: &str| {
        let stated = format!("1e-3, groups = [{groups}]");
        Recipe::parse(&TOY.replace("1e-3", &stated)).map_err(|error| error.to_string())
    };
    assert_eq!(
        groups("{ on = [\"projector\"] }").unwrap_err(),
        "<recipe>:19:65: `stage.align.optimizer.groups.0.on`: the group states neither \
         `learning_rate` nor `weight_decay`, so it changes nothing"
    );
    assert_eq!(
        groups("{ on = [], weight_decay = 1 }").unwrap_err(),
        "<recipe>:19:65: `stage.align.optimizer.groups.0.on`: must name at least one part of the model"
    );
    assert_eq!(
        groups("{ on = [\"projector\"], learning_rate = -1 }").unwrap_err(),
        "<recipe>:19:85: `stage.align.optimizer.groups.0.learning_rate`: must be 0 or more"
    );
    let paths = [
        "vision.a.weight",
        "projector.layers.0.weight",
        "projector.layers.1.weight",
        "llm.embed_tokens.weight",
    ]
    .map(str::to_owned);
    let check = |text: &str| {
        let checked = groups(text).unwrap().check_optimizer_groups(&paths);
        checked.map_err(|error| error.to_string())
    };
    let group = |on: &str| format!("{{ on = [{on}], learning_rate = 1 }}");
    let layers = [0, 1].map(|layer| group(&format!("\"projector.layers.{layer}\"")));
    assert_eq!(check(&layers.join(", ")), Ok(()));
    assert_eq!(
        check(&group("\"projector\", \"projector.layer\"")).unwrap_err(),
        "<recipe>:19:84: `optimizer.groups` of stage `align`: `projector.layer` matches no \
         parameter; there are: projector.layers (did you mean `projector.layers`?)"
    );
    assert_eq!(
        check(&group("\"vision\"")).unwrap_err(),
        "<recipe>:19:71: `optimizer.groups` of stage `align`: `vision` names only parameters that \
         the stage freezes; leave it out, or take it out of `freeze`"
    );
    let twice = check(&[group("\"projector\""), layers[1].clone()].join(", ")).unwrap_err();
    assert!(
        twice.ends_with(
            "`projector.layers.1.weight` belongs to two groups, by `projector` and by \
             `projector.layers.1`; a parameter belongs to one at most"
        ),
        "{twice}"
    );
}

#[test]
fn nothing_is_trained_in_f16() {
    let half = TOY.replace("stages", "dtype = \"f16\"\nstages");
    let error = Recipe::parse(&half).unwrap().check_dtype().unwrap_err();
    let message =
        "<recipe>:2:1: `dtype`: f16 loses small gradients, so nothing is trained in it; state";
    assert!(error.to_string().starts_with(message), "{error}");
    let used = Recipe::parse(&half.replace("[\"align\"]", "[]")).unwrap();
    used.check_dtype().unwrap();
}

#[test]
fn plugins_presets_and_sizes() {
    assert_eq!(
        message("toy-eye", "toy-eya"),
        "<recipe>:5:1: no vision plugin is called `toy-eya`; there are: toy-eye (did you mean \
         `toy-eye`?)"
    );
    assert_eq!(
        message("\"small\"", "\"smal\""),
        "<recipe>:6:1: `toy-eye` has no preset `smal`; there are: small, large (did you mean \
         `small`?)"
    );
    assert_eq!(
        message("preset = \"small\"", "preset = \"small\"\npatch_size = 5"),
        "<recipe>:7:1: `patch_size` of `toy-eye`: must divide `image_size`, which is 16"
    );
    assert!(
        message("hidden_size = 8", "hidden_size = \"8\"")
            .starts_with("<recipe>:13:1: `toy-tongue`: invalid type: string")
    );
}

#[test]
fn text_that_is_no_toml() {
    assert!(message("[\"align\"]", "[\"align\"").starts_with("<recipe>:"));
}
