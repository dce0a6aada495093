//! `c_abstractor`: the convolutional abstractor of Honeybee (arXiv 2312.06742).

mod bottleneck;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use menagerie_core::hf::HfConfig;
use menagerie_core::nn::{Activation, INITIALIZER_RANGE, Linear, normal};
use menagerie_core::{
    BuildError, Checkpoint, DecoderSpec, EncoderSpec, Projector, ProjectorConfig, ProjectorSpec,
    TensorName,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use toml::Table;

use crate::grid::Average;
use crate::limits::{self, LAYERS, QUERIES, WIDTH};
use crate::linears::{chain, names};
use bottleneck::Bottleneck;

/// Convolutions with the neighbours, averages over a smaller grid, convolutions again, then linear
/// maps with SiLU between them: the C-Abstractor of Honeybee (arXiv 2312.06742).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CAbstractorConfig {
    /// Visual tokens of an image, a square number: the grid that is left.
    #[serde(default = "default_num_queries")]
    pub num_queries: usize,
    /// Features of a token inside the blocks.
    #[serde(default = "default_hidden_size")]
    pub hidden_size: usize,
    /// Blocks before the averages, and as many after.
    #[serde(default = "default_depth")]
    pub depth: usize,
    /// Linear layers at the end, at least 1.
    #[serde(default = "default_mlp_depth")]
    pub mlp_depth: usize,
}

fn default_num_queries() -> usize {
    144
}

fn default_hidden_size() -> usize {
    1024
}

fn default_depth() -> usize {
    3
}

fn default_mlp_depth() -> usize {
    2
}

impl CAbstractorConfig {
    /// Published sizes, which differ in the tokens alone.
    fn honeybee(num_queries: usize) -> Self {
        Self {
            num_queries,
            hidden_size: default_hidden_size(),
            depth: default_depth(),
            mlp_depth: default_mlp_depth(),
        }
    }

    /// Checks the options.
    fn average(&self, vision: &EncoderSpec) -> Result<Average, BuildError> {
        limits::check(
            Self::NAME,
            [
                ("num_queries", self.num_queries, QUERIES),
                ("hidden_size", self.hidden_size, WIDTH),
                ("depth", self.depth, LAYERS),
                ("mlp_depth", self.mlp_depth, LAYERS),
            ],
        )?;
        let side = self.num_queries.isqrt();
        if side * side != self.num_queries {
            let message = format!(
                "{} is no square number; the nearest are {} and {}",
                self.num_queries,
                side * side,
                (side + 1) * (side + 1)
            );
            return Err(BuildError::invalid(Self::NAME, "num_queries", message));
        }
        Average::square(Self::NAME, "num_queries", side, vision)
    }
}

impl ProjectorConfig for CAbstractorConfig {
    type Projector = CAbstractor;
    const NAME: &'static str = "c_abstractor";

    fn tiny() -> Self {
        Self {
            num_queries: 4,
            hidden_size: 8,
            depth: 2,
            mlp_depth: 2,
        }
    }

    fn presets() -> Vec<(&'static str, Self)> {
        vec![
            ("honeybee-m144", Self::honeybee(144)),
            ("honeybee-m256", Self::honeybee(256)),
            ("honeybee-m576", Self::honeybee(576)),
        ]
    }

    fn spec(&self, vision: &EncoderSpec, _llm: &DecoderSpec) -> Result<ProjectorSpec, BuildError> {
        Ok(ProjectorSpec {
            visual_tokens: self.average(vision)?.tokens(),
        })
    }

    fn grid(&self, vision: &EncoderSpec, _llm: &DecoderSpec) -> Option<[usize; 2]> {
        self.average(vision).ok().map(Average::to)
    }

    fn init(
        &self,
        vision: &EncoderSpec,
        llm: &DecoderSpec,
        device: &Device,
    ) -> Result<CAbstractor, BuildError> {
        let average = self.average(vision)?;
        let (features, hidden) = (vision.feature_size, self.hidden_size);
        let stage = |input: usize| -> Vec<Bottleneck> {
            let inputs = std::iter::once(input).chain(std::iter::repeat(hidden));
            inputs
                .take(self.depth)
                .map(|input| Bottleneck::new(input, hidden, device))
                .collect()
        };
        let widths = std::iter::once(hidden).chain(std::iter::repeat(llm.hidden_size));
        Ok(CAbstractor {
            position_embedding: normal(INITIALIZER_RANGE)
                .init([1, vision.tokens, features], device),
            before: stage(features),
            average,
            after: stage(hidden),
            readout: widths
                .take(self.mlp_depth)
                .map(|input| Linear::new(input, llm.hidden_size, true, device))
                .collect(),
        })
    }

    /// `projector_config` of Honeybee's config.
    fn from_hf(config: &Value) -> Result<Option<Table>, BuildError> {
        const TABLE: &str = "projector_config";
        let kind = config
            .get(TABLE)
            .and_then(|table| table.get("projector_type"));
        if kind.and_then(Value::as_str) != Some("c-abs") {
            return Ok(None);
        }
        let hf = HfConfig::new(Self::NAME, config, TABLE);
        for (field, only) in [
            ("pos_emb", json!(true)),
            ("prenorm", json!(false)),
            ("num_eos_tokens", json!(0)),
        ] {
            if let Some(value) = hf.get(field).filter(|value| **value != only) {
                let allowed = format!("it is {only}");
                return Err(hf.unsupported("type", field, value, &allowed));
            }
        }
        let options = hf
            .set("num_queries", &["num_query_tokens"], 144)?
            .set("hidden_size", &["hidden_size"], 1024)?
            .set("depth", &["depth"], 3)?
            .set("mlp_depth", &["mlp_depth"], 2)?;
        Ok(Some(options.into_options()))
    }

    fn checkpoint(&self) -> Checkpoint {
        let mut tensors = vec![TensorName::as_is("position_embedding", "pos_emb")];
        // The averages are entry 1 of the `nn.Sequential`, and timm counts blocks from `b1`.
        for (path, key) in [("before", "net.0"), ("after", "net.2")] {
            for n in 0..self.depth {
                let key = format!("{key}.b{}", n + 1);
                tensors.extend(Bottleneck::names(&format!("{path}.{n}"), &key));
            }
        }
        // An `nn.Sequential` counts the SiLUs too.
        tensors.extend(names("readout", self.mlp_depth, |n| {
            format!("readout.{}", 2 * n)
        }));
        Checkpoint::with_prefixes(&["abstractor.", ""], &tensors, &[])
    }
}

menagerie_core::register_projector!(CAbstractorConfig);

/// `readout(after(average(before(x + position))))`
#[derive(Module, Debug)]
pub struct CAbstractor {
    /// `[1, rows · columns, feature]`
    position_embedding: Param<Tensor<3>>,
    before: Vec<Bottleneck>,
    #[module(skip)]
    average: Average,
    after: Vec<Bottleneck>,
    readout: Vec<Linear>,
}

impl Projector for CAbstractor {
    fn forward(&self, features: Tensor<3>) -> Tensor<3> {
        let run = |blocks: &[Bottleneck], x: Tensor<3>, grid: [usize; 2]| {
            blocks.iter().fold(x, |x, block| block.forward(x, grid))
        };
        let x = features + self.position_embedding.val();
        // [batch, rows · columns, feature] -> [batch, rows · columns, hidden]
        let x = run(&self.before, x, self.average.from());
        // -> [batch, visual_token, hidden]
        let x = run(&self.after, self.average.forward(x), self.average.to());
        chain(&self.readout, x, Activation::Silu)
    }
}

#[cfg(test)]
mod tests;
