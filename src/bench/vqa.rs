//! VQA v2.
