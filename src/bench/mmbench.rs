//! MMBench.
