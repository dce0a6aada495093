//! Instruction data from captions and boxes, written by a language model that sees no image: the
//! LLaVA paper's ([arXiv 2304.08485](https://arxiv.org/abs/2304.08485), section 3).
//!
//! A [`Source`] gives [`Context`]s: what people wrote about an image, and boxes of the things in it.
//! A [`Plan`] says which context gets which [`ResponseType`]. [`Prompts`] put it to a teacher, a model
//! behind an [`Endpoint`](crate::endpoint::Endpoint). What it replies is read strictly, and a [`Run`]
//! keeps all of it in a folder, from which it goes on after a stop, a kill or the end of a budget.
//!
//! ```no_run
//! use std::path::Path;
//! use std::sync::atomic::AtomicBool;
//!
//! use menagerie::endpoint::{Budget, Endpoint, EndpointConfig};
//! use menagerie::instruct::{Options, Project, Source};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let source = Source::Lines(vec!["contexts.jsonl".into()]);
//! let project = Project::new(Options::new(source, "vicuna-13b"))?;
//! let endpoint = Endpoint::new(EndpointConfig::new("http://localhost:8000/v1", "vicuna-13b"))?;
//! let mut run = project.open(Path::new("made"))?;
//! let stop = AtomicBool::new(false); // set by another thread, or a signal
//! run.ask(&endpoint, &Budget::default(), &stop, &mut |_| {})?;
//! println!("{} samples", run.finish()?.made.accepted.total());
//! # Ok(())
//! # }
//! ```

mod amounts;
mod ask;
mod batch;
mod coco;
mod context;
mod duplicates;
mod error;
mod estimate;
mod files;
mod folder;
mod form;
mod journal;
mod ledger;
mod manifest;
mod objects;
mod plan;
mod project;
mod prompts;
mod reject;
mod response;
pub mod review;
mod run;
mod sample;
mod shards;
mod source;
mod telltale;
mod words;

#[cfg(feature = "cli")]
pub(crate) use amounts::MOST;
pub use amounts::{Amounts, PerType};
pub use ask::{Asked, Progress};
pub use batch::BatchRead;
pub use context::{Context, Instance};
pub use error::InstructError;
pub use estimate::Estimate;
pub use manifest::{Code, Made, MadeOf, Manifest};
pub use plan::{Plan, Task};
pub use project::{Options, Project, Sampling};
pub use prompts::Prompts;
pub use reject::Reason;
pub use response::ResponseType;
pub use run::Run;
pub use sample::{Flag, Sample, Turn};
pub use source::{Contexts, Source};
