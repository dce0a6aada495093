//! Runs that are killed, that a full or a broken disk stops, whose files are damaged, that someone
//! interrupts or resumes with something else: each goes on to the bytes of a run that nothing befell,
//! and nobody has to clean up.
//!
//! A share of the trials runs by default; all of them, for some minutes, with `MENAGERIE_FAULTS=all`.
#![cfg(all(feature = "cli", target_os = "linux"))]

#[path = "faults/changes.rs"]
mod changes;
#[path = "faults/damage.rs"]
mod damage;
#[path = "faults/kills.rs"]
mod kills;
#[path = "faults/order.rs"]
mod order;
#[path = "faults/place.rs"]
mod place;
#[path = "faults/shim.rs"]
mod shim;
#[path = "faults/signals.rs"]
mod signals;
#[path = "faults/system_calls.rs"]
mod system_calls;
mod tiny;
