//! `fused`: several encoders see the same image, and their features stand side by side in each
//! token, as in Prismatic (Karamcheti et al. 2024, arXiv 2402.07865), which fuses DINOv2 and SigLIP.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use menagerie_core::plugin::{self, AnyEncoderConfig};
use menagerie_core::slot::Slot;
use menagerie_core::{BuildError, Checkpoint, Encoder, EncoderConfig, EncoderSpec, TensorName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::dinov2::Dinov2Config;
use crate::siglip::SiglipConfig;

/// Several encoders over the same image, their features side by side in each token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FusedConfig {
    /// The encoders, two or more, in the order of their features. Each is a table as `[vision]` is,
    /// with a `type`, that plugin's options, and if wanted a `preset` and `weights` of its own. All
    /// take images of one size and give as many tokens. The pixels are normalised for each as it
    /// was trained.
    #[schemars(length(min = 2))]
    pub parts: Vec<FusedPart>,
}

/// One encoder of several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FusedPart {
    /// The plugin.
    pub r#type: String,
    /// Named sizes of the plugin; options stated beside it come first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Pretrained weights of this encoder: a folder or file, relative to the recipe, or a hub id.
    /// Without it they start at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// The plugin's options.
    #[serde(flatten)]
    #[schemars(skip)]
    pub options: Table,
}

impl FusedPart {
    /// An encoder with these options.
    fn new<C: EncoderConfig>(config: &C) -> Self {
        Self {
            r#type: C::NAME.to_owned(),
            preset: None,
            weights: None,
            options: Table::try_from(config).expect("options are TOML"),
        }
    }

    fn configure(&self) -> Result<Box<dyn AnyEncoderConfig>, BuildError> {
        let entry = plugin::encoder(&self.r#type)?;
        if entry.info.has_parts {
            let message = "is made of parts itself; state them all in one list";
            return Err(BuildError::invalid(&self.r#type, "type", message));
        }
        let preset = self.preset.as_deref().map(|name| entry.info.preset(name));
        let mut options = preset.transpose()?.unwrap_or_default();
        options.extend(self.options.clone());
        entry.configure(options)
    }
}

/// A part's options, checked, and its sizes.
type Configured = (Box<dyn AnyEncoderConfig>, EncoderSpec);

/// Most encoders. With each the features of a token grow.
const MAX_PARTS: usize = 8;

impl FusedConfig {
    fn invalid<T>(key: &str, message: impl Into<String>) -> Result<T, BuildError> {
        Err(BuildError::invalid(Self::NAME, key, message))
    }

    /// Each part's options and sizes, which fit together.
    fn configured(&self) -> Result<Vec<Configured>, BuildError> {
        let count = self.parts.len();
        if !(2..=MAX_PARTS).contains(&count) {
            let message = format!("lists {count}; there must be from 2 to {MAX_PARTS}");
            return Self::invalid("parts", message);
        }
        let configured = self.parts.iter().enumerate().map(|(index, part)| {
            let within = |error: BuildError| error.within(&place(index));
            let config = part.configure().map_err(within)?;
            let spec = config.spec().map_err(within)?;
            Ok((config, spec))
        });
        let configured: Vec<_> = configured.collect::<Result<_, BuildError>>()?;
        let specs = configured.iter().map(|(_, spec)| spec).enumerate();
        for (index, spec) in specs.skip(1) {
            self.check_pair(index, &configured[0].1, spec)?;
        }
        Ok(configured)
    }

    /// Checks that part `index` gives as many tokens of the same image as the first.
    fn check_pair(
        &self,
        index: usize,
        first: &EncoderSpec,
        other: &EncoderSpec,
    ) -> Result<(), BuildError> {
        let names = [0, index].map(|index| &self.parts[index].r#type);
        let [one, two] = names;
        let key = |option: &str| format!("{}.{option}", place(index));
        if first.image_size != other.image_size {
            let message = format!(
                "`{one}` takes images of {} pixels a side and `{two}` of {}; they see the same image, \
                 so state one size",
                first.image_size, other.image_size
            );
            return Self::invalid(&key("image_size"), message);
        }
        if first.has_class_token != other.has_class_token {
            let [with, without] = if first.has_class_token {
                [one, two]
            } else {
                [two, one]
            };
            let message = format!(
                "`{with}` keeps its class token, and `{without}` has none; state select = \"patch\" \
                 for `{with}`"
            );
            return Self::invalid(&key("select"), message);
        }
        if first.tokens != other.tokens || first.grid != other.grid {
            let shape = |spec: &EncoderSpec| match spec.grid {
                Some([rows, columns]) => format!("{rows} × {columns} patches"),
                None => format!("{} tokens without a grid", spec.tokens),
            };
            let message = format!(
                "`{one}` makes {} of an image and `{two}` {}; features stand side by side only where \
                 they agree",
                shape(first),
                shape(other)
            );
            return Self::invalid(&place(index), message);
        }
        Ok(())
    }
}

/// Where a part's table lies within the encoder's, and its module within the encoder's.
fn place(index: usize) -> String {
    format!("parts.{index}")
}

impl EncoderConfig for FusedConfig {
    type Encoder = Fused;
    const NAME: &'static str = "fused";
    const HAS_PARTS: bool = true;

    fn tiny() -> Self {
        let siglip = SiglipConfig {
            image_size: 28,
            ..SiglipConfig::tiny()
        };
        Self {
            parts: vec![
                FusedPart::new(&Dinov2Config::tiny()),
                FusedPart::new(&siglip),
            ],
        }
    }

    fn spec(&self) -> Result<EncoderSpec, BuildError> {
        let parts = self.configured()?;
        let feature_size = parts.iter().map(|(_, spec)| spec.feature_size).sum();
        // The pixels come as the first part takes them.
        let first = parts.into_iter().next().expect("two parts or more").1;
        Ok(EncoderSpec {
            feature_size,
            ..first
        })
    }

    fn init(&self, device: &Device) -> Result<Fused, BuildError> {
        let parts = self.configured()?;
        let first = parts[0].1.clone();
        let pixels = parts.iter().map(|(_, spec)| Renormalise::new(&first, spec));
        let pixels = pixels.collect();
        let modules = parts.iter().enumerate().map(|(index, (config, _))| {
            let module = config.init(device);
            module.map_err(|error| error.within(&place(index)))
        });
        Ok(Fused {
            parts: modules.collect::<Result<_, _>>()?,
            pixels,
        })
    }

    /// Each part's names as its own files spell them, its place before them.
    fn checkpoint(&self) -> Checkpoint {
        let mut names = Vec::new();
        for (index, part) in self.parts.iter().enumerate() {
            let place = place(index);
            let checkpoint = part.configure().map(|config| config.checkpoint());
            let spelling = checkpoint
                .ok()
                .and_then(|own| own.spellings.into_iter().next());
            for name in spelling.iter().flat_map(|spelling| &spelling.tensors) {
                let prefix = spelling.as_ref().map_or("", |spelling| spelling.prefix);
                names.push(TensorName {
                    path: format!("{place}.{}", name.path),
                    key: format!("{place}.{prefix}{}", name.key),
                    storage: name.storage,
                });
            }
        }
        Checkpoint::with_prefixes(&[""], &names, &[])
    }
}

menagerie_core::register_encoder!(FusedConfig);

/// Encoders whose features stand side by side.
#[derive(Module, Debug)]
pub struct Fused {
    parts: Vec<Slot<dyn Encoder>>,
    /// For each part, what makes its pixels of the first part's.
    #[module(skip)]
    pixels: Vec<Renormalise>,
}

impl Encoder for Fused {
    fn forward(&self, pixels: Tensor<4>) -> Tensor<3> {
        let parts = self.parts.iter().zip(&self.pixels);
        let features = parts.map(|(part, own)| part.forward(own.forward(pixels.clone())));
        Tensor::cat(features.collect(), 2) // [batch, token, sum of features]
    }
}

/// Pixels normalised by one mean and standard deviation for each channel, normalised by others.
#[derive(Debug, Clone)]
struct Renormalise {
    scale: [f32; 3],
    shift: [f32; 3],
}

impl Renormalise {
    fn new(from: &EncoderSpec, to: &EncoderSpec) -> Self {
        let of = |values: fn(&EncoderSpec, &EncoderSpec, usize) -> f32| {
            std::array::from_fn(|channel| values(from, to, channel))
        };
        Self {
            scale: of(|from, to, channel| from.std[channel] / to.std[channel]),
            shift: of(|from, to, channel| {
                (from.mean[channel] - to.mean[channel]) / to.std[channel]
            }),
        }
    }

    /// `[batch, 3, height, width]` -> the same
    fn forward(&self, pixels: Tensor<4>) -> Tensor<4> {
        if self.scale == [1.0; 3] && self.shift == [0.0; 3] {
            return pixels;
        }
        let options = (&pixels.device(), pixels.dtype());
        let channels = |values: [f32; 3]| {
            let values = TensorData::new(values.to_vec(), [1, 3, 1, 1]);
            Tensor::<4>::from_data(values, options)
        };
        let (scale, shift) = (channels(self.scale), channels(self.shift));
        pixels * scale + shift
    }
}

#[cfg(test)]
mod tests;
