//! From tables to plugins: preset, stated options and the weights' own `config.json` become one
//! checked config for each component.

use std::io;
use std::path::Path;

use toml::{Table, Value};

use super::component::own_keys;
use super::error::RecipeError;
use super::parts::ConfiguredPart;
use super::{Component, Recipe};
use crate::decoder::DecoderSpec;
use crate::encoder::EncoderSpec;
use crate::error::BuildError;
use crate::folder::{FolderError, read_json};
use crate::image::{ImageProcessor, Resize};
use crate::plugin::{self, AnyDecoderConfig, AnyEncoderConfig, AnyProjectorConfig, PluginInfo};
use crate::projector::ProjectorSpec;
use crate::visual::{ImageTokens, SquareTokens};
use crate::weights::WeightError;
use crate::weights::gguf::Gguf;

/// The three components of a recipe, checked and ready to build.
#[derive(Debug)]
#[non_exhaustive]
pub struct Configured {
    /// The encoder's options.
    pub vision: Box<dyn AnyEncoderConfig>,
    /// The encoder's sizes.
    pub vision_spec: EncoderSpec,
    /// The encoder's plugin.
    pub vision_info: &'static PluginInfo,
    /// The encoders that it is made of; none of most.
    pub(crate) vision_parts: Vec<ConfiguredPart>,
    /// The projector's options.
    pub projector: Box<dyn AnyProjectorConfig>,
    /// The projector's sizes.
    pub projector_spec: ProjectorSpec,
    /// The projector's plugin.
    pub projector_info: &'static PluginInfo,
    /// The decoder's options.
    pub llm: Box<dyn AnyDecoderConfig>,
    /// The decoder's sizes.
    pub llm_spec: DecoderSpec,
    /// The decoder's plugin.
    pub llm_info: &'static PluginInfo,
    /// How images are prepared.
    pub images: ImageProcessor,
    /// The visual tokens of a square.
    pub square_tokens: SquareTokens,
}

impl Configured {
    /// How images are prepared, made square as `resize` says or, without it, as the recipe does.
    #[must_use]
    pub fn image_processor(&self, resize: Option<Resize>) -> ImageProcessor {
        ImageProcessor {
            resize: resize.unwrap_or(self.images.resize),
            ..self.images.clone()
        }
    }

    /// The tokens of images that are made square as `resize` says, or as the recipe does.
    #[must_use]
    pub fn image_tokens(&self, resize: Option<Resize>) -> ImageTokens {
        ImageTokens::new(self.square_tokens, &self.image_processor(resize))
    }

    /// Whether the projector has the vector beside it that ends the rows of a grid.
    pub(crate) fn has_newline(&self) -> bool {
        self.images.resize == Resize::AnyRes
    }
}

impl Recipe {
    /// Looks the plugins up and checks their options and how their sizes fit.
    ///
    /// Options are the preset's, then those stated. Where `weights` is a folder with a
    /// `config.json`, it supplies what is still missing, and must agree with the rest.
    ///
    /// # Errors
    /// A plugin, preset or option that does not exist, sizes that do not fit, or weights that
    /// disagree; each with its place in the recipe.
    pub fn configure(&self) -> Result<Configured, RecipeError> {
        let at = |component: Component| move |error: BuildError| self.build_error(component, error);
        let table = |component| ComponentTable::of(self, component);

        let component = Component::Vision;
        let entry = plugin::encoder(&self.vision.r#type).map_err(at(component))?;
        let mut options = table(component).options(&entry.info)?;
        let vision_parts = if entry.info.has_parts {
            self.configure_parts(&mut options)?
        } else {
            Vec::new()
        };
        let vision = entry.configure(options).map_err(at(component))?;
        let vision_spec = vision.spec().map_err(at(component))?;
        let vision_info = &entry.info;

        let component = Component::Llm;
        let entry = plugin::decoder(&self.llm.r#type).map_err(at(component))?;
        let options = table(component).options(&entry.info)?;
        let llm = entry.configure(options).map_err(at(component))?;
        let llm_spec = llm.spec().map_err(at(component))?;
        let llm_info = &entry.info;

        let component = Component::Projector;
        let entry = plugin::projector(&self.projector.r#type).map_err(at(component))?;
        let options = table(component).options(&entry.info)?;
        let projector = entry.configure(options).map_err(at(component))?;
        let projector_spec = projector
            .spec(&vision_spec, &llm_spec)
            .map_err(at(component))?;
        let projector_info = &entry.info;

        let square_tokens = SquareTokens {
            count: projector_spec.visual_tokens,
            grid: projector.grid(&vision_spec, &llm_spec),
        };
        let images = self.configure_images(&vision_spec, vision_info, square_tokens)?;

        Ok(Configured {
            vision,
            vision_spec,
            vision_info,
            vision_parts,
            projector,
            projector_spec,
            projector_info,
            llm,
            llm_spec,
            llm_info,
            images,
            square_tokens,
        })
    }

    /// How images are prepared, and whether the stages and the score can have theirs.
    fn configure_images(
        &self,
        vision: &EncoderSpec,
        info: &PluginInfo,
        tokens: SquareTokens,
    ) -> Result<ImageProcessor, RecipeError> {
        let invalid = |key: String, message: String| RecipeError::Invalid {
            origin: self.origin(&key),
            key,
            message,
        };
        let resize = self.vision.resize.unwrap_or(info.resize);
        let mut table = self.vision.images.clone().unwrap_or_default();
        // A model's folder states them for its own way; the recipe may have chosen another.
        let of_folder = self.origin("vision.images.pinpoints").is_folder();
        if resize != Resize::AnyRes && of_folder {
            table.pinpoints = None;
        }
        let images = table
            .checked(vision, resize, tokens.grid)
            .map_err(|(key, message)| invalid(format!("vision.{key}"), message))?;
        let stages = self.stage.iter();
        let stages = stages.map(|(name, stage)| (format!("stage.{name}"), stage.data.resize));
        let eval = self.eval.iter();
        let eval = eval.map(|table| ("eval".to_owned(), table.data.resize));
        for (place, own) in stages.chain(eval) {
            if let Some(own) = own.filter(|own| own.is_several() && *own != resize) {
                let message = format!(
                    "a model whose images are `{resize}` cannot have them as `{own}` here; state \
                    `vision.resize = \"{own}\"`, or a way of one square here: crop, pad, naive"
                );
                return Err(invalid(format!("{place}.data.resize"), message));
            }
        }
        Ok(images)
    }

    /// An error of building `component`, with the place of the key it is about.
    #[must_use]
    pub fn build_error(&self, component: Component, error: BuildError) -> RecipeError {
        self.build_error_at(component.name(), error)
    }

    /// An error of building what the table at `path` states.
    pub(super) fn build_error_at(&self, path: &str, error: BuildError) -> RecipeError {
        let key = error.key().unwrap_or_default();
        let origin = self.origin(&format!("{path}.{key}"));
        RecipeError::Build { origin, error }
    }
}

/// What the three tables and those of an encoder's parts have in common.
pub(super) struct ComponentTable<'r> {
    pub(super) recipe: &'r Recipe,
    /// The table's key path.
    pub(super) path: String,
    /// The keys that are not the plugin's.
    pub(super) own_keys: &'static [&'static str],
    pub(super) preset: Option<&'r str>,
    pub(super) weights: Option<&'r str>,
    pub(super) stated: &'r Table,
}

impl<'r> ComponentTable<'r> {
    fn of(recipe: &'r Recipe, component: Component) -> Self {
        let (preset, weights, stated) = match component {
            Component::Vision => {
                let table = &recipe.vision;
                (&table.preset, &table.weights, &table.options)
            }
            Component::Projector => {
                let table = &recipe.projector;
                (&table.preset, &table.weights, &table.options)
            }
            Component::Llm => {
                let table = &recipe.llm;
                (&table.preset, &table.weights, &table.options)
            }
        };
        Self {
            recipe,
            path: component.name().to_owned(),
            own_keys: own_keys(component),
            preset: preset.as_deref(),
            weights: weights.as_deref(),
            stated,
        }
    }

    fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    pub(super) fn options(&self, info: &PluginInfo) -> Result<Table, RecipeError> {
        self.check_keys(info)?;
        let preset = self.preset.map(|name| info.preset(name)).transpose();
        let preset = preset.map_err(|error| self.recipe.build_error_at(&self.path, error))?;
        let mut options = preset.unwrap_or_default();
        options.extend(self.stated.clone());
        self.supply_from_weights(info, &mut options)?;
        Ok(options)
    }

    fn check_keys(&self, info: &PluginInfo) -> Result<(), RecipeError> {
        let mut allowed = info.option_names();
        let unknown = self.stated.keys().find(|key| !allowed.contains(key));
        let Some(key) = unknown else { return Ok(()) };
        let own = self.own_keys.iter().map(|&key| key.to_owned());
        allowed.splice(0..0, own);
        Err(RecipeError::UnknownKey {
            origin: self.recipe.origin(&self.key(key)),
            table: self.path.clone(),
            key: key.clone(),
            allowed,
        })
    }

    fn supply_from_weights(
        &self,
        info: &PluginInfo,
        options: &mut Table,
    ) -> Result<(), RecipeError> {
        let Some(weights) = self.weights.map(Path::new) else {
            return Ok(());
        };
        let path = match weights.join("config.json") {
            file if file.is_file() => file,
            _ => weights.to_owned(),
        };
        let failure = |message: String| RecipeError::WeightsConfig {
            origin: self.recipe.origin(&self.key("weights")),
            path: path.clone(),
            message,
        };
        let config = read_config(weights).map_err(|unread| match unread {
            Unread::Wrong(message) => failure(message),
            Unread::Io(source) => RecipeError::WeightsRead {
                origin: self.recipe.origin(&self.key("weights")),
                path: path.clone(),
                source,
            },
        })?;
        let Some(config) = config else {
            return Ok(());
        };
        if !info.reads(&config) {
            let types = info.model_types.join(", ");
            let message = format!(
                "it is of another model: `{}` reads the model types {types}",
                info.name
            );
            return Err(failure(message));
        }
        let found = info
            .from_hf(&config)
            .map_err(|error| failure(error.to_string()))?;
        for (key, value) in found {
            match options.get(&key) {
                None => drop(options.insert(key, value)),
                Some(stated) if agree(stated, &value) => {}
                Some(_) if info.choices.contains(&key.as_str()) => {}
                Some(stated) => {
                    let by_preset = !self.stated.contains_key(&key);
                    let (place, stated) = match self.preset {
                        Some(preset) if by_preset => {
                            ("preset", format!("{stated} by preset `{preset}`"))
                        }
                        _ => (key.as_str(), stated.to_string()),
                    };
                    return Err(RecipeError::Contradiction {
                        origin: self.recipe.origin(&self.key(place)),
                        key: self.key(&key),
                        stated,
                        found: value.to_string(),
                        path,
                    });
                }
            }
        }
        Ok(())
    }
}

/// What the weights say of their sizes: a folder's `config.json`, or else a GGUF file's metadata.
fn read_config(weights: &Path) -> Result<Option<serde_json::Value>, Unread> {
    let file = weights.join("config.json");
    if file.is_file() {
        return Ok(Some(read_json(&file)?));
    }
    let gguf = Gguf::find(weights)?.filter(|gguf| !gguf.is_own());
    Ok(gguf.map(|gguf| gguf.hf_config()).transpose()?)
}

/// Why what the weights say is not known.
enum Unread {
    /// The disk's fault.
    Io(io::Error),
    /// The file's.
    Wrong(String),
}

impl From<FolderError> for Unread {
    fn from(error: FolderError) -> Self {
        match error {
            FolderError::Read { source, .. } => Self::Io(source),
            other => Self::Wrong(other.to_string()),
        }
    }
}

impl From<WeightError> for Unread {
    fn from(error: WeightError) -> Self {
        match error {
            WeightError::Io { source, .. } => Self::Io(source),
            other => Self::Wrong(other.to_string()),
        }
    }
}

/// Whether two files mean the same value, `1` and `1.0` included.
fn agree(stated: &Value, found: &Value) -> bool {
    let number = |value: &Value| value.as_float().or(value.as_integer().map(|i| i as f64));
    match (number(stated), number(found)) {
        // An f32 that went through another writer's decimal digits.
        (Some(a), Some(b)) => (a - b).abs() <= 1e-6 * a.abs().max(b.abs()),
        _ => match (stated, found) {
            (Value::Array(a), Value::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| agree(a, b))
            }
            (Value::Table(a), Value::Table(b)) => {
                let same = |(key, value): (&String, &Value)| {
                    b.get(key).is_some_and(|other| agree(value, other))
                };
                a.len() == b.len() && a.iter().all(same)
            }
            _ => stated == found,
        },
    }
}
