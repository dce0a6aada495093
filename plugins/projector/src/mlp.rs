//! `mlp`: the multi-layer projector of LLaVA-1.5 (arXiv 2310.03744, section 3.2).

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use menagerie_core::nn::{Activation, Linear};
use menagerie_core::{
    BuildError, Checkpoint, DecoderSpec, EncoderSpec, Projector, ProjectorConfig, ProjectorFields,
    ProjectorSpec, Publisher,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use toml::Table;

use crate::limits;
use crate::linears::{chain, linears, names};

/// `depth` linear maps with GELU (the error function's) between them; LLaVA-1.5's `mlp2x_gelu` is
/// depth 2 (arXiv 2310.03744).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MlpConfig {
    /// Linear layers, at least 1.
    #[serde(default = "default_depth")]
    pub depth: usize,
}

fn default_depth() -> usize {
    2
}

impl MlpConfig {
    fn check(&self) -> Result<(), BuildError> {
        BuildError::check_size(Self::NAME, "depth", self.depth, limits::LAYERS)
    }
}

impl ProjectorConfig for MlpConfig {
    type Projector = MlpProjector;
    const NAME: &'static str = "mlp";

    fn tiny() -> Self {
        Self { depth: 3 }
    }

    fn spec(&self, vision: &EncoderSpec, _llm: &DecoderSpec) -> Result<ProjectorSpec, BuildError> {
        self.check()?;
        Ok(ProjectorSpec {
            visual_tokens: vision.tokens,
        })
    }

    fn init(
        &self,
        vision: &EncoderSpec,
        llm: &DecoderSpec,
        device: &Device,
    ) -> Result<MlpProjector, BuildError> {
        self.check()?;
        Ok(MlpProjector {
            layers: linears(vision.feature_size, llm.hidden_size, self.depth, device),
        })
    }

    /// `mlpNx_gelu` of the original LLaVA; Hugging Face's LLaVA, which has no other projector.
    fn from_hf(config: &Value) -> Result<Option<Table>, BuildError> {
        if let Some(named) = config.get("mm_projector_type").and_then(Value::as_str) {
            let depth = named
                .strip_prefix("mlp")
                .and_then(|n| n.strip_suffix("x_gelu"));
            let depth: Option<i64> = depth.and_then(|depth| depth.parse().ok());
            return Ok(depth.map(with_depth));
        }
        // Other whole models have both parts, and another projector between them.
        let model_type = config.get("model_type").and_then(Value::as_str);
        let is_llava = model_type.is_none_or(|name| name.starts_with("llava"));
        let has = |part| config.get(part).is_some();
        if !(is_llava && has("vision_config") && has("text_config")) {
            return Ok(None);
        }
        let act = config.get("projector_hidden_act").and_then(Value::as_str);
        let unlike = match (act, config.get("multimodal_projector_bias")) {
            (Some(act), _) if act != "gelu" => format!("`projector_hidden_act` = `{act}`"),
            (_, Some(Value::Bool(false))) => "`multimodal_projector_bias` = false".to_owned(),
            _ => return Ok(Some(with_depth(2))),
        };
        let message = format!("config.json has {unlike}; this projector has `gelu` and biases");
        Err(BuildError::invalid(Self::NAME, "type", message))
    }

    fn to_hf(&self) -> ProjectorFields {
        let hf = json!({ "projector_hidden_act": "gelu", "multimodal_projector_bias": true });
        ProjectorFields {
            hf: hf.as_object().filter(|_| self.depth == 2).cloned(),
            original: Some(format!("mlp{}x_gelu", self.depth)),
        }
    }

    fn checkpoint(&self) -> Checkpoint {
        // The original's `nn.Sequential` counts the GELUs too, so its layer `n` is entry `2 n`.
        let original = names("layers", self.depth, |n| (2 * n).to_string());
        let hf = names("layers", self.depth, |n| format!("linear_{}", n + 1));
        let original = Checkpoint::with_prefixes(&[""], &original, &[]).by(Publisher::Original);
        let hf = Checkpoint::with_prefixes(&[""], &hf, &[]).by(Publisher::HuggingFace);
        original.or(hf)
    }
}

fn with_depth(depth: i64) -> Table {
    [("depth".to_owned(), depth.into())].into_iter().collect()
}

menagerie_core::register_projector!(MlpConfig);

/// `linear(gelu(linear(…)))` for every token.
#[derive(Module, Debug)]
pub struct MlpProjector {
    layers: Vec<Linear>,
}

impl Projector for MlpProjector {
    fn forward(&self, features: Tensor<3>) -> Tensor<3> {
        chain(&self.layers, features, Activation::Gelu)
    }
}
