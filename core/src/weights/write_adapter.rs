//! An adapter's folder as PEFT and the original LLaVA lay it out.

use std::collections::BTreeSet;
use std::path::Path;

use burn::tensor::Tensor;
use serde_json::{Value, json};

use super::adapter::{CONFIG, FILES, PREFIX, WHOLE_FILES};
use super::{Stored, WeightError, stored_where, write, write_whole};
use crate::checkpoint::{Checkpoint, Publisher};
use crate::component::Component;
use crate::lora::{Target, factors};
use crate::network::Network;
use crate::recipe::LoraTable;

/// What an adapter's folder is written from. It holds `adapter_config.json`,
/// `adapter_model.safetensors` and, if anything was trained whole beside the adapter,
/// `non_lora_trainables.safetensors`, with the names of the original LLaVA's modules.
#[derive(Debug)]
pub struct AdapterFolder<'a> {
    /// The network that carries the adapter.
    pub network: &'a Network,
    /// The component whose adapter it is.
    pub component: Component,
    /// How the component's tensors are called.
    pub checkpoint: Checkpoint,
    /// The adapter's table.
    pub table: &'a LoraTable,
    /// The weights of the component that it lies on.
    pub targets: Vec<&'a Target>,
    /// Paths of the component's parameters that are not the base's.
    pub whole: &'a BTreeSet<String>,
    /// What the adapter lies over, for `base_model_name_or_path`.
    pub base: &'a str,
}

impl AdapterFolder<'_> {
    /// Writes the folder `path`, which exists, and gives the names of the files.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, path: &Path) -> Result<Vec<&'static str>, WeightError> {
        let mut files = vec![CONFIG, FILES[0]];
        write(self.pairs(), &path.join(FILES[0]))?;
        let whole = self.whole()?;
        if !whole.is_empty() {
            write(whole, &path.join(WHOLE_FILES[0]))?;
            files.push(WHOLE_FILES[0]);
        }
        let file = path.join(CONFIG);
        let config = serde_json::to_string_pretty(&self.config()).expect("JSON has a text");
        write_whole(&file, |temporary| std::fs::write(temporary, config + "\n"))
            .map_err(|source| WeightError::Io { path: file, source })?;
        Ok(files)
    }

    /// A `[rank, in]` and B `[out, rank]` of every module.
    fn pairs(&self) -> Vec<Stored> {
        let mut factors = factors(self.network);
        let mut pairs = Vec::new();
        for target in &self.targets {
            let Some([a, b]) = factors.remove(&target.path) else {
                continue;
            };
            for (factor, name) in [(a, "lora_A"), (b, "lora_B")] {
                let name = format!("{PREFIX}{}.{name}.weight", target.module);
                pairs.push(stored_transposed(name, factor));
            }
        }
        pairs
    }

    fn whole(&self) -> Result<Vec<Stored>, WeightError> {
        let component = self.component;
        let spelling = self
            .checkpoint
            .spelling_of(component, Publisher::Original, true);
        let first = self.checkpoint.spellings.first();
        let spelling = spelling.or_else(|| first.cloned());
        let spelling = spelling.expect("a checkpoint states at least one spelling");
        let wanted = |path: &str| self.whole.contains(&format!("{component}.{path}"));
        let network = self.network;
        let name = component.name();
        let tensors = match component {
            Component::Vision => stored_where(&network.vision, name, &spelling, None, &wanted),
            Component::Projector => {
                stored_where(&network.projector, name, &spelling, None, &wanted)
            }
            Component::Llm => stored_where(&network.llm, name, &spelling, None, &wanted),
        };
        let tensors = tensors?.into_iter().map(|tensor| Stored {
            name: format!("{PREFIX}{}", tensor.name),
            ..tensor
        });
        Ok(tensors.collect())
    }

    /// PEFT's `LoraConfig`. The modules are named in full, so that none of another component's
    /// that is called alike takes part.
    fn config(&self) -> Value {
        let modules: Vec<&str> = self.targets.iter().map(|t| t.module.as_str()).collect();
        json!({
            "peft_type": "LORA",
            "task_type": (self.component == Component::Llm).then_some("CAUSAL_LM"),
            "base_model_name_or_path": self.base,
            "r": self.table.rank,
            "lora_alpha": self.table.alpha,
            "lora_dropout": self.table.dropout,
            "target_modules": modules,
            "bias": "none",
            "fan_in_fan_out": false,
            "use_rslora": false,
            "use_dora": false,
            "init_lora_weights": true,
            "inference_mode": true,
            "modules_to_save": null,
        })
    }
}

fn stored_transposed(name: String, factor: Tensor<2>) -> Stored {
    let [rows, columns] = factor.dims();
    Stored {
        name,
        dtype: factor.dtype(),
        shape: vec![columns, rows],
        bytes: Box::new(move || {
            let data = factor.clone().transpose().into_data();
            data.as_bytes().to_vec()
        }),
    }
}
