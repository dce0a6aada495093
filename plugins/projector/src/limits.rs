//! The most that options may ask for: what no published projector comes near, and still fits into
//! a machine.

use menagerie_core::BuildError;

/// Layers of any kind.
pub(crate) const LAYERS: usize = 100;
/// Learned queries.
pub(crate) const QUERIES: usize = 4096;
/// Features of a token inside a projector.
pub(crate) const WIDTH: usize = 16_384;
/// Features inside a transformer block's MLP.
pub(crate) const MLP_WIDTH: usize = 65_536;

/// Checks options of `plugin`: `(key, value, most)`, each at least 1.
///
/// # Errors
/// The first that is out of range.
pub(crate) fn check(
    plugin: &str,
    options: impl IntoIterator<Item = (&'static str, usize, usize)>,
) -> Result<(), BuildError> {
    options
        .into_iter()
        .try_for_each(|(key, value, most)| BuildError::check_size(plugin, key, value, most))
}
