//! Files of a run that are not what was written.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::place::{Place, copy, each, rewrite, said, share};
use crate::tiny::Said;

/// What a checkpoint's folder says of itself.
fn names(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort_unstable();
    paths
}

fn newest(run: &Path) -> PathBuf {
    run.join("checkpoints/finetune-00000002")
}

#[test]
fn a_run_whose_newest_checkpoint_is_damaged_goes_on_from_the_one_before_to_an_equal_end() {
    let place = Place::new();
    let stopped = place.stopped();
    let files = names(&newest(&stopped));
    assert_eq!(files.len(), 5);
    let seeds: Vec<u64> = (0..share(500, 20) as u64).collect();
    each(&seeds, |&seed| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let run = place.run();
        copy(&stopped, &run);
        let file = newest(&run).join(
            files[usize::try_from(seed).unwrap() % files.len()]
                .file_name()
                .unwrap(),
        );
        let what = damage(&file, &mut random);
        let said = said(place.go(&run));
        assert_eq!(said.code, Some(0), "{what}: {said:?}");
        assert!(refuses(&said, &newest(&run)), "{what}: {said:?}");
        assert!(
            said.stderr.contains("after step 0 of 4"),
            "{what}: {said:?}"
        );
        place.ends_equal(&run, &what);
    });
}

fn refuses(said: &Said, checkpoint: &Path) -> bool {
    let path = checkpoint.display();
    said.stderr.contains(&format!(
        "`{path}` cannot be used, and the checkpoint before it is taken"
    ))
}

/// Flips a bit of a file or takes bytes off its end; says what it did.
fn damage(file: &Path, random: &mut ChaCha8Rng) -> String {
    let mut bytes = fs::read(file).unwrap();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let what = if random.random_bool(0.75) {
        // Half of them where names, shapes and lengths stand.
        let end = if random.random_bool(0.5) {
            bytes.len().min(1024)
        } else {
            bytes.len()
        };
        let (byte, bit) = (random.random_range(0..end), random.random_range(0..8));
        bytes[byte] ^= 1 << bit;
        format!("bit {bit} of byte {byte} of {name}")
    } else {
        let length = random.random_range(0..bytes.len());
        bytes.truncate(length);
        format!("{length} bytes of {name}")
    };
    fs::write(file, bytes).unwrap();
    what
}

#[test]
fn a_file_of_sums_that_lost_lines_hides_nothing() {
    let place = Place::new();
    let stopped = place.stopped();
    let sums = fs::read_to_string(newest(&stopped).join("SHA256SUMS")).unwrap();
    for lines in 0..sums.lines().count() {
        let run = place.run();
        copy(&stopped, &run);
        let kept: String = sums.split_inclusive('\n').take(lines).collect();
        fs::write(newest(&run).join("SHA256SUMS"), kept).unwrap();
        let said = said(place.go(&run));
        assert!(refuses(&said, &newest(&run)), "{lines}: {said:?}");
        place.ends_equal(&run, &format!("{lines} lines"));
    }
}

type Harm = fn(&Path);

#[test]
fn whatever_else_of_a_run_is_lost_or_damaged_its_weights_come_out_equal() {
    let place = Place::new();
    let stopped = place.stopped();
    let harms: [(&str, Harm); 11] = [
        ("a checkpoint without a file", |run| {
            fs::remove_file(newest(run).join("optimizer.safetensors")).unwrap();
        }),
        ("an empty folder for a checkpoint", |run| {
            fs::remove_dir_all(newest(run)).unwrap();
            fs::create_dir(newest(run)).unwrap();
        }),
        ("a file for a checkpoint", |run| {
            fs::remove_dir_all(newest(run)).unwrap();
            fs::write(newest(run), "what?").unwrap();
        }),
        ("a checkpoint under another's name", |run| {
            copy(&newest(run), &run.join("checkpoints/finetune-00000003"));
        }),
        ("no checkpoints", |run| {
            fs::remove_dir_all(run.join("checkpoints")).unwrap();
        }),
        ("an empty folder of checkpoints", |run| {
            fs::remove_dir_all(run.join("checkpoints")).unwrap();
            fs::create_dir(run.join("checkpoints")).unwrap();
        }),
        ("a frozen weight of the stage before", |run| {
            flip_last(&run.join("weights/align/vision.safetensors"));
        }),
        ("no weights of the stage before", |run| {
            fs::remove_dir_all(run.join("weights/align")).unwrap();
        }),
        ("a manifest that is no JSON", |run| {
            fs::write(run.join("manifest.json"), "{\"name\": \"ti").unwrap();
        }),
        ("no manifest", |run| {
            fs::remove_file(run.join("manifest.json")).unwrap();
        }),
        ("a model.toml cut short", |run| {
            fs::write(run.join("model.toml"), "name =").unwrap();
        }),
    ];
    each(&harms, |(what, harm)| {
        let run = place.run();
        copy(&stopped, &run);
        harm(&run);
        if what.contains("manifest") {
            let said = said(place.go(&run));
            assert!(said.stderr.contains("it is made anew"), "{said:?}");
            // What the stage before left is not known any more.
            assert_eq!(place.differing(&run), [PathBuf::from("manifest.json")]);
        } else {
            place.ends_equal(&run, what);
        }
    });
}

fn flip_last(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(file, bytes).unwrap();
}

#[test]
fn logs_that_were_torn_lose_lines_and_nothing_else() {
    let place = Place::new();
    let stopped = place.stopped();
    for (name, losses) in [
        ("metrics.jsonl", true),
        ("scores.jsonl", true),
        ("metrics.jsonl", false),
    ] {
        let run = place.run();
        copy(&stopped, &run);
        let path = run.join(name);
        let mut bytes = fs::read(&path).unwrap();
        if losses {
            bytes.truncate(bytes.len() / 2);
        } else {
            bytes.extend(b"{\"stage\": \"finetune\", \"st");
        }
        fs::write(&path, bytes).unwrap();
        let said = said(place.go(&run));
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(said.stderr.contains("is shorter than it was"), losses);
        let lost = if losses {
            vec![PathBuf::from(name)]
        } else {
            vec![]
        };
        let mut differing = place.differing(&run);
        // A checkpoint and the manifest tell of the logs too.
        differing
            .retain(|path| !path.ends_with("checkpoint.json") && !path.ends_with("manifest.json"));
        assert_eq!(differing, lost);
        for line in fs::read_to_string(&path).unwrap().lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }
}

#[test]
fn what_others_put_beside_the_checkpoints_is_left_alone() {
    let place = Place::new();
    let run = place.stopped();
    let checkpoints = run.join("checkpoints");
    let foreign = [
        "notes.txt",
        "align",
        "align-2",
        "other-00000002",
        "finetune-0000000x",
    ];
    for name in foreign {
        fs::write(checkpoints.join(name), "mine").unwrap();
    }
    assert_eq!(said(place.go(&run)).code, Some(0));
    let kept = foreign.map(|name| PathBuf::from("checkpoints").join(name));
    let mut differing = place.differing(&run);
    differing.sort_unstable();
    let mut kept = kept.to_vec();
    kept.sort_unstable();
    assert_eq!(differing, kept);
}

#[test]
fn a_checkpoint_that_may_not_be_read_is_not_passed_over() {
    // Nothing is forbidden to root.
    let output = Command::new("id").arg("-u").output().unwrap();
    if output.stdout == b"0\n" {
        return;
    }
    let place = Place::new();
    let run = place.stopped();
    let file = newest(&run).join("weights.safetensors");
    let allow = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    allow(0o000);
    let said = said(place.go(&run));
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(
        said.stderr.contains(&file.display().to_string()),
        "{said:?}"
    );
    allow(0o644);
    place.ends_equal(&run, "readable again");
}

#[test]
fn a_checkpoint_of_another_version_is_not_passed_over() {
    let place = Place::new();
    let run = place.stopped();
    let standing = newest(&run).join("checkpoint.json");
    let text = fs::read_to_string(&standing).unwrap();
    let later = text.replace("\"format\": 1,", "\"format\": 2, \"more\": 0,");
    rewrite(&standing, &later);
    let said = said(place.go(&run));
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(
        said.stderr
            .contains("has format 2, and this version reads 1")
    );
}
