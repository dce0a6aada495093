//! `menagerie ask`: one question, one answer.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use menagerie_core::Finish;
use menagerie_core::model::Request;

use super::device::DeviceArg;
use super::error::CliError;
use super::generation::Generation;
use super::model::UsedModel;
use super::output::{print, print_json, print_part};
use super::{interrupt, model};

/// Ask a model one question about images. The answer streams to stdout.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: UsedModel,
    /// The question.
    question: String,
    /// An image file. Repeatable: the images stand before the question in this order.
    #[arg(long = "image", value_name = "FILE")]
    images: Vec<PathBuf>,
    /// Print a JSON object with `text`, `ids` and `finish` once the answer is whole.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: DeviceArg,
    #[command(flatten)]
    generation: Generation,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let images = model::read_images(&args.images)?;
    let model = args.model.open(&args.device.device)?;
    let stop = interrupt::flag();
    let request = Request::question(&args.question, images);
    let config = args.generation.over(model.generation());
    let mut outcome = Ok(());
    let completion = model.generate(&request, &config, |text| {
        if stop.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        if args.json {
            return ControlFlow::Continue(());
        }
        match print_part(text) {
            Ok(reader) if reader.is_open() => ControlFlow::Continue(()),
            Ok(_) => ControlFlow::Break(()),
            Err(error) => {
                outcome = Err(error);
                ControlFlow::Break(())
            }
        }
    });
    let completion = completion.map_err(|error| model::request_error(error, &args.images))?;
    outcome?;
    if args.json {
        print_json(&completion)?;
    } else {
        print("\n")?;
    }
    match completion.finish {
        Finish::Cancelled if stop.load(Ordering::Relaxed) => Err(CliError::Interrupted),
        _ => Ok(()),
    }
}
