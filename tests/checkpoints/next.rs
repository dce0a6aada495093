//! LLaVA-NeXT: images cut into grids of squares, by transformers' `LlavaNextForConditionalGeneration`.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::LazyLock;

use menagerie::burn::tensor::{Device, Tensor, TensorData};
use menagerie::export::{ExportLayout, ExportOptions, export};
use menagerie::folder::ModelPath;
use menagerie::image::Squares;
use menagerie::model::Request;
use menagerie::splice::{Padding, Splice};
use menagerie::tokens::IMAGE_TOKEN;
use menagerie::train::{GradientSet, Pass, PassOptions, loss_sum, trainable};
use menagerie::{Component, GenerationConfig, Model, Recipe};
use serde_json::{Value, json};

use super::files::{
    Values, assert_same, copy, difference, fixture, floats, folder, ids, read, trace,
};

const NAME: &str = "hf-next-llama";

static MODEL: LazyLock<Model> = LazyLock::new(|| assemble(&[]).expect("the fixture is whole"));
static EXPECTED: LazyLock<Values> =
    LazyLock::new(|| read(&fixture(NAME).join("batch.safetensors")));

fn assemble(sets: &[&str]) -> Result<Model, String> {
    of_folder(&folder(fixture(NAME)), sets)
}

fn of_folder(model: &ModelPath, sets: &[&str]) -> Result<Model, String> {
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    let recipe = Recipe::of_folder(model, &sets).map_err(|error| error.to_string())?;
    let model = recipe.assemble(&Device::flex());
    model.map_err(|error| error.to_string())
}

fn image(name: &str) -> Vec<u8> {
    let path = fixture(NAME).join(format!("images/{name}.png"));
    fs::read(path).expect("the image")
}

/// A row of the fixture's batch.
struct Row {
    ids: Vec<i64>,
    labels: Vec<i64>,
    images: &'static [&'static str],
    number: usize,
}

impl Row {
    fn all() -> Vec<Self> {
        let images: [&[&str]; 4] = [
            &[],
            &["landscape"],
            &["portrait", "panorama"],
            &["dot", "strip", "square"],
        ];
        let row = |(number, images)| Self {
            ids: ids(&EXPECTED[&format!("row{number}.input_ids")]),
            labels: ids(&EXPECTED[&format!("row{number}.labels")]),
            images,
            number,
        };
        images.into_iter().enumerate().map(row).collect()
    }

    fn sample(&self) -> (&[i64], &[i64]) {
        (&self.ids, &self.labels)
    }

    /// Tokens of its images, by transformers.
    fn counts(&self) -> Vec<usize> {
        let counts = ids(&EXPECTED[&format!("row{}.counts", self.number)]);
        counts
            .into_iter()
            .map(|count| usize::try_from(count).expect("a count"))
            .collect()
    }

    /// The slots of its text, from `start` on.
    fn text(&self, start: usize) -> Vec<usize> {
        let (mut slot, mut counts) = (start, self.counts().into_iter());
        let mut slots = Vec::new();
        for &id in &self.ids {
            if id == IMAGE_TOKEN {
                slot += counts.next().expect("an image");
            } else {
                slots.push(slot);
                slot += 1;
            }
        }
        slots
    }
}

fn squares(model: &Model, rows: &[&Row]) -> Squares {
    let processor = model.image_processor(None);
    let mut squares = Squares::default();
    for name in rows.iter().flat_map(|row| row.images) {
        squares.extend(processor.process(&image(name)).expect("an image"));
    }
    squares
}

/// A panorama, a strip of two pixels, a dot and text alone, in one batch and each row by itself.
#[test]
fn a_batch_of_images_of_all_proportions_equals_transformers() {
    let rows = Row::all();
    let whole: Vec<&Row> = rows.iter().collect();
    let alone = whole.chunks(1);
    let mut furthest = 0.0_f64;
    for part in std::iter::once(&whole[..]).chain(alone) {
        for padding in [Padding::Left, Padding::Right, Padding::Packed] {
            let visual = MODEL.encode_images(squares(&MODEL, part));
            let counts: Vec<usize> = part.iter().flat_map(|row| row.counts()).collect();
            let own = visual
                .as_ref()
                .map_or(Vec::new(), |visual| visual.counts.clone());
            assert_eq!(own, counts);
            let prompts: Vec<&[i64]> = part.iter().map(|row| row.ids.as_slice()).collect();
            let splice = Splice::new(&prompts, &counts, padding);
            let network = MODEL.network();
            let hidden = network.hidden(network.embed(&splice, visual), &splice.rows);
            let logits = network.llm.logits(hidden);
            let [batch, width, vocabulary] = logits.dims();
            let logits: Tensor<2> = logits.reshape([batch * width, vocabulary]);
            let logits: Vec<f32> = logits.try_to_vec_as().expect("floats");
            for (row, &start) in part.iter().zip(&splice.starts) {
                let text = row.text(start).into_iter();
                let ours: Vec<f32> = text
                    .flat_map(|slot| logits[slot * vocabulary..][..vocabulary].to_vec())
                    .collect();
                let theirs = &EXPECTED[&format!("row{}.logits", row.number)];
                let ours = TensorData::new(ours, theirs.shape().clone());
                furthest = furthest.max(difference(&ours, theirs));
            }
        }
    }
    // Measured: 1.2e-6 of the largest logit.
    assert!(furthest < 5e-6, "{furthest:e}");
}

#[test]
fn loss_and_gradients_are_those_of_pytorch() {
    let rows = Row::all();
    let part: Vec<&Row> = rows.iter().collect();
    let samples: Vec<_> = rows.iter().map(Row::sample).collect();
    let network = trainable::for_stage(MODEL.network().clone(), |_| true);
    let expected = f64::from(floats(&EXPECTED["loss"])[0]);
    let check = |what: &str, loss: f64, tokens: usize, mut gradients: GradientSet| {
        let far = (loss / tokens as f64 / expected - 1.0).abs();
        // Measured: 1.4e-7.
        assert!(far < 1e-6, "{what}: loss {far:e}");
        gradients.scale(1.0 / tokens as f64);
        for (path, key) in [
            ("projector.image_newline", "image_newline"),
            (
                "projector.layers.0.weight",
                "multi_modal_projector.linear_1.weight",
            ),
        ] {
            let theirs = &EXPECTED[&format!("gradient.{key}")];
            let theirs: Vec<f32> = match theirs.shape().as_slice() {
                &[rows, columns] => {
                    let theirs = floats(theirs);
                    let places = (0..columns).flat_map(|c| (0..rows).map(move |r| r * columns + c));
                    places.map(|place| theirs[place]).collect()
                }
                _ => floats(theirs),
            };
            let ours = gradients.get(path).expect("it learns").clone();
            let ours: Vec<f32> = ours.try_to_vec_as().expect("floats");
            let shape = [ours.len()];
            let [ours, theirs] = [ours, theirs].map(|values| TensorData::new(values, shape));
            let off = difference(&ours, &theirs);
            // Measured: 2.4e-6 of the largest number.
            assert!(off < 1e-5, "{what}: {path} is off by {off:e}");
        }
    };
    for padding in [Padding::Right, Padding::Packed] {
        let images = MODEL.images(squares(&MODEL, &part)).expect("images");
        let squares = network.encode(images.pixels);
        let visual = network.join(squares, &images.layouts, &MODEL.square_tokens());
        let (loss, tokens) = loss_sum(&network, &samples, Some(visual), padding);
        let gradients = GradientSet::collect(&network, &loss.clone().backward());
        check(
            "at once",
            f64::from(loss.into_scalar::<f32>()),
            tokens,
            gradients,
        );
        for checkpoint_blocks in [false, true] {
            let options = PassOptions {
                checkpoint_blocks,
                padding,
                ..PassOptions::default()
            };
            let pass = Pass::new(&MODEL, &network, options);
            let images = MODEL.images(self::squares(&MODEL, &part));
            let done = pass.run(&samples, images);
            check(
                "a pass",
                done.loss_sum,
                done.supervised_tokens,
                done.gradients,
            );
        }
    }
    // A row of text alone has no part in the vector.
    let done = Pass::new(&MODEL, &network, PassOptions::default()).run(&samples[..1], None);
    assert!(done.gradients.get("projector.image_newline").is_none());
}

#[test]
fn answers_about_several_images_are_the_same_in_a_batch() {
    let rows = Row::all();
    let part: Vec<&Row> = rows.iter().collect();
    let prompts: Vec<&[i64]> = rows.iter().map(|row| row.ids.as_slice()).collect();
    let config = GenerationConfig {
        max_new_tokens: 6,
        ..GenerationConfig::default()
    };
    let ask = |prompts: &[&[i64]], part: &[&Row]| {
        let images = MODEL.encode_images(squares(&MODEL, part));
        let mut ignore = |_: usize, _: &str| ControlFlow::Continue(());
        MODEL
            .answer(prompts, images, &config, &mut ignore)
            .expect("answers")
    };
    let together = ask(&prompts, &part);
    for (number, answer) in together.iter().enumerate() {
        let alone = ask(&prompts[number..=number], &part[number..=number]);
        assert_eq!(alone[0], *answer, "row {number}");
    }
    let request = Request::question("Which?", vec![image("panorama"), image("dot")]);
    let answer = MODEL.generate(&request, &config, |_| ControlFlow::Continue(()));
    assert_eq!(answer.expect("an answer").ids.len(), 6);
}

fn write(layout: ExportLayout, out: &Path, sets: &[&str]) -> Result<(), String> {
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    let recipe = Recipe::of_folder(&folder(fixture(NAME)), &sets).expect("a recipe");
    let model = recipe.assemble(&Device::flex()).expect("a model");
    let written = export(&recipe, &model, layout, &ExportOptions::default(), out);
    written.map_err(|error| error.to_string())
}

fn config(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("config.json")).expect("a file")).expect("JSON")
}

#[test]
fn every_layout_round_trips() {
    let made = tempfile::tempdir().expect("a folder");
    let place = fixture(NAME);
    let expected = read(&place.join("expected.safetensors"));
    for layout in [
        ExportLayout::Hf,
        ExportLayout::Original,
        ExportLayout::Burnpack,
    ] {
        let out = made.path().join(layout.name());
        write(layout, &out, &[]).expect("written");
        let again = trace(&folder(&out), &place, &["llm.chat = 'hf-llava'"]);
        assert_same(layout.name(), &again, &expected);
    }
    let hf = made.path().join("hf");
    let (before, after) = (config(&place), config(&hf));
    for key in ["model_type", "architectures", "image_grid_pinpoints"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    let old = read(&place.join("model.safetensors"));
    for (name, data) in read(&hf.join("model.safetensors")) {
        let old = &old[&name.replace("vision_tower.vision_model.", "vision_tower.")];
        assert_eq!(*old, data, "{name}");
    }
    let original = config(&made.path().join("original"));
    assert_eq!(original["image_aspect_ratio"], "anyres");
    assert_eq!(original["mm_patch_merge_type"], "spatial_unpad");
    assert_eq!(original["image_grid_pinpoints"][0], json!([56, 28]));

    let refused = made.path().join("tiles");
    for layout in [ExportLayout::Hf, ExportLayout::Original] {
        let error =
            write(layout, &refused, &["vision.resize = 'tiles'"]).expect_err("no word for it");
        assert!(error.contains("images of several tiles"), "{error}");
    }
}

#[test]
fn what_a_folder_says_of_its_grids_must_be_whole() {
    let made = tempfile::tempdir().expect("a folder");
    let original = made.path().join("original");
    write(ExportLayout::Original, &original, &[]).expect("written");
    let changed = |from: &Path, key: &str, value: Value| {
        let out = made.path().join("changed");
        let _ = fs::remove_dir_all(&out);
        copy(from, &out);
        let mut changed = config(from);
        // The tower lies beside the one that was copied.
        changed[key] = value;
        fs::write(out.join("config.json"), changed.to_string()).expect("written");
        of_folder(&folder(&out), &[]).map(drop)
    };
    let text = json!("[(56, 28), (28, 56), (56, 56), (28, 84), (84, 28)]");
    changed(&original, "image_grid_pinpoints", text).expect("the text of a list is a list");
    let error = changed(&original, "mm_patch_merge_type", json!("flat")).expect_err("no such");
    assert!(error.contains("`mm_patch_merge_type` is `flat`"), "{error}");
    let error = changed(&original, "image_grid_pinpoints", json!(null)).expect_err("no list");
    assert!(error.contains("no list of `[width, height]`"), "{error}");
    let error = changed(&original, "image_aspect_ratio", json!("anyres_max_9")).expect_err("other");
    assert!(error.contains("`square`, `anyres` and none"), "{error}");
    let hf = fixture(NAME);
    let error = changed(&hf, "image_grid_pinpoints", json!([[28, 56]])).expect_err("two minds");
    assert!(
        error.contains("but the folder's image processor has"),
        "{error}"
    );
    let error = changed(&hf, "image_grid_pinpoints", json!(7)).expect_err("no list");
    assert!(error.contains("no list of `[height, width]`"), "{error}");
}

#[test]
fn a_model_of_grids_takes_other_images_too() {
    for (sets, tokens) in [
        (&["vision.resize = 'pad'"][..], 16),
        (&["vision.resize = 'naive'"], 16),
        // One row of two squares, and the whole in small.
        (
            &["vision.resize = 'tiles'", "vision.images.max_tiles = 2"],
            48,
        ),
        (&["vision.images.pinpoints = [[28, 84]]"], 16 + 4 * (6 + 1)),
    ] {
        let model = assemble(sets).unwrap_or_else(|error| panic!("{error}"));
        let processor = model.image_processor(None);
        let squares = processor.process(&image("landscape")).expect("an image");
        let visual = model.encode_images(squares).expect("tokens");
        assert_eq!(visual.counts, [tokens], "{sets:?}");
    }
}

#[test]
fn what_was_trained_on_one_square_comes_without_the_vector() {
    let made = tempfile::tempdir().expect("a folder");
    let out = made.path().join("projector");
    let place = fixture("hf-clip-llama");
    let recipe = Recipe::of_folder(&folder(&place), &[]).expect("a recipe");
    let model = recipe.assemble(&Device::flex()).expect("a model");
    let mut options = ExportOptions::default();
    options.component = Some(Component::Projector);
    export(&recipe, &model, ExportLayout::Hf, &options, &out).expect("written");

    let alone = format!("projector.weights = '{}'", out.display());
    let anyres = "vision.resize = 'anyres'";
    let model = of_folder(&folder(&place), &[anyres, &alone]).expect("a model");
    let (_, report) = &model.loaded()[1];
    let report = report.as_ref().expect("loaded");
    assert_eq!(report.drawn, ["image_newline"]);
    let newline = model.network().projector.newline().expect("drawn");
    let deviation: f32 = newline.powi_scalar(2).mean().sqrt().into_scalar();
    let expected = 1.0 / 32.0_f32.sqrt();
    assert!((0.6..1.5).contains(&(deviation / expected)), "{deviation}");
    let whole = of_folder(&folder(&place), &[anyres]).expect("a model");
    let report = whole.loaded()[1].1.as_ref().expect("loaded");
    assert_eq!(report.drawn, ["image_newline"]);

    // A folder that says itself that its images are grids must have it.
    let broken = made.path().join("broken");
    copy(&fixture(NAME), &broken);
    let file = broken.join("model.safetensors");
    let mut bytes = fs::read(&file).expect("weights");
    let place = bytes.windows(13).position(|name| name == b"image_newline");
    bytes[place.expect("its name")] = b'j';
    fs::write(&file, bytes).expect("written");
    let error = of_folder(&folder(&broken), &[]).expect_err("it has none");
    assert!(error.contains("image_newline"), "{error}");
}

#[test]
fn grids_that_cannot_be_are_errors_that_name_the_key() {
    for (sets, expected) in [
        (
            &["vision.images.pinpoints = [[28, 57]]"][..],
            "`vision.images.pinpoints`: [28, 57] must be `[height, width]` in pixels, multiples of the encoder's 28",
        ),
        (&["vision.images.pinpoints = [[0, 28]]"], "[0, 28] must be"),
        (
            &["vision.images.pinpoints = []"],
            "must name at least one resolution",
        ),
        (
            &["vision.images.pinpoints = [[28000, 28000]]"],
            "1000 by 1000 squares of 28 pixels; an image may become 256 at most",
        ),
        (
            &[
                "vision.resize = 'pad'",
                "vision.images.pinpoints = [[28, 56]]",
            ],
            "says nothing with `resize = \"pad\"`; it is for `anyres`",
        ),
        (&["vision.images.max_tiles = 4"], "it is for `tiles`"),
        (
            &[
                "vision.resize = 'tiles'",
                "vision.images.max_tiles = 100000",
            ],
            "100000 tiles; it must be between 1 and 256",
        ),
        (
            &["vision.resize = 'tiles'", "vision.images.min_tiles = 13"],
            "13 tiles; it must be between 1 and `max_tiles`, which is 12",
        ),
        (&["vision.images.resized = 32"], "it must be 28 or absent"),
        (&["vision.select = 'cls_patch'"], "lie in no grid"),
    ] {
        let error = assemble(sets).expect_err("no such grid");
        assert!(error.contains(expected), "{sets:?}: {error}");
    }
}
