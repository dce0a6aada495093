//! MME.
