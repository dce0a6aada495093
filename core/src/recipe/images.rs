//! How images are prepared where it is not the encoder's usual way.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::encoder::EncoderSpec;
use crate::image::{Filter, ImageProcessor, Resize, shortest};

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
}

impl ImagesTable {
    /// What a processor does, all of it stated.
    #[must_use]
    pub fn of(processor: &ImageProcessor) -> Self {
        Self {
            size: Some(processor.size),
            resized: Some(processor.resized),
            filter: Some(processor.filter),
            scale: Some(processor.scale),
            mean: Some(processor.mean.map(shortest)),
            std: Some(processor.std.map(shortest)),
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
            ..usual
        }
    }
}
