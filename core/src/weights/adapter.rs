//! LoRA adapters (Hu et al. 2021, arXiv 2106.09685) as PEFT saves them, and what the original LLaVA
//! saves beside one: merged into the base's tensors as these are read.

use std::path::{Path, PathBuf};

use burn::tensor::DType;
use serde_json::Value;

use super::entry::TensorEntry;
use super::sum::{Sum, floats};
use super::{Format, Shards, Stored, WeightError};
use crate::checkpoint::respell;
use crate::lora::{Factors, Target};
use crate::recipe::LoraTable;

/// What PEFT puts before every name.
pub(super) const PREFIX: &str = "base_model.model.";

/// PEFT's description of an adapter.
pub(super) const CONFIG: &str = "adapter_config.json";

/// The file of an adapter's tensors.
pub(super) const FILES: [&str; 2] = ["adapter_model.safetensors", "adapter_model.bin"];

/// What the original LLaVA trains beside the adapter: the projector.
pub(super) const WHOLE_FILES: [&str; 2] =
    ["non_lora_trainables.safetensors", "non_lora_trainables.bin"];

/// An adapter's folder, opened.
#[derive(Debug)]
pub struct Adapter {
    path: PathBuf,
    scale: Scale,
    /// Low-rank pairs and whole tensors by the base's names.
    pairs: Vec<Pair>,
    whole: Vec<(String, TensorEntry)>,
    files: Vec<Shards>,
}

/// `W + scale · up · down`.
#[derive(Debug)]
struct Pair {
    /// The module, `model.layers.0.self_attn.q_proj`.
    module: String,
    /// A: `[rank, in]`
    down: TensorEntry,
    /// B: `[out, rank]`
    up: TensorEntry,
}

impl Adapter {
    /// Opens the folder of an adapter: `adapter_config.json`, `adapter_model` and, if there,
    /// `non_lora_trainables`.
    ///
    /// # Errors
    /// A file that is missing or broken, or a kind of adapter that is not read.
    pub fn open(folder: &Path) -> Result<Self, WeightError> {
        let scale = Scale::read(&folder.join(CONFIG))?;
        let tensors = Shards::open_named(folder, &FILES)?;
        let mut adapter = Self {
            path: folder.to_owned(),
            scale,
            pairs: Vec::new(),
            whole: Vec::new(),
            files: Vec::new(),
        };
        for name in tensors.names() {
            adapter.add(name, &tensors)?;
        }
        adapter.files.push(tensors);
        if WHOLE_FILES.iter().any(|file| folder.join(file).is_file()) {
            let trained = Shards::open_named(folder, &WHOLE_FILES)?;
            for (name, entry) in trained.entries() {
                let name = name.strip_prefix(PREFIX).unwrap_or(name);
                adapter.whole.push((name.to_owned(), entry.clone()));
            }
            adapter.files.push(trained);
        }
        Ok(adapter)
    }

    /// The names of tensors that it brings whole.
    pub fn whole_names(&self) -> impl Iterator<Item = &str> {
        self.whole.iter().map(|(name, _)| name.as_str())
    }

    /// Whether it brings the tensor called `name`, in any layout's spelling, whole.
    #[must_use]
    pub fn brings(&self, name: &str) -> bool {
        respell(name, |name| self.whole_names().any(|whole| whole == name)).is_some()
    }

    /// The base with the adapter merged in: `W + scale · B A`, computed in f32 when it is read.
    ///
    /// # Errors
    /// The base lacks a module that the adapter changes, or has another shape.
    pub fn over(&self, base: Shards) -> Result<Shards, WeightError> {
        let mut merged = self.whole_over(base);
        for pair in &self.pairs {
            let name = self.find(&merged, &format!("{}.weight", pair.module))?;
            let weight = merged.get(&name).expect("it was just found").clone();
            let scale = self.scale.of(&pair.module, pair.down.shape[0]);
            let sum = Sum::low_rank(&weight, &pair.down, &pair.up, scale);
            let entry = sum.ok_or_else(|| WeightError::Shape {
                component: "the adapter".to_owned(),
                path: self.path.clone(),
                key: pair.module.clone(),
                expected: weight.shape.clone(),
                found: vec![pair.up.shape[0], pair.down.shape[1]],
            })?;
            merged.put(name, entry);
        }
        Ok(merged)
    }

    /// The base with the tensors that the adapter brings whole, and without its low-rank part.
    #[must_use]
    pub fn whole_over(&self, base: Shards) -> Shards {
        let mut merged = base;
        for files in &self.files {
            merged.draw_on(files);
        }
        for (name, entry) in &self.whole {
            let name = self.find(&merged, name).unwrap_or_else(|_| name.clone());
            merged.put(name, entry.clone());
        }
        merged
    }

    /// The factors of `targets`, to go on training them as `table` says.
    ///
    /// # Errors
    /// A rank or a scale that is not the table's, layers other than `targets`, or numbers that
    /// cannot be read.
    pub fn factors(
        &self,
        targets: &[&Target],
        table: &LoraTable,
        dtype: DType,
    ) -> Result<Factors, WeightError> {
        let differs = |problem: String| WeightError::AdapterDiffers {
            path: self.path.clone(),
            problem,
        };
        let mut factors = Factors::new();
        for target in targets {
            let pair = self.pair(&target.module).ok_or_else(|| {
                let module = &target.module;
                differs(format!("it has nothing for `{module}`, which `on` names"))
            })?;
            let (rank, scale) = (
                pair.down.shape[0],
                self.scale.of(&pair.module, pair.down.shape[0]),
            );
            if rank != table.rank {
                let problem = format!("its rank is {rank}, and `rank` says {}", table.rank);
                return Err(differs(problem));
            }
            if (scale / table.scale() - 1.0).abs() > 1e-6 {
                let (is, said) = (scale * rank as f64, table.alpha);
                let problem =
                    format!("it counts as much as `alpha` = {is}, and `alpha` says {said}");
                return Err(differs(problem));
            }
            let shapes = [vec![rank, target.input], vec![target.output, rank]];
            for (entry, shape) in [&pair.down, &pair.up].into_iter().zip(shapes) {
                if entry.shape != shape {
                    return Err(WeightError::Shape {
                        component: target.component.name().to_owned(),
                        path: entry.file().to_owned(),
                        key: pair.module.clone(),
                        expected: shape,
                        found: entry.shape.clone(),
                    });
                }
            }
            let [a, b] = [floats::<2>(&pair.down)?, floats(&pair.up)?]
                .map(|factor| factor.transpose().cast(dtype));
            factors.insert(target.path.clone(), [a, b]);
        }
        let modules = targets.iter().map(|target| target.module.as_str());
        match self.other(modules) {
            None => Ok(factors),
            Some(module) => Err(differs(format!(
                "it lies on `{module}` too, which `on` does not name"
            ))),
        }
    }

    /// Whether it lies on the linear layer called `module` in the original LLaVA's checkpoints.
    #[must_use]
    pub fn lies_on(&self, module: &str) -> bool {
        self.pair(module).is_some()
    }

    /// A and B of all its layers, by the names of `modules`, which must name all of them.
    pub(crate) fn stored(&self, modules: &[String]) -> Result<Vec<Stored>, WeightError> {
        if let Some(module) = self.other(modules.iter().map(String::as_str)) {
            return Err(WeightError::AdapterMisses {
                path: self.path.clone(),
                base: PathBuf::from("the model"),
                key: module.to_owned(),
            });
        }
        let mut stored = Vec::new();
        for module in modules {
            let Some(pair) = self.pair(module) else {
                continue;
            };
            for (entry, factor) in [(&pair.down, "lora_A"), (&pair.up, "lora_B")] {
                let bytes = entry.read()?;
                stored.push(Stored {
                    name: format!("{PREFIX}{module}.{factor}.weight"),
                    dtype: entry.dtype().map_err(|dtype| WeightError::Dtype {
                        path: entry.file().to_owned(),
                        key: pair.module.clone(),
                        dtype,
                    })?,
                    shape: entry.shape.clone(),
                    bytes: Box::new(move || bytes.clone()),
                });
            }
        }
        Ok(stored)
    }

    /// What lies on a layer, whatever layout's name the adapter has for it.
    fn pair(&self, module: &str) -> Option<&Pair> {
        let find = |name: &str| {
            let module = name.strip_suffix(".weight").unwrap_or(name);
            self.pairs.iter().find(|pair| pair.module == module)
        };
        find(&respell(&format!("{module}.weight"), |name| {
            find(name).is_some()
        })?)
    }

    /// A layer that it lies on and that is none of `modules`.
    fn other<'a>(&self, modules: impl Iterator<Item = &'a str>) -> Option<&str> {
        let known: Vec<&Pair> = modules.filter_map(|module| self.pair(module)).collect();
        let mut pairs = self.pairs.iter();
        let other = pairs.find(|pair| !known.iter().any(|known| std::ptr::eq(*known, *pair)))?;
        Some(&other.module)
    }

    /// The base's spelling of a name.
    fn find(&self, base: &Shards, name: &str) -> Result<String, WeightError> {
        let spelling = respell(name, |name| base.get(name).is_some());
        spelling.ok_or_else(|| WeightError::AdapterMisses {
            path: self.path.clone(),
            base: base.path().to_owned(),
            key: name.to_owned(),
        })
    }

    fn add(&mut self, name: &str, tensors: &Shards) -> Result<(), WeightError> {
        let entry = |name: &str| {
            tensors
                .get(name)
                .cloned()
                .ok_or_else(|| WeightError::Missing {
                    component: "the adapter".to_owned(),
                    path: self.path.clone(),
                    wanted: 2,
                    missing: vec![name.to_owned()],
                })
        };
        let own = name.strip_prefix(PREFIX).unwrap_or(name);
        if let Some(module) = own.strip_suffix(".lora_A.weight") {
            let up = entry(&name.replace(".lora_A.weight", ".lora_B.weight"))?;
            let down = entry(name)?;
            if down.shape.len() != 2 || up.shape.len() != 2 {
                return Err(WeightError::Format {
                    path: self.path.clone(),
                    format: Format::Adapter,
                    problem: format!(
                        "`{name}` and its partner have shapes {:?} and {:?}; they are matrices",
                        down.shape, up.shape
                    ),
                });
            }
            self.pairs.push(Pair {
                module: module.to_owned(),
                down,
                up,
            });
        } else if own.ends_with(".lora_B.weight") {
            entry(&name.replace(".lora_B.weight", ".lora_A.weight"))?;
        } else if own.contains("lora_") {
            return Err(WeightError::Format {
                path: self.path.clone(),
                format: Format::Adapter,
                problem: format!("it has `{name}`; read are `lora_A`, `lora_B` and whole weights"),
            });
        } else {
            // PEFT's `modules_to_save`.
            let whole = own.replace(".modules_to_save.default", "");
            self.whole.push((whole, entry(name)?));
        }
        Ok(())
    }
}

/// How strongly the pairs count: `alpha / rank`, or `alpha / sqrt(rank)` (rsLoRA, arXiv 2312.03732).
#[derive(Debug)]
struct Scale {
    alpha: f64,
    by_root: bool,
    /// `alpha_pattern`: modules with an alpha of their own.
    own: Vec<(String, f64)>,
}

impl Scale {
    fn read(path: &Path) -> Result<Self, WeightError> {
        let invalid = |problem: String| WeightError::Format {
            path: path.to_owned(),
            format: Format::Adapter,
            problem,
        };
        let config = crate::folder::read_json(path).map_err(|error| invalid(error.to_string()))?;
        let kind = config.get("peft_type").and_then(Value::as_str);
        if kind.is_some_and(|kind| kind != "LORA") {
            let problem = format!("`peft_type` is {}; `LORA` is read", config["peft_type"]);
            return Err(invalid(problem));
        }
        for key in ["use_dora", "fan_in_fan_out", "use_qalora"] {
            if config.get(key).and_then(Value::as_bool) == Some(true) {
                return Err(invalid(format!("`{key}` is true, which is not read here")));
            }
        }
        if let Some(bias) = config.get("bias").and_then(Value::as_str)
            && bias != "none"
        {
            return Err(invalid(format!("`bias` is `{bias}`; only `none` is read")));
        }
        let number = |key: &str| config.get(key).and_then(Value::as_f64);
        let alpha =
            number("lora_alpha").ok_or_else(|| invalid("`lora_alpha` is missing".to_owned()))?;
        let patterns = config.get("alpha_pattern").and_then(Value::as_object);
        let mut own = Vec::new();
        for (module, alpha) in patterns.into_iter().flatten() {
            let is_name = |c: char| c.is_ascii_alphanumeric() || "._".contains(c);
            let alpha = alpha.as_f64().filter(|_| module.chars().all(is_name));
            let alpha = alpha.ok_or_else(|| {
                invalid(format!(
                    "`alpha_pattern` has `{module}`; read are names of modules with a number"
                ))
            })?;
            own.push((module.clone(), alpha));
        }
        Ok(Self {
            alpha,
            by_root: config.get("use_rslora").and_then(Value::as_bool) == Some(true),
            own,
        })
    }

    fn of(&self, module: &str, rank: usize) -> f64 {
        let ends_with = |name: &str| module == name || module.ends_with(&format!(".{name}"));
        let own = self.own.iter().find(|(name, _)| ends_with(name));
        let alpha = own.map_or(self.alpha, |(_, alpha)| *alpha);
        let rank = rank as f64;
        alpha / if self.by_root { rank.sqrt() } else { rank }
    }
}
