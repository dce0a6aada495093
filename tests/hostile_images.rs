//! Hostile image files: each ends in an image or an error, and none takes more memory than stated.

use std::path::Path;

use menagerie::image::{ImageError, ImageProcessor, MAX_BYTES, Resize, RgbImage};

#[path = "hostile_images/bombs.rs"]
mod bombs;
#[path = "hostile_images/broken.rs"]
mod broken;
#[path = "hostile_images/formats.rs"]
mod formats;

/// What a file is to end in.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Image,
    TooLarge,
    Error,
    /// An image or an error: only a panic, a hang or too much memory would be wrong.
    Either,
}

struct Case {
    name: String,
    file: Vec<u8>,
    end: End,
}

impl Case {
    fn new(name: impl Into<String>, end: End, file: Vec<u8>) -> Self {
        let name = name.into();
        Self { name, file, end }
    }
}

/// The files of `tests/fixtures/images`, by name.
fn seeds() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
    let entries = std::fs::read_dir(folder).expect("the fixtures");
    let paths = entries.map(|entry| entry.expect("a file").path());
    let images = ["png", "jpg", "gif", "webp", "bmp", "tif"];
    let mut seeds: Vec<(String, Vec<u8>)> = paths
        .filter(|path| {
            images
                .iter()
                .any(|end| path.extension().is_some_and(|of| of == *end))
        })
        .map(|path| {
            let name = path
                .file_name()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            (name, std::fs::read(path).expect("a file"))
        })
        .collect();
    seeds.sort();
    seeds
}

/// Beside what decoding takes: the files of this test, the program, and what an allocator keeps.
#[cfg(target_os = "linux")]
const SLACK: u64 = 96 << 20;

/// The most memory that was ever resident, in bytes.
#[cfg(target_os = "linux")]
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.expect("a number of KiB") << 10
}

const WAYS: [Resize; 5] = [
    Resize::Crop,
    Resize::Pad,
    Resize::Naive,
    Resize::AnyRes,
    Resize::Tiles,
];

/// `MENAGERIE_HOSTILE_REPORT=1` prints the slowest files and the peak.
#[test]
fn hostile_images_end_in_an_image_or_an_error_within_the_memory_stated() {
    let cases: Vec<Case> = bombs::cases().into_iter().chain(broken::cases()).collect();
    assert!(cases.len() >= 200, "{} files", cases.len());
    let crop = ImageProcessor::bicubic(32, Resize::Crop, [0.5; 3], [0.5; 3]);
    let (mut times, mut wrong) = (Vec::new(), Vec::new());
    for Case { name, file, end } in &cases {
        let start = std::time::Instant::now();
        let result = menagerie::image::decode(file);
        let ended = match &result {
            Ok(_) => End::Image,
            Err(ImageError::TooLarge) => End::TooLarge,
            Err(_) => End::Error,
        };
        if *end != End::Either && *end != ended {
            let error = result.as_ref().err().map(ToString::to_string);
            wrong.push(format!("{name}: {ended:?} {error:?}, not {end:?}"));
        }
        if let Ok(image) = result {
            let size = [image.height(), image.width()].map(|side| side as usize);
            for resize in WAYS {
                let processor = ImageProcessor {
                    resize,
                    ..crop.clone()
                };
                let squares = processor.squares(&image);
                assert_eq!(squares.len(), processor.layout(size).squares(), "{name}");
                let is_square = |square: &RgbImage| square.dimensions() == (32, 32);
                assert!(squares.iter().all(is_square), "{name}");
            }
            drop(image);
            let told = menagerie::image::size(file);
            assert!(
                told.as_ref().is_ok_and(|told| *told == size),
                "{name}: {told:?}"
            );
        }
        times.push((start.elapsed(), name));
        let checked = menagerie::image::check(file);
        assert_eq!(checked.is_ok(), ended == End::Image, "{name}: {checked:?}");
        let skimmed = menagerie::image::skim(file);
        // A whole file is fine; one that is cut or damaged may be told though it decodes.
        let whole = !name.contains(' ') && ended == End::Image;
        assert!(skimmed.is_ok() || !whole, "{name}: {skimmed:?}");
        #[cfg(target_os = "linux")]
        assert!(
            peak_memory() <= MAX_BYTES + SLACK,
            "{name}: {} bytes",
            peak_memory()
        );
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    if std::env::var_os("MENAGERIE_HOSTILE_REPORT").is_some() {
        times.sort();
        println!(
            "{} files; the slowest: {:?}",
            times.len(),
            times.iter().rev().take(8).collect::<Vec<_>>()
        );
        #[cfg(target_os = "linux")]
        println!("peak {} MiB", peak_memory() >> 20);
    }
}
