//! What computes: a version, a build, a device.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::hash::sha256;

/// What computes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Code {
    /// Version of this crate.
    pub menagerie: String,
    /// Version of Burn that it is pinned to.
    pub burn: String,
    /// SHA-256 of the program, where it can be read: two builds of a version may differ.
    pub program: Option<String>,
    pub device: String,
}

impl Code {
    pub(crate) fn here(device: &Device) -> Self {
        let program = std::env::current_exe().and_then(|path| sha256(&path));
        Self {
            menagerie: env!("CARGO_PKG_VERSION").to_owned(),
            burn: "0.22.1".to_owned(),
            program: program.ok(),
            device: format!("{:?}", device.clone().inner()),
        }
    }

    /// What is not as it was, in words.
    #[cfg(feature = "train")]
    pub(crate) fn changes(&self, now: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        let mut compare = |what: &str, before: &str, now: &str| {
            if before != now {
                changes.push(format!("{what} was {before} and is {now}"));
            }
        };
        compare("menagerie", &self.menagerie, &now.menagerie);
        compare("burn", &self.burn, &now.burn);
        compare("the device", &self.device, &now.device);
        if changes.is_empty() && self.program != now.program {
            changes.push("the program is another build of the same version".to_owned());
        }
        changes
    }
}
