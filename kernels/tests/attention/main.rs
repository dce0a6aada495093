//! Attention against f64, and the same numbers however the work is done.

#[path = "../common/mod.rs"]
mod common;

mod backward;
mod case;
mod forward;
mod same;
