//! `menagerie export`: a model in the layout that another tool expects.

use std::path::PathBuf;

use menagerie_core::Component;
use menagerie_core::burn::tensor::Device;
use menagerie_core::export::{ExportLayout, ExportOptions, export};

use super::error::CliError;
use super::model::{DtypeArg, Found, ModelArgs};
use super::output::print;

/// Write a model in the layout that another tool expects, as a new folder.
///
/// The folder appears whole or not at all. Its path is printed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// The folder written. It must not exist, or be empty.
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// The layout.
    #[arg(long, value_enum)]
    layout: LayoutArg,
    /// Write one component alone.
    #[arg(long, value_enum)]
    component: Option<ComponentArg>,
    /// The type of number of the weights; `q8` and `q4` with `--layout gguf`. Default: the model's.
    #[arg(long, value_enum, value_name = "TYPE", visible_alias = "quantize")]
    dtype: Option<DtypeArg>,
    /// What the original layout's `mm_vision_tower` names, for example
    /// `openai/clip-vit-large-patch14-336`; the tower is not written then. Default: the tower's
    /// folder inside OUT.
    #[arg(long, value_name = "NAME")]
    tower: Option<String>,
    /// The most bytes of one shard; burnpack is one file, and gguf one a component.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    max_shard_bytes: Option<u64>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum LayoutArg {
    /// Hugging Face's `LlavaForConditionalGeneration`.
    Hf,
    /// The original LLaVA's.
    Original,
    /// The decoder's LoRA adapter alone, as PEFT and the original LLaVA read it over its base.
    Adapter,
    /// Burn's own file format, with a `model.toml`: takes every model.
    Burnpack,
    /// GGUF, a file for each component, with a `model.toml`: the decoder as llama.cpp reads it, and the one
    /// layout for `q8` and `q4`.
    Gguf,
}

impl LayoutArg {
    const fn layout(self) -> ExportLayout {
        match self {
            Self::Hf => ExportLayout::Hf,
            Self::Original => ExportLayout::Original,
            Self::Adapter => ExportLayout::Adapter,
            Self::Burnpack => ExportLayout::Burnpack,
            Self::Gguf => ExportLayout::Gguf,
        }
    }
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ComponentArg {
    Vision,
    Projector,
    Llm,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let layout = args.layout.layout();
    let dtype = args.dtype.map(DtypeArg::dtype);
    let keeps_blocks = layout == ExportLayout::Gguf;
    if let Some(dtype) = dtype.filter(|dtype| dtype.is_quantised() && !keeps_blocks) {
        return Err(CliError::QuantisedLayout { layout, dtype });
    }
    let found = args.model.find(dtype)?;
    if let (Found::Checkpoint(_), LayoutArg::Adapter) = (&found, args.layout) {
        return Err(CliError::AdapterOfCheckpoint);
    }
    let model = if keeps_blocks {
        found.assemble(&Device::flex())?
    } else {
        found.assemble_to_write(&Device::flex())?
    };
    let mut options = ExportOptions::default();
    options.component = args.component.map(|component| match component {
        ComponentArg::Vision => Component::Vision,
        ComponentArg::Projector => Component::Projector,
        ComponentArg::Llm => Component::Llm,
    });
    options.dtype = dtype.map(Into::into);
    options.tower.clone_from(&args.tower);
    options.max_shard_bytes = args
        .max_shard_bytes
        .map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
    export(found.recipe(), &model, layout, &options, &args.out)?;
    print(&format!("{}\n", args.out.display()))
}
