//! GQA.
