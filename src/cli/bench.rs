//! `menagerie bench`: what a model is worth.
