//! `menagerie trace`: what a model computes on the way to an answer.

use std::path::PathBuf;

use menagerie_core::model::Request;

use super::device::DeviceArg;
use super::error::CliError;
use super::model::{self, DtypeArg, ModelArgs};
use super::output::print;

/// Write what a model computes on the way to an answer, to compare it with another implementation.
///
/// The safetensors file holds `pixel_values`, `features` (the hidden state that the projector gets),
/// `projected`, `input_ids` (-200 at each image), `logits` (every position of the prompt, visual
/// tokens in place) and, with --max-new-tokens, `generated` (the greedy continuation with its end
/// token). The user's turn is the images, a line each, and the prompt. Its path is printed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// The text of the user's turn.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    prompt: String,
    /// An image file. Repeatable: the images stand before the prompt in this order.
    #[arg(long = "image", value_name = "FILE")]
    images: Vec<PathBuf>,
    /// Continue the prompt greedily by at most so many tokens.
    #[arg(long, value_name = "N")]
    max_new_tokens: Option<usize>,
    /// The file written.
    #[arg(long, value_name = "FILE.safetensors")]
    out: PathBuf,
    /// The type of number to compute in, whatever the weights are stored in.
    #[arg(long, value_enum, default_value_t = DtypeArg::F32)]
    dtype: DtypeArg,
    #[command(flatten)]
    device: DeviceArg,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    if args.model.holds(&args.out) {
        let path = args.out.clone();
        return Err(CliError::InsideModel { path });
    }
    let images = model::read_images(&args.images)?;
    let model = args.model.find(Some(args.dtype.dtype()))?;
    let model = model.assemble(&args.device.device)?;
    let request = Request::question(&args.prompt, images);
    let trace = model
        .trace(&request, args.max_new_tokens)
        .map_err(|error| model::request_error(error, &args.images))?;
    trace.save(&args.out)?;
    print(&format!("{}\n", args.out.display()))
}
