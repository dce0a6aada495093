mod squares;

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;

use super::*;

/// Files whose resize is tested, and decoding too.
const RESIZED: [&str; 17] = [
    "cmyk.jpg",
    "exif-orientation-6.jpg",
    "grey-alpha.png",
    "grey.jpg",
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
    "rgb-tall.png",
    "rgb.jpg",
    "rgba.png",
];

const NORMALISED: &str = "rgb-landscape.png";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/images")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).expect("the fixture")
}

fn processor(resize: Resize) -> ImageProcessor {
    let mean = [0.481_454_66, 0.457_827_5, 0.408_210_73];
    let std = [0.268_629_54, 0.261_302_6, 0.275_777_1];
    ImageProcessor::bicubic(56, resize, mean, std)
}

fn hf(name: &str) -> ImageProcessor {
    let text = String::from_utf8(read(name)).expect("JSON");
    ImageProcessor::from_hf(&text).expect("a processor")
}

/// PIL's bytes under a key, and the shape.
fn stored(file: &SafeTensors, key: &str) -> RgbImage {
    let rgb = file.tensor(key).expect("the reference");
    let [height, width] = [0, 1].map(|axis| u32::try_from(rgb.shape()[axis]).expect("small"));
    RgbImage::from_raw(width, height, rgb.data().to_vec()).expect("three bytes a pixel")
}

#[test]
fn resized_bytes_are_those_of_pil() {
    let expected = read("expected.safetensors");
    let expected = SafeTensors::deserialize(&expected).expect("tensors");
    for name in RESIZED {
        let image = decode(&read(name)).expect("an image");
        let scaled = if name == "grey16.png" { ".scaled" } else { "" };
        for (resize, key) in [(Resize::Crop, "crop"), (Resize::Pad, "pad")] {
            let key = format!("{name}{scaled}.{key}");
            let ours = processor(resize).square(&image);
            assert!(ours == stored(&expected, &key), "{key}");
        }
    }
    let squashed = |key: &str| Some(key.strip_suffix(".squash")?.to_owned());
    let squashed: Vec<String> = expected
        .names()
        .iter()
        .filter_map(|key| squashed(key))
        .collect();
    assert_eq!(squashed.len(), 5);
    for name in squashed {
        let ours = processor(Resize::Naive).square(&decode(&read(&name)).expect("an image"));
        assert!(
            ours == stored(&expected, &format!("{name}.squash")),
            "{name}"
        );
    }
}

/// Every way in which pixels are stored, in every format; 16-bit grey alone is not as PIL has it.
#[test]
fn decoded_bytes_are_those_of_pil() {
    let expected = read("expected.safetensors");
    let expected = SafeTensors::deserialize(&expected).expect("tensors");
    let names: Vec<&str> = expected.names();
    let names: Vec<&str> = names
        .iter()
        .filter_map(|key| key.strip_suffix(".rgb"))
        .collect();
    assert_eq!(names.len(), 29);
    for name in names {
        let ours = decode(&read(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(ours == stored(&expected, &format!("{name}.rgb")), "{name}");
    }
}

#[test]
fn a_processor_of_a_folder_gives_the_bits_that_transformers_gives() {
    let expected = read("expected.safetensors");
    let expected = SafeTensors::deserialize(&expected).expect("tensors");
    for name in ["clip", "llava-pad", "siglip"] {
        let theirs = expected
            .tensor(&format!("{name}.pixel_values"))
            .expect("the reference");
        let theirs = theirs
            .data()
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f32::from_le_bytes(*bytes));
        let ours = hf(&format!("{name}.json"))
            .process(&read(NORMALISED))
            .expect("an image");
        assert!(theirs.eq(ours.pixels), "{name}");
    }
}

#[test]
fn a_processor_of_a_folder_may_crop_less_and_resize_by_another_filter() {
    let expected = read("expected.safetensors");
    let expected = SafeTensors::deserialize(&expected).expect("tensors");
    let image = decode(&read(NORMALISED)).expect("an image");
    let filters = ["lanczos", "bilinear", "bicubic", "box", "hamming"];
    for (number, filter) in (1..).zip(filters) {
        let text = format!(r#"{{ "size": 40, "crop_size": 32, "resample": {number} }}"#);
        let ours = ImageProcessor::from_hf(&text)
            .expect("a processor")
            .square(&image);
        assert!(
            ours == stored(&expected, &format!("{NORMALISED}.{filter}")),
            "{filter}"
        );
    }
}

#[test]
fn a_processor_is_written_as_transformers_reads_it() {
    for (name, resize) in [
        ("clip.json", Resize::Crop),
        ("llava-pad.json", Resize::Pad),
        ("siglip.json", Resize::Naive),
    ] {
        let read = hf(name);
        assert_eq!(read.resize, resize, "{name}");
        let again = ImageProcessor::from_hf(&read.to_hf().to_string()).expect("a processor");
        assert_eq!(again, read, "{name}");
    }
}

#[test]
fn a_processor_config_inside_another_file_and_with_defaults_is_read() {
    let text = r#"{ "processor_class": "LlavaProcessor", "image_processor": {
        "image_processor_type": "CLIPImageProcessorFast", "size": { "shortest_edge": 336 },
        "crop_size": { "height": 336, "width": 336 }, "image_mean": null, "do_pad": null } }"#;
    let expected = ImageProcessor {
        size: 336,
        resized: 336,
        pinpoints: default_pinpoints(336),
        ..processor(Resize::Crop)
    };
    assert_eq!(
        ImageProcessor::from_hf(text).expect("a processor"),
        expected
    );
}

#[test]
fn a_processor_that_cannot_be_reproduced_is_an_error_that_names_the_key() {
    let message = |text: &str| {
        ImageProcessor::from_hf(text)
            .expect_err("an error")
            .to_string()
    };
    let start = |setting: &str| {
        let text = format!(r#"{{ "size": 8, "crop_size": 8, {setting} }}"#);
        let message = message(&text);
        message.split(';').next().expect("a part").to_owned()
    };
    assert_eq!(start(r#""resample": 0"#), "`resample` is 0");
    assert_eq!(start(r#""do_resize": false"#), "`do_resize` is false");
    assert_eq!(
        start(r#""do_center_crop": false"#),
        "`do_center_crop` is false"
    );
    assert_eq!(start(r#""crop_size": 9"#), "`crop_size` is 9");
    assert_eq!(start(r#""image_std": [1, 0, 1]"#), "`image_std` is [1,0,1]");
    let kind = r#""image_processor_type": "Idefics2ImageProcessor""#;
    assert_eq!(
        start(kind),
        r#"`image_processor_type` is "Idefics2ImageProcessor""#
    );
    let next = r#""image_processor_type": "LlavaNextImageProcessor""#;
    assert!(start(next).starts_with("`image_grid_pinpoints` is absent"));
    let pinpoints =
        r#""image_processor_type": "LlavaNextImageProcessor", "image_grid_pinpoints": [[8, 9]]"#;
    assert_eq!(start(pinpoints), "`image_grid_pinpoints` is [[8,9]]");
    let tiles = r#""image_processor_type": "GotOcr2ImageProcessor", "crop_to_patches": true, "max_patches": 0"#;
    assert_eq!(start(tiles), "`max_patches` is 0");
    let sides = r#""size": { "height": 8, "width": 9 }"#;
    assert_eq!(start(sides), r#"`size` is {"height":8,"width":9}"#);
    assert_eq!(start(r#""size": 0"#), "`size` is 0");
    assert!(message("[1]").starts_with("not a JSON object: [1]"));
    assert!(message("{").starts_with("not a JSON object: "));
}

#[test]
fn a_strip_costs_as_little_as_its_pixels() {
    let strip = RgbImage::from_pixel(1, MAX_SIDE, image::Rgb([10, 200, 30]));
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
    for name in ["rgb-landscape.png", "lossy.webp", "lzw.tif", "whole.gif"] {
        let whole = read(name);
        let cut = message(&whole[..whole.len() / 2]);
        assert!(
            cut.starts_with("the image cannot be decoded: "),
            "{name}: {cut}"
        );
    }
    for name in ["rgb.jpg", "420-progressive.jpg", "cmyk.jpg"] {
        let whole = read(name);
        let cut = message(&whole[..whole.len() - 1]);
        let expected = "the image cannot be decoded: the file ends before its image does";
        assert_eq!(cut, expected, "{name}");
    }
}

/// As PIL does; a photograph with one flipped bit is still a photograph.
#[test]
fn a_jpeg_with_damaged_data_still_gives_an_image() {
    let mut file = read("rgb.jpg");
    let middle = file.len() / 2;
    file[middle] ^= 1;
    assert_eq!(decode(&file).expect("an image").dimensions(), (90, 60));
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
    let expected = "the image is too large: at most 65535 pixels a side and 512 MiB decoded; \
        scale it down";
    assert_eq!(bomb(MAX_SIDE, MAX_SIDE), expected);
    assert_eq!(bomb(30_000, 30_000), expected);
}
