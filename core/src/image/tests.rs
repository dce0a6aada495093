use std::path::{Path, PathBuf};

use safetensors::SafeTensors;

use super::*;

const JPEGS: [&str; 4] = ["cmyk.jpg", "exif-orientation-6.jpg", "grey.jpg", "rgb.jpg"];

const OTHERS: [&str; 12] = [
    "grey-alpha.png",
    "grey.png",
    "grey16.png",
    "palette-alpha.png",
    "palette.png",
    "rgb-1x1.png",
    "rgb-5x200.png",
    "rgb-landscape.png",
    "rgb-odd.png",
    "rgb-portrait.png",
    "rgb-square.png",
    "rgba.png",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/images")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).expect("the fixture")
}

fn processor(resize: Resize) -> ImageProcessor {
    ImageProcessor {
        size: 56,
        resize,
        mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
        std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
    }
}

/// The largest and the mean difference.
fn compare(ours: &[u8], theirs: &[u8]) -> (u8, f64) {
    assert_eq!(ours.len(), theirs.len());
    let differences = ours.iter().zip(theirs).map(|(a, b)| a.abs_diff(*b));
    let sum: f64 = differences.clone().map(f64::from).sum();
    (differences.max().unwrap_or(0), sum / ours.len() as f64)
}

fn stored_rgb(file: &SafeTensors, name: &str) -> RgbImage {
    let rgb = file.tensor(&format!("{name}.rgb")).expect("stored pixels");
    let [height, width] = [0, 1].map(|axis| u32::try_from(rgb.shape()[axis]).expect("small"));
    RgbImage::from_raw(width, height, rgb.data().to_vec()).expect("three bytes a pixel")
}

#[test]
fn resized_bytes_are_those_of_pil() {
    let expected = read("expected.safetensors");
    let expected = SafeTensors::deserialize(&expected).expect("tensors");
    let stored = JPEGS.map(|name| (name, stored_rgb(&expected, name)));
    let decoded = OTHERS.map(|name| (name, decode(&read(name)).expect("an image")));
    for (name, image) in stored.into_iter().chain(decoded) {
        let scaled = if name == "grey16.png" { ".scaled" } else { "" };
        for (resize, key) in [(Resize::Crop, "crop"), (Resize::Pad, "pad")] {
            let key = format!("{name}{scaled}.{key}");
            let theirs = expected.tensor(&key).expect("the reference");
            let ours = processor(resize).square(&image);
            assert_eq!(compare(ours.as_raw(), theirs.data()), (0, 0.0), "{key}");
        }
    }
}

/// The decoders differ in how they enlarge the colour channels, which JPEG stores at half size.
#[test]
fn decoded_jpegs_are_near_those_of_pil() {
    let expected = read("expected.safetensors");
    let expected = SafeTensors::deserialize(&expected).expect("tensors");
    for name in JPEGS {
        let ours = decode(&read(name)).expect("an image");
        let theirs = stored_rgb(&expected, name);
        assert_eq!(ours.dimensions(), theirs.dimensions(), "{name}");
        let (max, mean) = compare(ours.as_raw(), theirs.as_raw());
        assert!(
            max <= 13 && mean < 0.5,
            "{name}: at most {max}, {mean} in the mean"
        );
    }
}

#[test]
fn normalised_values_are_those_of_transformers() {
    let expected = read("expected.safetensors");
    let expected = SafeTensors::deserialize(&expected).expect("tensors");
    let theirs = expected
        .tensor("rgb-landscape.png.normalised")
        .expect("the reference");
    let theirs = theirs.data().as_chunks().0.iter();
    let ours = processor(Resize::Crop).process(&read("rgb-landscape.png"));
    for (ours, theirs) in ours.expect("an image").iter().zip(theirs) {
        let theirs = f32::from_le_bytes(*theirs);
        assert!((ours - theirs).abs() < 1e-6, "{ours}, not {theirs}");
    }
}

#[test]
fn a_strip_takes_little_memory() {
    let strip = RgbImage::from_pixel(1, 8192, image::Rgb([10, 200, 30]));
    let cropped = processor(Resize::Crop).square(&strip);
    assert!(cropped.pixels().all(|pixel| pixel.0 == [10, 200, 30]));
    let padded = processor(Resize::Pad).square(&strip);
    assert_eq!(padded.get_pixel(0, 28).0, [122, 116, 104]);
}

#[test]
fn what_is_no_image_is_an_error() {
    let message = |file: &[u8]| decode(file).expect_err("no image").to_string();
    assert!(message(b"hello").starts_with("not an image that is read here"));
    assert!(message(b"").starts_with("not an image that is read here"));
    let whole = read("rgb-landscape.png");
    let cut = message(&whole[..whole.len() / 2]);
    assert!(cut.starts_with("the image cannot be decoded: "), "{cut}");
}

#[test]
fn an_image_bomb_is_an_error_before_it_is_unpacked() {
    // A bitmap's header alone claims the size.
    let bomb = |width: u32, height: u32| {
        let mut file = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
        file.extend(width.to_le_bytes());
        file.extend(height.to_le_bytes());
        file.extend([1, 0, 24, 0]);
        file.resize(54, 0);
        decode(&file).expect_err("too large").to_string()
    };
    let expected = "the image is too large: at most 32768 pixels a side and 512 MiB decoded; \
        scale it down";
    assert_eq!(bomb(MAX_SIDE + 1, 1), expected);
    assert_eq!(bomb(30_000, 30_000), expected);
}
