//! What can go wrong while a model is described and built.

use thiserror::Error;

use crate::component::Component;

/// A component that cannot be found or built as described.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// No plugin of that name is linked in.
    #[error("no {component} plugin is called `{name}`; there are: {}{}", .allowed.join(", "), nearest(.name, .allowed))]
    UnknownPlugin {
        /// The table of the recipe.
        component: Component,
        /// The name asked for.
        name: String,
        /// The names there are, sorted.
        allowed: Vec<String>,
    },

    /// Two crates register the same name.
    #[error(
        "the {component} plugin `{name}` is registered by two crates, `{first}` and `{second}`; link only one of them, or rename one plugin"
    )]
    DuplicatePlugin {
        /// The table of the recipe.
        component: Component,
        /// The name registered twice.
        name: String,
        /// One crate.
        first: String,
        /// The other.
        second: String,
    },

    /// No plugin linked in reads such a model.
    #[error("no {component} plugin reads models of type `{model_type}`; known are: {}{}", .known.join(", "), nearest(.model_type, .known))]
    UnknownModelType {
        /// The table of the recipe.
        component: Component,
        /// What the config states.
        model_type: String,
        /// The types there are, sorted.
        known: Vec<String>,
    },

    /// No preset of that name.
    #[error("`{plugin}` has no preset `{name}`; there are: {}{}", list(.allowed), nearest(.name, .allowed))]
    UnknownPreset {
        /// The plugin asked.
        plugin: String,
        /// The name asked for.
        name: String,
        /// The names there are.
        allowed: Vec<String>,
    },

    /// An option that is missing, unknown or of the wrong kind.
    #[error("{message}")]
    Option {
        /// The plugin's name.
        plugin: String,
        /// The option's key within the component's table; empty if the table as a whole is meant.
        key: String,
        /// What is wrong and what is allowed.
        message: String,
    },

    /// A size that does not fit, or options that exclude each other.
    #[error("`{key}` of `{plugin}`: {message}")]
    Invalid {
        /// The plugin's name.
        plugin: String,
        /// The option's key within the component's table.
        key: String,
        /// What is wrong and what is allowed.
        message: String,
    },
}

impl BuildError {
    /// A size that does not fit, at option `key` of `plugin`.
    pub fn invalid(plugin: &str, key: &str, message: impl Into<String>) -> Self {
        Self::Invalid {
            plugin: plugin.to_owned(),
            key: key.to_owned(),
            message: message.into(),
        }
    }

    /// Checks sizes of a plugin by their keys: each is at least 1, and none so large that no model
    /// could have it, which would end in a lack of memory and not in an error. `num_layers` goes to
    /// 1,000, all others to 2²⁴.
    ///
    /// # Errors
    /// The first that is out of range.
    pub fn check_sizes(
        plugin: &str,
        sizes: impl IntoIterator<Item = (&'static str, usize)>,
    ) -> Result<(), Self> {
        for (key, size) in sizes {
            let most = if key == "num_layers" { 1000 } else { 1 << 24 };
            Self::check_size(plugin, key, size, most)?;
        }
        Ok(())
    }

    /// Checks one size of a plugin: it is from 1 to `most`.
    ///
    /// # Errors
    /// It is not.
    pub fn check_size(plugin: &str, key: &str, size: usize, most: usize) -> Result<(), Self> {
        if (1..=most).contains(&size) {
            return Ok(());
        }
        let message = format!("is {size}; it must be from 1 to {most}");
        Err(Self::invalid(plugin, key, message))
    }

    /// The same error about an encoder that is a part of another, whose table lies at `place` within
    /// that one's.
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        if let Self::Option { key, .. } | Self::Invalid { key, .. } = &mut self {
            let dot = if key.is_empty() { "" } else { "." };
            *key = format!("{place}{dot}{key}");
        }
        self
    }

    /// The key within the component's table that the error is about, if it is about one.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::UnknownPlugin { .. }
            | Self::DuplicatePlugin { .. }
            | Self::UnknownModelType { .. } => Some("type"),
            Self::UnknownPreset { .. } => Some("preset"),
            Self::Option { key, .. } | Self::Invalid { key, .. } => {
                (!key.is_empty()).then_some(key)
            }
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// ` (did you mean `clip`?)`, or nothing if no name is near.
pub fn nearest<S: AsRef<str>>(name: &str, allowed: &[S]) -> String {
    allowed
        .iter()
        .map(|candidate| {
            let candidate = candidate.as_ref();
            (strsim::damerau_levenshtein(name, candidate), candidate)
        })
        .min()
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 2)
        .map(|(_, candidate)| format!(" (did you mean `{candidate}`?)"))
        .unwrap_or_default()
}
