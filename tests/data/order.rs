//! Which samples come when: the same for any number of workers, and from any step on.

use std::sync::Arc;

use menagerie::data::{
    Batch, DataSource, Dataset, Loader, Mix, Order, Passes, SampleSize, Sampler, Turns,
};

use super::Folder;
use super::loading::{encoder, forms, processor};

const SAMPLERS: [Sampler; 4] = [
    Sampler::Sequential,
    Sampler::Shuffled,
    Sampler::GroupedByLength,
    Sampler::GroupedByModality,
];

/// Whole conversations, twice an epoch, and their single questions, the half of them an epoch.
fn mixed(folder: &Folder) -> Dataset {
    forms(folder);
    let set = |name: &str, turns| DataSource {
        paths: vec![folder.path().join(name)],
        images: Some(folder.path().to_owned()),
        turns,
        ..DataSource::default()
    };
    let sets = [
        set("a.json", Turns::Together),
        set("a.tar", Turns::Separate),
    ];
    Dataset::open_all(&sets).expect("good data")
}

fn passes(dataset: &Dataset, sampler: Sampler) -> Passes {
    let order = Order {
        sampler,
        mix: Mix::new(dataset.sets().iter().cloned().zip([2.0, 0.5])),
        sizes: dataset.sizes(16),
        seed: 7,
        stage: "align".to_owned(),
        batch_size: 4,
    };
    Passes::new(order, 3, 7)
}

#[test]
fn the_sets_of_a_mix_lie_one_after_the_other() {
    let folder = Folder::new();
    let dataset = mixed(&folder);
    assert_eq!(dataset.sets(), [0..3, 3..9]);
    let names: Vec<String> = dataset
        .files()
        .iter()
        .map(|file| {
            file.path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    assert_eq!(names, ["a.json", "a.tar"]);
    let ids: Vec<&str> = dataset
        .samples()
        .iter()
        .map(|sample| sample.id.as_str())
        .collect();
    assert_eq!(ids[..4], ["one", "two", "text", "one#0"]);
    // Members of a shard are read from the second file.
    let both = encoder("v1")
        .batch(&dataset, &processor(), &[0, 3])
        .expect("a batch");
    let image = processor().values();
    assert_eq!(both.images.pixels[..image], both.images.pixels[image..]);
    // Two words, an answer of two, two words, an answer of one; and an image.
    let size = |index: usize| dataset.sizes(16)[index];
    assert_eq!(
        size(0),
        SampleSize {
            length: 2 + 2 + 1 + 1 + 16,
            has_image: true
        }
    );
    assert_eq!(
        size(2),
        SampleSize {
            length: 2,
            has_image: false
        }
    );
}

/// What a run that is resumed at any step reads is what one that never stopped reads from there.
#[test]
fn batches_from_any_step_on_are_those_of_the_whole_for_any_number_of_workers() {
    let folder = Folder::new();
    let dataset = Arc::new(mixed(&folder));
    for sampler in SAMPLERS {
        let passes = passes(&dataset, sampler);
        let load = |step, workers| -> Vec<Batch> {
            let loader = Loader::new(
                Arc::clone(&dataset),
                encoder("v1"),
                processor(),
                passes.from_step(step),
                workers,
            );
            let expected = loader.len();
            let batches: Vec<Batch> = loader.collect::<Result<_, _>>().expect("batches");
            assert_eq!(batches.len(), expected);
            batches
        };
        let whole = load(0, 0);
        // Nine samples an epoch: two batches of two passes, and one of a single sample.
        assert_eq!(whole.len(), 5 + 5 + 2, "{sampler:?}");
        let mut gone = 0;
        for step in 0..=7 {
            for workers in [0, 1, 4] {
                assert!(
                    load(step, workers) == whole[gone..],
                    "{sampler:?} from step {step} with {workers} workers"
                );
            }
            gone += if step < 7 { passes.of_step(step) } else { 0 };
        }
        assert_eq!(gone, whole.len());
    }
}
