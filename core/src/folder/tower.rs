//! The original LLaVA's vision tower, which its config names (`mm_vision_tower`).

use std::path::Path;

use serde_json::Value;
use toml::Table;

use super::config::{model_type, read_json, reference, text_at};
use super::{FolderError, component};
use crate::error::BuildError;
use crate::plugin::{self, EncoderPlugin};

/// The tower's folder within an export in the original's layout.
pub const TOWER: &str = "vision_tower";

/// What is known of a tower.
pub(super) enum Tower {
    /// Its plugin is known: the table without layer and tokens.
    Known(&'static EncoderPlugin, Table),
    /// Nobody knows it.
    Unknown(String),
}

/// Where the tower lies that `config` names: what it says, or the folder that an export of this
/// program brings, which may have been moved since.
pub(super) fn place(folder: &Path, config: &Value) -> String {
    let named = text_at(config, "mm_vision_tower").unwrap_or_default();
    let brought = folder.join(TOWER);
    // What lies at the path that an export wrote may be another model's by now.
    let is_exports = Path::new(named).file_name() == Some(TOWER.as_ref());
    if is_exports && brought.join("config.json").is_file() {
        return brought.display().to_string();
    }
    reference(folder, named)
}

/// The tower that `config`, of the folder `folder`, names. With `inside`, its weights lie there.
pub(super) fn tower(
    folder: &Path,
    file: &Path,
    config: &Value,
    inside: Option<&Path>,
) -> Result<Tower, FolderError> {
    let at = |source: BuildError| FolderError::Plugin {
        path: file.to_owned(),
        source,
    };
    let named = text_at(config, "mm_vision_tower").unwrap_or_default();
    let place = place(folder, config);
    let beside = Path::new(&place).join("config.json");
    let (plugin, mut table) = if beside.is_file() {
        let tower = read_json(&beside)?;
        let part = tower.get("vision_config").and_then(model_type);
        let name = part.or(model_type(&tower)).unwrap_or_default();
        let plugin = plugin::encoder_of(name).map_err(at)?;
        // The sizes of a tower that lies beside come with its weights.
        let sizes = match inside {
            Some(_) => plugin.info.from_hf(&tower).map_err(at)?,
            None => Table::new(),
        };
        (plugin, sizes)
    } else if let Some((plugin, preset)) = plugin::published_encoder(named) {
        (plugin, component([("preset", preset.into())]))
    } else {
        return Ok(Tower::Unknown(named.to_owned()));
    };
    let weights = inside.map_or(place, |path| path.display().to_string());
    table.insert("type".to_owned(), plugin.info.name.into());
    table.insert("weights".to_owned(), weights.into());
    Ok(Tower::Known(plugin, table))
}
