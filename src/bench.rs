//! Published benchmarks, and the folder in which a model's answers to one are kept, judged and scored.
//!
//! ```text
//! OUT/run.json        what is asked of whom
//! OUT/answers.jsonl   what the model says, added batch by batch
//! OUT/timings.jsonl   how long each batch took
//! OUT/reviews.jsonl   what the judge says, added reply by reply
//! OUT/marks.jsonl     how good each answer is
//! OUT/score.json      all figures, and what they are of
//! OUT/submission/     the files that the benchmark's authors take
//! ```
//!
//! [`run`] fills it, and goes on where it stopped; [`score`] does so with answers that others made;
//! [`table`] compares such folders.

mod about;
mod answers;
pub mod bootstrap;
mod error;
mod exam;
mod files;
mod folder;
mod gqa;
mod id;
mod judge;
mod llava_bench;
mod llava_line;
mod mmbench;
mod mme;
mod pope;
mod predictions;
mod run;
pub mod scienceqa;
mod score;
mod short_answer;
pub mod table;
#[cfg(test)]
mod testing;
mod textvqa;
mod vqa;

pub use about::{
    About, BenchmarkAbout, Candidate, GenerationAbout, JudgeAbout, ModelAbout, QuestionsAbout,
};
pub use error::BenchError;
pub use exam::Exam;
pub use folder::BenchFolder;
pub use gqa::Gqa;
pub use judge::{Judge, Judged};
pub use pope::Pope;
pub use predictions::Fit;
pub use run::{Unwatched, Watch, run, score};
pub use score::{Blind, Score, Took};
pub use textvqa::TextVqa;
pub use vqa::Vqa;
