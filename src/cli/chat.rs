//! `menagerie chat`: a conversation in the terminal.

use std::io::{BufRead, IsTerminal};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use menagerie_core::GenerationConfig;
use menagerie_core::chat::{IMAGE_MARK, Turn};
use menagerie_core::model::{Request, Session};

use super::device::DeviceArg;
use super::error::CliError;
use super::generation::Generation;
use super::model::UsedModel;
use super::output::print_part;
use super::{interrupt, model};

const HELP: &str = "\
/image FILE  show an image with the next question
/reset       forget the conversation
/help        this help
/quit        end";

/// Hold a conversation with a model. Lines are read from stdin, answers stream to stdout.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    model: UsedModel,
    /// An image file, shown with the first question. Repeatable.
    #[arg(long = "image", value_name = "FILE")]
    images: Vec<PathBuf>,
    #[command(flatten)]
    device: DeviceArg,
    #[command(flatten)]
    generation: Generation,
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    let images = model::read_images(&args.images)?;
    let model = args.model.open(&args.device.device)?;
    let mut chat = Chat {
        config: args.generation.over(model.generation()),
        session: model.session(),
        said: Request::default(),
        shown: images,
    };
    let talk = std::io::stdin().is_terminal();
    if talk {
        anstream::eprintln!("{HELP}");
    }
    let stdin = std::io::stdin().lock();
    let mut lines = stdin.lines();
    loop {
        if talk {
            anstream::eprint!("> ");
        }
        let Some(line) = lines.next() else { break };
        let line = line.map_err(CliError::Stdin)?;
        match line.trim().split_once(' ').unwrap_or((line.trim(), "")) {
            ("", _) => {}
            ("/quit", _) => break,
            ("/help", _) => anstream::eprintln!("{HELP}"),
            ("/reset", _) => chat.reset(),
            ("/image", path) => chat.show(Path::new(path.trim())),
            (command, _) if command.starts_with('/') => {
                anstream::eprintln!("there is no `{command}`\n{HELP}");
            }
            _ => chat.ask(line.trim())?,
        }
    }
    Ok(())
}

struct Chat<'m> {
    session: Session<'m>,
    config: GenerationConfig,
    said: Request,
    /// Images that go with the next question.
    shown: Vec<Vec<u8>>,
}

impl Chat<'_> {
    fn reset(&mut self) {
        self.said = Request::default();
        self.shown.clear();
    }

    fn show(&mut self, path: &Path) {
        match model::read_image(path) {
            Ok(image) => self.shown.push(image),
            Err(error) => error.print(),
        }
    }

    /// A question that cannot be answered is forgotten, and the conversation goes on.
    fn ask(&mut self, question: &str) -> Result<(), CliError> {
        let stop = interrupt::flag();
        let mut request = self.said.clone();
        let marks = format!("{IMAGE_MARK}\n").repeat(self.shown.len());
        request
            .turns
            .push(Turn::human(format!("{marks}{question}")));
        request.images.append(&mut self.shown);
        let answered =
            self.session
                .generate(&request, &self.config, |text| match print_part(text) {
                    Ok(reader) if reader.is_open() && !stop.load(Ordering::Relaxed) => {
                        ControlFlow::Continue(())
                    }
                    _ => ControlFlow::Break(()),
                });
        match answered {
            Ok(completion) => {
                print_part("\n")?.is_open();
                request.turns.push(Turn::assistant(completion.text));
                self.said = request;
            }
            Err(error) => CliError::from(error).print(),
        }
        if stop.load(Ordering::Relaxed) {
            return Err(CliError::Interrupted);
        }
        Ok(())
    }
}
