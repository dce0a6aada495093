//! Statistics of pixels in 0-1 that published weights were trained with.

/// Mean of each channel in OpenAI's training images, from the `preprocessor_config.json` of CLIP.
pub(crate) const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
/// Standard deviation of each channel, likewise.
pub(crate) const CLIP_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// Mean of each channel in ImageNet, from the `preprocessor_config.json` of DINOv2 and ConvNeXt.
pub(crate) const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// Standard deviation of each channel, likewise.
pub(crate) const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];
