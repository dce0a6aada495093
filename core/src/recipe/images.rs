//! How images are prepared where it is not the encoder's usual way.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoder::EncoderSpec;
use crate::image::{Filter, ImageProcessor, MAX_SQUARES, Resize, Tiles, shortest};

/// How images are prepared: `[vision.images]`. What is not stated is the encoder's own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ImagesTable {
    /// Side of the result, in pixels. It must be that of the encoder's input, which it is by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub size: Option<usize>,
    /// Side after the resize, in pixels, of which the middle is kept. Default: the encoder's input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub resized: Option<usize>,
    /// How pixels are weighted in the resize, by PIL's names. Default: `"bicubic"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<Filter>,
    /// What a byte is multiplied with. Default: 1/255.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f64>,
    /// Mean of each channel (red, green, blue) in 0-1, subtracted. Default: the encoder's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<[f64; 3]>,
    /// Standard deviation of each channel, which divides. Default: the encoder's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<[f64; 3]>,
    /// Resolutions that `resize = "anyres"` chooses from, each `[height, width]` in pixels, multiples
    /// of `size`. Default: LLaVA-NeXT's, 1 by 2, 2 by 1, 2 by 2, 3 by 1 and 1 by 3 squares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinpoints: Option<Vec<[usize; 2]>>,
    /// Fewest squares that `resize = "tiles"` cuts an image into. Default: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub min_tiles: Option<usize>,
    /// Most squares that `resize = "tiles"` cuts an image into. Default: 12.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub max_tiles: Option<usize>,
    /// Whether `resize = "tiles"` adds the whole image in small after several tiles. Default: true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<bool>,
}

impl ImagesTable {
    /// What a processor does, all of it stated.
    #[must_use]
    pub fn of(processor: &ImageProcessor) -> Self {
        let tiles = (processor.resize == Resize::Tiles).then_some(processor.tiles);
        Self {
            size: Some(processor.size),
            resized: Some(processor.resized),
            filter: Some(processor.filter),
            scale: Some(processor.scale),
            mean: Some(processor.mean.map(shortest)),
            std: Some(processor.std.map(shortest)),
            pinpoints: (processor.resize == Resize::AnyRes).then(|| processor.pinpoints.clone()),
            min_tiles: tiles.map(|tiles| tiles.min),
            max_tiles: tiles.map(|tiles| tiles.max),
            thumbnail: tiles.map(|tiles| tiles.thumbnail),
        }
    }

    /// The processor of an encoder with these changes.
    #[must_use]
    pub fn processor(&self, encoder: &EncoderSpec, resize: Resize) -> ImageProcessor {
        let usual = ImageProcessor::new(encoder, resize);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "statistics are f32 everywhere"
        )]
        let narrow = |values: [f64; 3]| values.map(|value| value as f32);
        ImageProcessor {
            resized: self.resized.unwrap_or(usual.resized),
            filter: self.filter.unwrap_or(usual.filter),
            scale: self.scale.unwrap_or(usual.scale),
            mean: self.mean.map_or(usual.mean, narrow),
            std: self.std.map_or(usual.std, narrow),
            pinpoints: self.pinpoints.clone().unwrap_or(usual.pinpoints),
            tiles: Tiles {
                min: self.min_tiles.unwrap_or(usual.tiles.min),
                max: self.max_tiles.unwrap_or(usual.tiles.max),
                thumbnail: self.thumbnail.unwrap_or(usual.tiles.thumbnail),
            },
            ..usual
        }
    }

    /// The processor, if it can be: else the key that is wrong and why. `grid`: rows and columns of
    /// the visual tokens of a square, if they have such.
    pub(super) fn checked(
        &self,
        encoder: &EncoderSpec,
        resize: Resize,
        grid: Option<[usize; 2]>,
    ) -> Result<ImageProcessor, (&'static str, String)> {
        let side = encoder.image_size;
        if let Some(size) = self.size.filter(|&size| size != side) {
            let message = format!("images of {size} pixels a side for an encoder of {side}");
            return Err(("images.size", message));
        }
        let unused = |key, way: Resize| {
            let message = format!("says nothing with `resize = \"{resize}\"`; it is for `{way}`");
            Err((key, message))
        };
        let tiles = [
            ("images.min_tiles", self.min_tiles.is_some()),
            ("images.max_tiles", self.max_tiles.is_some()),
            ("images.thumbnail", self.thumbnail.is_some()),
        ];
        if self.pinpoints.is_some() && resize != Resize::AnyRes {
            return unused("images.pinpoints", Resize::AnyRes);
        }
        if let Some((key, _)) = tiles.iter().find(|(_, stated)| *stated)
            && resize != Resize::Tiles
        {
            return unused(key, Resize::Tiles);
        }
        let processor = self.processor(encoder, resize);
        if resize.is_several() && processor.resized != side {
            let message =
                format!("squares of several are not cropped: it must be {side} or absent");
            return Err(("images.resized", message));
        }
        match resize {
            Resize::Crop | Resize::Pad | Resize::Naive => Ok(processor),
            Resize::AnyRes if grid.is_none() => {
                let message = "`anyres` joins the visual tokens of squares to one picture, but those of \
                    this encoder and projector lie in no grid; leave out a class token, take a projector \
                    that keeps their places, or choose `tiles`";
                Err(("resize", message.to_owned()))
            }
            Resize::AnyRes => check_pinpoints(processor),
            Resize::Tiles => check_tiles(processor),
        }
    }
}

fn check_pinpoints(processor: ImageProcessor) -> Result<ImageProcessor, (&'static str, String)> {
    const KEY: &str = "images.pinpoints";
    let size = processor.size;
    if processor.pinpoints.is_empty() {
        return Err((KEY, "must name at least one resolution".to_owned()));
    }
    for pinpoint in &processor.pinpoints {
        let whole = |&side: &usize| side > 0 && side.is_multiple_of(size);
        if !pinpoint.iter().all(whole) {
            let message = format!(
                "{pinpoint:?} must be `[height, width]` in pixels, multiples of the encoder's {size}"
            );
            return Err((KEY, message));
        }
        let [rows, columns] = pinpoint.map(|side| side / size);
        if rows.saturating_mul(columns) > MAX_SQUARES {
            let message = format!(
                "{pinpoint:?} is {rows} by {columns} squares of {size} pixels; an image may become \
                {MAX_SQUARES} at most"
            );
            return Err((KEY, message));
        }
    }
    Ok(processor)
}

fn check_tiles(processor: ImageProcessor) -> Result<ImageProcessor, (&'static str, String)> {
    let Tiles { min, max, .. } = processor.tiles;
    if !(1..=MAX_SQUARES).contains(&max) {
        let message = format!("{max} tiles; it must be between 1 and {MAX_SQUARES}");
        return Err(("images.max_tiles", message));
    }
    if !(1..=max).contains(&min) {
        let message = format!("{min} tiles; it must be between 1 and `max_tiles`, which is {max}");
        return Err(("images.min_tiles", message));
    }
    Ok(processor)
}
