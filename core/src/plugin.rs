//! Plugins: registered at link time beside their config, found by their exact name.
//!
//! ```ignore
//! menagerie_core::register_encoder!(ClipConfig);
//! ```
//!
//! Only linked crates are seen: a binary that depends on a plugin crate names it once,
//! `use menagerie_vision as _;`.

mod benchmark;
mod lookup;

pub use benchmark::{BenchmarkError, BenchmarkPlugin, benchmark, benchmarks};
pub use lookup::{decoder_of, decoder_type, encoder_of, projector_of, published_encoder};

use std::fmt::Debug;

use burn::tensor::Device;
use schemars::Schema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use toml::Table;

use crate::checkpoint::Checkpoint;
use crate::component::Component;
use crate::decoder::{Decoder, DecoderConfig, DecoderSpec};
use crate::encoder::{Encoder, EncoderConfig, EncoderSpec};
use crate::error::{BuildError, nearest};
use crate::hf::HfParts;
use crate::image::Resize;
use crate::projector::{Projector, ProjectorConfig, ProjectorFields, ProjectorSpec};
use crate::slot::Slot;

/// What every plugin says of itself.
#[derive(Debug)]
pub struct PluginInfo {
    /// Which part of the model it fills.
    pub component: Component,
    /// The name in `type = "…"`.
    pub name: &'static str,
    /// The crate that registers it.
    pub crate_name: &'static str,
    /// That crate's version.
    pub crate_version: &'static str,
    /// The `model_type`s of a `config.json` that it answers to.
    pub model_types: &'static [&'static str],
    /// Options that a checkpoint's config suggests and a recipe may state otherwise.
    pub choices: &'static [&'static str],
    /// How an encoder's published weights want an image made square.
    pub resize: Resize,
    /// Hub ids of published weights, each with the preset of its sizes.
    pub published: &'static [(&'static str, &'static str)],
    /// See [`EncoderConfig::HAS_PARTS`].
    pub has_parts: bool,
    schema: fn() -> Schema,
    presets: fn() -> Vec<(&'static str, Table)>,
    tiny: fn() -> Table,
    from_hf: fn(&Value) -> Result<Option<Table>, BuildError>,
}

impl PluginInfo {
    /// JSON Schema of the options: types, descriptions, defaults.
    #[must_use]
    pub fn schema(&self) -> Schema {
        (self.schema)()
    }

    /// Named presets with the options they stand for.
    #[must_use]
    pub fn presets(&self) -> Vec<(&'static str, Table)> {
        (self.presets)()
    }

    /// The options that a `config.json` states; none if it is not about this plugin.
    ///
    /// # Errors
    /// A field that is missing or of the wrong kind.
    pub fn from_hf(&self, config: &Value) -> Result<Table, BuildError> {
        Ok(self.answers(config)?.unwrap_or_default())
    }

    /// As [`PluginInfo::from_hf`], but nothing if a projector is not the one that the config of a
    /// whole model describes.
    ///
    /// # Errors
    /// A field that is missing or of the wrong kind.
    pub fn answers(&self, config: &Value) -> Result<Option<Table>, BuildError> {
        (self.from_hf)(config)
    }

    /// The options of the smallest sensible model.
    #[must_use]
    pub fn tiny(&self) -> Table {
        (self.tiny)()
    }

    /// Whether a `config.json`, or the part of a larger model's that is about this component, is of
    /// a model that the plugin reads. One that does not say what it is passes.
    #[must_use]
    pub fn reads(&self, config: &Value) -> bool {
        let part = match self.component {
            Component::Vision => config.get("vision_config"),
            Component::Projector => None,
            Component::Llm => config.get("text_config"),
        };
        // A config of the original LLaVA says of its encoder only the name.
        let elsewhere =
            self.component == Component::Vision && config.get("mm_vision_tower").is_some();
        let model_type = match part {
            Some(part) => part.get("model_type").and_then(Value::as_str),
            None => config.get("model_type").map(|_| decoder_type(config)),
        };
        let known = |name| self.model_types.contains(&name);
        self.model_types.is_empty() || elsewhere || model_type.is_none_or(known)
    }

    /// The options of one preset.
    ///
    /// # Errors
    /// No preset of that name.
    pub fn preset(&self, name: &str) -> Result<Table, BuildError> {
        let presets = self.presets();
        let allowed = || presets.iter().map(|(name, _)| (*name).to_owned()).collect();
        presets
            .iter()
            .find(|(candidate, _)| *candidate == name)
            .map(|(_, options)| options.clone())
            .ok_or_else(|| BuildError::UnknownPreset {
                plugin: self.name.to_owned(),
                name: name.to_owned(),
                allowed: allowed(),
            })
    }

    /// The names of the options, sorted.
    #[must_use]
    pub fn option_names(&self) -> Vec<String> {
        let schema = self.schema();
        let properties = schema.get("properties").and_then(Value::as_object);
        let mut names: Vec<String> = properties
            .into_iter()
            .flat_map(|p| p.keys().cloned())
            .collect();
        names.sort_unstable();
        names
    }

    /// Reads options into their config type; an unknown or missing one names what is allowed.
    fn parse<C: DeserializeOwned>(&self, options: Table) -> Result<C, BuildError> {
        let option_error = |key: &str, message: String| BuildError::Option {
            plugin: self.name.to_owned(),
            key: key.to_owned(),
            message,
        };
        let allowed = self.option_names();
        if let Some(key) = options.keys().find(|key| !allowed.contains(key)) {
            let list = if allowed.is_empty() {
                "none".to_owned()
            } else {
                allowed.join(", ")
            };
            let hint = nearest(key, &allowed);
            let message = format!(
                "`{}` has no option `{key}`; its options are: {list}{hint}",
                self.name
            );
            return Err(option_error(key, message));
        }
        serde_path_to_error::deserialize(toml::Value::Table(options)).map_err(|error| {
            // An item's place as a recipe's key paths state it.
            let path = error.path().to_string().replace('[', ".").replace(']', "");
            let key = if path == "." { "" } else { &path };
            let problem = error.inner().to_string();
            let presets: Vec<_> = self.presets().iter().map(|(name, _)| *name).collect();
            let hint = if problem.starts_with("missing field") && !presets.is_empty() {
                format!("; state it, or choose a preset: {}", presets.join(", "))
            } else {
                String::new()
            };
            option_error(
                key,
                format!("`{}`: {}{hint}", self.name, problem.trim_end()),
            )
        })
    }
}

fn to_table<C: Serialize>(config: &C) -> Table {
    Table::try_from(config).expect("a plugin's config serialises to a TOML table")
}

/// An encoder's checked options, ready to build.
pub trait AnyEncoderConfig: Debug + Send + Sync {
    /// The options with every default filled in.
    fn options(&self) -> Table;
    /// How published checkpoints are read.
    fn checkpoint(&self) -> Checkpoint;
    /// See [`EncoderConfig::to_hf`].
    fn to_hf(&self) -> Option<HfParts>;
    /// See [`EncoderConfig::spec`].
    ///
    /// # Errors
    /// As there.
    fn spec(&self) -> Result<EncoderSpec, BuildError>;
    /// See [`EncoderConfig::init`].
    ///
    /// # Errors
    /// As there.
    fn init(&self, device: &Device) -> Result<Slot<dyn Encoder>, BuildError>;
}

impl<C: EncoderConfig> AnyEncoderConfig for C {
    fn options(&self) -> Table {
        to_table(self)
    }

    fn checkpoint(&self) -> Checkpoint {
        EncoderConfig::checkpoint(self)
    }

    fn to_hf(&self) -> Option<HfParts> {
        EncoderConfig::to_hf(self)
    }

    fn spec(&self) -> Result<EncoderSpec, BuildError> {
        EncoderConfig::spec(self)
    }

    fn init(&self, device: &Device) -> Result<Slot<dyn Encoder>, BuildError> {
        EncoderConfig::init(self, device).map(Into::into)
    }
}

/// A projector's checked options, ready to build.
pub trait AnyProjectorConfig: Debug + Send + Sync {
    /// The options with every default filled in.
    fn options(&self) -> Table;
    /// How published checkpoints are read.
    fn checkpoint(&self) -> Checkpoint;
    /// See [`ProjectorConfig::to_hf`].
    fn to_hf(&self) -> ProjectorFields;
    /// See [`ProjectorConfig::spec`].
    ///
    /// # Errors
    /// As there.
    fn spec(&self, vision: &EncoderSpec, llm: &DecoderSpec) -> Result<ProjectorSpec, BuildError>;
    /// See [`ProjectorConfig::grid`].
    fn grid(&self, vision: &EncoderSpec, llm: &DecoderSpec) -> Option<[usize; 2]>;
    /// See [`ProjectorConfig::init`].
    ///
    /// # Errors
    /// As there.
    fn init(
        &self,
        vision: &EncoderSpec,
        llm: &DecoderSpec,
        device: &Device,
    ) -> Result<Slot<dyn Projector>, BuildError>;
}

impl<C: ProjectorConfig> AnyProjectorConfig for C {
    fn options(&self) -> Table {
        to_table(self)
    }

    fn checkpoint(&self) -> Checkpoint {
        ProjectorConfig::checkpoint(self)
    }

    fn to_hf(&self) -> ProjectorFields {
        ProjectorConfig::to_hf(self)
    }

    fn spec(&self, vision: &EncoderSpec, llm: &DecoderSpec) -> Result<ProjectorSpec, BuildError> {
        ProjectorConfig::spec(self, vision, llm)
    }

    fn grid(&self, vision: &EncoderSpec, llm: &DecoderSpec) -> Option<[usize; 2]> {
        ProjectorConfig::grid(self, vision, llm)
    }

    fn init(
        &self,
        vision: &EncoderSpec,
        llm: &DecoderSpec,
        device: &Device,
    ) -> Result<Slot<dyn Projector>, BuildError> {
        ProjectorConfig::init(self, vision, llm, device).map(Into::into)
    }
}

/// A decoder's checked options, ready to build.
pub trait AnyDecoderConfig: Debug + Send + Sync {
    /// The options with every default filled in.
    fn options(&self) -> Table;
    /// How published checkpoints are read.
    fn checkpoint(&self) -> Checkpoint;
    /// See [`DecoderConfig::to_hf`].
    fn to_hf(&self) -> Option<HfParts>;
    /// See [`DecoderConfig::spec`].
    ///
    /// # Errors
    /// As there.
    fn spec(&self) -> Result<DecoderSpec, BuildError>;
    /// See [`DecoderConfig::init`].
    ///
    /// # Errors
    /// As there.
    fn init(&self, device: &Device) -> Result<Slot<dyn Decoder>, BuildError>;
}

impl<C: DecoderConfig> AnyDecoderConfig for C {
    fn options(&self) -> Table {
        to_table(self)
    }

    fn checkpoint(&self) -> Checkpoint {
        DecoderConfig::checkpoint(self)
    }

    fn to_hf(&self) -> Option<HfParts> {
        DecoderConfig::to_hf(self)
    }

    fn spec(&self) -> Result<DecoderSpec, BuildError> {
        DecoderConfig::spec(self)
    }

    fn init(&self, device: &Device) -> Result<Slot<dyn Decoder>, BuildError> {
        DecoderConfig::init(self, device).map(Into::into)
    }
}

/// Declares the registry entry of one component: what its config gives, and its macro.
macro_rules! registry {
    ($entry:ident, $config:ident, $any:ident, $component:expr, $resize:expr, $published:expr, $has_parts:expr, $choices:expr, $from_hf:expr, $register:ident, $find:ident, $what:literal) => {
        #[doc = concat!("A registered ", $what, ".")]
        #[derive(Debug)]
        pub struct $entry {
            /// What it says of itself.
            pub info: PluginInfo,
            configure: fn(&PluginInfo, Table) -> Result<Box<dyn $any>, BuildError>,
        }

        inventory::collect!($entry);

        impl $entry {
            #[doc = concat!("The entry of one ", $what, "; used by the registration macro.")]
            #[must_use]
            pub const fn new<C: $config>(
                crate_name: &'static str,
                crate_version: &'static str,
            ) -> Self {
                Self {
                    info: PluginInfo {
                        component: $component,
                        name: C::NAME,
                        crate_name,
                        crate_version,
                        schema: || schemars::schema_for!(C),
                        presets: || {
                            let presets = C::presets().into_iter();
                            presets
                                .map(|(name, config)| (name, to_table(&config)))
                                .collect()
                        },
                        model_types: C::MODEL_TYPES,
                        choices: $choices,
                        resize: $resize,
                        published: $published,
                        has_parts: $has_parts,
                        tiny: || to_table(&C::tiny()),
                        from_hf: $from_hf,
                    },
                    configure: |info, options| {
                        info.parse::<C>(options)
                            .map(|config| Box::new(config) as Box<dyn $any>)
                    },
                }
            }

            /// Reads the options of a recipe's table.
            ///
            /// # Errors
            /// An option that is unknown, missing or of the wrong kind.
            pub fn configure(&self, options: Table) -> Result<Box<dyn $any>, BuildError> {
                (self.configure)(&self.info, options)
            }
        }

        #[doc = concat!("The ", $what, " of that exact name.")]
        ///
        /// # Errors
        /// No plugin, or two, of that name.
        pub fn $find(name: &str) -> Result<&'static $entry, BuildError> {
            let entries = || inventory::iter::<$entry>.into_iter();
            check_unique(entries().map(|entry| &entry.info))?;
            entries()
                .find(|entry| entry.info.name == name)
                .ok_or_else(|| {
                    let mut allowed: Vec<_> = entries().map(|e| e.info.name.to_owned()).collect();
                    allowed.sort_unstable();
                    BuildError::UnknownPlugin {
                        component: $component,
                        name: name.to_owned(),
                        allowed,
                    }
                })
        }

        #[doc = concat!("Registers the config type of one ", $what, ", beside its definition.")]
        #[macro_export]
        macro_rules! $register {
            ($type:ty) => {
                $crate::inventory::submit! {
                    $crate::plugin::$entry::new::<$type>(
                        env!("CARGO_PKG_NAME"),
                        env!("CARGO_PKG_VERSION"),
                    )
                }
            };
        }
    };
}

registry!(
    EncoderPlugin,
    EncoderConfig,
    AnyEncoderConfig,
    Component::Vision,
    C::RESIZE,
    C::PUBLISHED,
    C::HAS_PARTS,
    C::CHOICES,
    |config| C::from_hf(config).map(Some),
    register_encoder,
    encoder,
    "encoder"
);
registry!(
    ProjectorPlugin,
    ProjectorConfig,
    AnyProjectorConfig,
    Component::Projector,
    Resize::Crop,
    &[],
    false,
    &[],
    C::from_hf,
    register_projector,
    projector,
    "projector"
);
registry!(
    DecoderPlugin,
    DecoderConfig,
    AnyDecoderConfig,
    Component::Llm,
    Resize::Crop,
    &[],
    false,
    C::CHOICES,
    |config| C::from_hf(config).map(Some),
    register_decoder,
    decoder,
    "decoder"
);

/// Every plugin linked in, sorted by component and name.
///
/// # Errors
/// Two plugins of one component that share a name.
pub fn list() -> Result<Vec<&'static PluginInfo>, BuildError> {
    let mut all: Vec<&PluginInfo> = Vec::new();
    all.extend(
        inventory::iter::<EncoderPlugin>
            .into_iter()
            .map(|entry| &entry.info),
    );
    all.extend(
        inventory::iter::<ProjectorPlugin>
            .into_iter()
            .map(|entry| &entry.info),
    );
    all.extend(
        inventory::iter::<DecoderPlugin>
            .into_iter()
            .map(|entry| &entry.info),
    );
    check_unique(all.iter().copied())?;
    all.sort_unstable_by_key(|info| (info.component, info.name));
    Ok(all)
}

/// Information on the plugin of that component and exact name.
///
/// # Errors
/// No plugin, or two, of that name.
pub fn info(component: Component, name: &str) -> Result<&'static PluginInfo, BuildError> {
    match component {
        Component::Vision => encoder(name).map(|entry| &entry.info),
        Component::Projector => projector(name).map(|entry| &entry.info),
        Component::Llm => decoder(name).map(|entry| &entry.info),
    }
}

fn check_unique<'a>(infos: impl Iterator<Item = &'a PluginInfo>) -> Result<(), BuildError> {
    let mut seen: Vec<&PluginInfo> = Vec::new();
    for info in infos {
        let twin = seen
            .iter()
            .find(|other| other.component == info.component && other.name == info.name);
        if let Some(other) = twin {
            let mut crates = [other.crate_name.to_owned(), info.crate_name.to_owned()];
            crates.sort_unstable();
            let [first, second] = crates;
            return Err(BuildError::DuplicatePlugin {
                component: info.component,
                name: info.name.to_owned(),
                first,
                second,
            });
        }
        seen.push(info);
    }
    Ok(())
}
