//! Instruction data as a user makes it: captions and boxes in, a teacher that misbehaves, LLaVA's
//! format out; and how a run goes on.
#![cfg(all(feature = "cli", unix))]

#[path = "instruct/batches.rs"]
mod batches;
#[path = "instruct/kills.rs"]
mod kills;
mod misbehave;
#[path = "instruct/output.rs"]
mod output;
#[path = "instruct/resume.rs"]
mod resume;
#[path = "instruct/teacher.rs"]
mod teacher;
#[path = "instruct/world.rs"]
mod world;
