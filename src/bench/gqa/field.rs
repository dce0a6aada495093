//! What a question's data say beside its answer, under these names.

/// The split.
pub(super) const SPLIT: &str = "split";
/// `verify`, `query`, `choose`, `logical` or `compare`.
pub(super) const STRUCTURAL: &str = "structural";
/// `obj`, `attr`, `cat`, `rel` or `global`.
pub(super) const SEMANTIC: &str = "semantic";
/// `false` for a question that is not scored, only asked for consistency.
pub(super) const BALANCED: &str = "balanced";
/// The group whose distribution of answers the question counts for.
pub(super) const GROUP: &str = "group";
/// The ids of other questions whose answers follow from the right answer to this one.
pub(super) const ENTAILED: &str = "entailed";
/// Answers that such a question can have.
pub(super) const VALID: &str = "valid";
/// Answers that such a question can have in the real world.
pub(super) const PLAUSIBLE: &str = "plausible";
