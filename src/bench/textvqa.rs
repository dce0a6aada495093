//! TextVQA.
