//! What comes out, and who can read it.

use std::fs;
use std::path::{Path, PathBuf};

use menagerie::data::{Conversation, Dataset};
use menagerie::recipe::DataSource;
use serde_json::{Value, json};

use crate::misbehave::{Behaviour, Received, Server};
use crate::teacher::{self, teach};
use crate::world::{World, contexts, ends_with};

/// One pixel, which differs from image to image, for each of the 80.
fn images(world: &World) -> PathBuf {
    let folder = world.path("images");
    fs::create_dir(&folder).unwrap();
    let text = fs::read_to_string(contexts()).unwrap();
    for (number, line) in text.lines().enumerate() {
        let context: Value = serde_json::from_str(line).unwrap();
        let name = context["image"].as_str().unwrap();
        let grey = u8::try_from(number).unwrap();
        let image = menagerie::image::RgbImage::from_pixel(1, 1, [grey; 3].into());
        let path = folder.join(name).with_extension("png");
        image.save(&path).unwrap();
        fs::rename(&path, folder.join(name)).unwrap();
    }
    folder
}

fn read(paths: Vec<PathBuf>, images: Option<&Path>) -> (Dataset, Vec<Conversation>) {
    let source = DataSource {
        paths,
        images: images.map(Path::to_owned),
        ..DataSource::default()
    };
    let data = Dataset::open(&source).unwrap();
    let samples = (0..data.len())
        .map(|index| data.sample(index).clone())
        .collect();
    (data, samples)
}

#[test]
fn a_run_gives_what_our_own_reader_takes_as_json_and_as_shards() {
    let server = Server::start(teach);
    let world = World::new();
    let images = images(&world);
    let mut command = world.make(&server.url());
    command
        .arg("--images")
        .arg(&images)
        .args(["--attempts", "20"]);
    command.args(["--price-in", "2", "--price-out", "8"]);
    let output = command.output().unwrap();
    let said = crate::world::said(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(stdout.trim(), world.out().to_str().unwrap());

    // 58, 23 and 77 of 158 shares, one sample of each image; a few are not taken by the server.
    let manifest = world.json("manifest.json");
    let wanted = json!({ "conversation": 29, "detail": 12, "reasoning": 39 });
    assert_eq!(manifest["samples"], wanted);
    let made = &manifest["made"];
    for kind in ["conversation", "detail", "reasoning"] {
        let count = |name: &str| made[name][kind].as_u64().unwrap();
        assert_eq!(
            count("accepted") + count("given_up"),
            wanted[kind].as_u64().unwrap()
        );
    }
    let tokens = |name: &str| made["usage"][name].as_f64().unwrap();
    let money = (2.0 * tokens("prompt_tokens") + 8.0 * tokens("completion_tokens")) / 1e6;
    assert!((made["money"].as_f64().unwrap() - money).abs() < 1e-12);
    assert_eq!(
        manifest["hosts"],
        json!([server.url().split('/').nth(2).unwrap()])
    );
    assert_eq!(made["models"]["parrot-1"], made["replies"]);

    let samples = world.lines("samples.jsonl");
    let texts = fs::read_to_string(contexts()).unwrap();
    for sample in &samples {
        let first = sample["conversations"][0]["value"].as_str().unwrap();
        assert!(first.starts_with("<image>\n"), "{first}");
        assert!(texts.contains(sample["context"].as_str().unwrap()));
        let turns = sample["conversations"].as_array().unwrap().len();
        assert_eq!(
            turns,
            if sample["type"] == "conversation" {
                4
            } else {
                2
            }
        );
    }
    // Every good answer speaks of a zebra, which few of the images have.
    let flagged = samples
        .iter()
        .filter(|sample| sample["flags"] == json!([{ "kind": "absent-object", "text": "zebra" }]));
    let count = flagged.count();
    assert!(
        count > samples.len() / 2 && count < samples.len(),
        "{count} of {}",
        samples.len()
    );
    assert_eq!(made["flags"]["absent-object"], count);

    let (_, from_json) = read(vec![world.out().join("data.json")], Some(&images));
    let (shards, from_shards) = read(vec![world.out().join("shards")], None);
    assert_eq!(from_json.len(), samples.len());
    assert_eq!(from_shards.len(), samples.len());
    for (index, (json, shard)) in from_json.iter().zip(&from_shards).enumerate() {
        assert_eq!((&json.id, &json.turns), (&shard.id, &shard.turns));
        let name = samples[index]["image"].as_str().unwrap();
        let image = fs::read(images.join(name)).unwrap();
        assert_eq!(shards.images(index).unwrap(), [image]);
    }
    let out = world.out();
    ends_with(
        std::process::Command::new(env!("CARGO_BIN_EXE_menagerie"))
            .args(["data", "check"])
            .arg(out.join("shards")),
        0,
    );
    world.keeps_the_key_secret();
}

#[test]
fn conversations_are_told_captions_alone_and_cocos_own_files_are_read() {
    let world = World::new();
    let captions = world.path("captions_val2017.json");
    let instances = world.path("instances_val2017.json");
    let image = json!({ "id": 9, "file_name": "000000000009.jpg", "width": 200, "height": 100 });
    let bare = json!({ "id": 8, "file_name": "8.jpg", "width": 10, "height": 10 });
    let text = json!({
        "images": [image, bare],
        "annotations": [{ "id": 1, "image_id": 9, "caption": "A dog sleeps.\n" }],
    });
    fs::write(&captions, text.to_string()).unwrap();
    let text = json!({
        "images": [image],
        "annotations": [{ "id": 1, "image_id": 9, "category_id": 18, "bbox": [20, 10, 100, 50],
            "segmentation": [[1, 2, 3, 4, 5, 6]], "iscrowd": 0 }],
        "categories": [{ "id": 18, "name": "dog", "supercategory": "animal" }],
    });
    fs::write(&instances, text.to_string()).unwrap();

    let server = Server::start(|request: &Received| {
        Behaviour::json(&crate::misbehave::completion(
            &teacher::good(&request.body),
            None,
        ))
    });
    let (captions, instances) = (captions.to_str().unwrap(), instances.to_str().unwrap());
    let input = ["--captions", captions, "--instances", instances];
    let mut command = world.make_of(&server.url(), &input);
    command.args(["--counts", "conversation=1,detail=1,reasoning=1"]);
    let said = ends_with(&mut command, 0);
    assert!(
        said.contains("images without a caption, of which nothing is made: 1"),
        "{said}"
    );
    assert!(said.contains("made 3 of 3 samples"), "{said}");
    assert!(said.contains("3 replies uncounted"), "{said}");

    let boxes = "\n\ndog: [0.1, 0.1, 0.6, 0.6]";
    let mut asked: Vec<String> = server
        .received()
        .iter()
        .map(|request| request.question().replace(boxes, " +"))
        .collect();
    asked.sort();
    assert_eq!(
        asked,
        ["A dog sleeps.", "A dog sleeps. +", "A dog sleeps. +"]
    );
    let ids: Vec<Value> = world.lines("samples.jsonl");
    assert!(ids.iter().all(|sample| sample["context"] == "000000000009"));
}

#[test]
fn a_plan_tells_the_cost_and_asks_nothing() {
    let world = World::new();
    let server = Server::start(teach);
    let mut command = world.make(&server.url());
    command.args(["--plan", "--price-in", "2", "--price-out", "8"]);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("80: 29 conversations, 12 descriptions, 39 reasonings"),
        "{text}"
    );
    assert!(text.contains("cost      about 0."), "{text}");
    assert!(server.received().is_empty());
    assert!(!world.out().exists());
}

#[test]
fn prompts_of_ones_own_are_sent() {
    let world = World::new();
    let prompts = world.path("prompts");
    ends_with(
        std::process::Command::new(env!("CARGO_BIN_EXE_menagerie"))
            .args(["instruct", "prompts"])
            .arg(&prompts),
        0,
    );
    fs::write(
        prompts.join("detail/system.j2"),
        "Be brief: {{ captions | length }}",
    )
    .unwrap();
    fs::write(prompts.join("detail/examples.toml"), "").unwrap();
    let server = Server::start(|request: &Received| {
        Behaviour::says(&format!("It is {}.", request.question().len()))
    });
    let mut command = world.make(&server.url());
    command.args([
        "--counts",
        "detail=2",
        "--prompts",
        prompts.to_str().unwrap(),
    ]);
    ends_with(&mut command, 0);
    let received = server.received();
    let messages = received[0].body["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 2);
    assert!(
        messages[0]["content"]
            .as_str()
            .unwrap()
            .starts_with("Be brief: ")
    );

    fs::write(prompts.join("detail/query.j2"), "{{ caption }}").unwrap();
    let mut command = world.make(&server.url());
    command.args([
        "--counts",
        "detail=2",
        "--prompts",
        prompts.to_str().unwrap(),
    ]);
    let said = ends_with(&mut command, 3);
    assert!(said.contains("detail/query.j2:1"), "{said}");
}
