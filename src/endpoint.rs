//! Another model, behind an OpenAI-compatible endpoint: hosted or on this machine.
