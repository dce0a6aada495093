//! ScienceQA.
