//! Weights in the order and the type of number in which products on a CPU read them.
//!
//! A packed weight hangs on the weight's own parameter, as an adapter does (see [`crate::lora`]): whoever
//! walks the module, through a [`Slot`](crate::slot::Slot) too, finds the same parameters, of which the packed
//! ones hold a stand-in of NaN. [`Linear`](crate::nn::Linear) and [`Embedding`](crate::nn::Embedding) compute with the
//! packed weight; a layer of a plugin's own that asks its parameter for the value gets the numbers that the
//! packed weight stands for.
//!
//! Packed weights are for use: a layer panics if its packed weight is to learn, or if somebody changed the stand-in.
//! [`unpacked`] gives a module that can learn, be changed or be written.

mod attach;
mod weight;

pub use attach::{pack, packed_paths, packed_weights, unpacked};
pub use menagerie_kernels::Format;
pub use weight::PackedWeight;

pub(crate) use attach::stand_in;
pub(crate) use weight::quantised;

#[cfg(test)]
mod tests;
