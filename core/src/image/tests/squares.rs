//! Images of several squares, as transformers makes them: `tests/fixtures/squares`.

use std::path::{Path, PathBuf};

use image::RgbImage;
use safetensors::SafeTensors;

use super::{folder, read};
use crate::image::{Grid, ImageProcessor, Layout, MAX_SIDE, Resize, Tiles, decode, size};
use crate::visual::{ImageTokens, SquareTokens};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/fixtures/squares")
        .join(name)
}

fn hf(name: &str) -> ImageProcessor {
    let text = std::fs::read_to_string(fixture(name)).expect("the fixture");
    ImageProcessor::from_hf(&text).expect("a processor")
}

/// A table of 32-bit numbers, so many a row.
fn table(file: &SafeTensors, key: &str) -> Vec<Vec<usize>> {
    let tensor = file.tensor(key).expect("the reference");
    let numbers = tensor.data().as_chunks::<4>().0.iter();
    let number = |bytes: &[u8; 4]| usize::try_from(i32::from_le_bytes(*bytes)).expect("a size");
    let numbers: Vec<usize> = numbers.map(number).collect();
    numbers
        .chunks(tensor.shape()[1])
        .map(<[_]>::to_vec)
        .collect()
}

#[test]
fn squares_have_the_bytes_of_transformers() {
    let expected = std::fs::read(fixture("expected.safetensors")).expect("the fixture");
    let expected = SafeTensors::deserialize(&expected).expect("tensors");
    let mut compared = 0;
    for way in ["anyres", "tiles"] {
        let processor = hf(&format!("{way}.json"));
        let names = expected.names();
        let names = names
            .iter()
            .filter_map(|key| key.strip_suffix(&format!(".{way}")));
        for name in names.map(str::to_owned).collect::<Vec<_>>() {
            let image = decode(&read(&name)).expect("an image");
            let ours = processor.squares(&image);
            let bytes: Vec<u8> = ours.iter().flat_map(RgbImage::as_raw).copied().collect();
            let theirs = expected.tensor(&format!("{name}.{way}")).expect("there");
            assert_eq!(ours.len(), theirs.shape()[0], "{name}, {way}");
            assert!(bytes == theirs.data(), "{name}, {way}");
            let layout = processor.layout([image.height() as usize, image.width() as usize]);
            assert_eq!(layout.squares(), ours.len(), "{name}, {way}");
            compared += 1;
        }
    }
    assert_eq!(compared, 12);
}

#[test]
fn resolutions_and_tokens_are_those_of_transformers() {
    let expected = std::fs::read(fixture("expected.safetensors")).expect("the fixture");
    let expected = SafeTensors::deserialize(&expected).expect("tensors");
    // LLaVA-1.6's tower: 336 pixels in patches of 14.
    let mut processor = hf("anyres.json");
    processor.size = 336;
    processor.pinpoints = vec![[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]];
    let square = SquareTokens {
        count: 576,
        grid: Some([24, 24]),
    };
    let rows = table(&expected, "anyres");
    assert_eq!(rows.len(), 1490);
    for row in rows {
        let [height, width, down, across, tokens] = row[..] else {
            panic!("{row:?}")
        };
        let layout = processor.layout([height, width]);
        let grid = Layout::Grid(Grid {
            rows: down / 336,
            columns: across / 336,
            height,
            width,
        });
        assert_eq!(layout, grid, "{height} x {width}");
        assert_eq!(square.of(&layout), tokens, "{height} x {width}");
        assert!(tokens <= ImageTokens::new(square, &processor).most());
    }
    for row in table(&expected, "tiles") {
        let tiles = Tiles::default().layout([row[0], row[1]], 448).squares();
        let several = row[2] * row[3] + usize::from(row[2] * row[3] > 1);
        assert_eq!(tiles, several, "{row:?}");
    }
}

#[test]
fn a_processor_of_several_squares_is_written_as_transformers_reads_it() {
    for (name, resize) in [
        ("anyres.json", Resize::AnyRes),
        ("tiles.json", Resize::Tiles),
    ] {
        let read = hf(name);
        assert_eq!(read.resize, resize, "{name}");
        let again = ImageProcessor::from_hf(&read.to_hf().to_string()).expect("a processor");
        assert_eq!(again, read, "{name}");
    }
}

#[test]
fn a_strip_and_a_dot_become_squares_too() {
    for name in ["anyres.json", "tiles.json"] {
        let processor = hf(name);
        for [width, height] in [[1, 1], [1, MAX_SIDE], [MAX_SIDE, 1]] {
            let image = RgbImage::from_pixel(width, height, image::Rgb([10, 200, 30]));
            let layout = processor.layout([height as usize, width as usize]);
            let squares = processor.squares(&image);
            assert_eq!(
                squares.len(),
                layout.squares(),
                "{name}, {width} x {height}"
            );
            let whole = if name == "tiles.json" {
                squares.last()
            } else {
                squares.first()
            };
            let whole = whole.expect("one at least");
            assert!(
                whole.pixels().all(|pixel| pixel.0 == [10, 200, 30]),
                "{name}"
            );
        }
    }
}

#[test]
fn a_size_is_that_of_the_decoded_image() {
    let mut compared = 0;
    for entry in std::fs::read_dir(folder()).expect("the fixtures") {
        let path = entry.expect("an entry").path();
        let file = std::fs::read(&path).expect("a file");
        let Ok(image) = decode(&file) else { continue };
        let expected = [image.height(), image.width()].map(|side| side as usize);
        assert_eq!(size(&file).expect("a size"), expected, "{}", path.display());
        compared += 1;
    }
    assert!(compared > 40, "{compared}");
    assert!(size(b"hello").is_err() && size(b"").is_err());
}
