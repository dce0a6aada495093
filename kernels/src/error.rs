//! What can be wrong with weights.

use crate::packed::Format;

/// Why weights could not be packed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// Blocks of another size than the shape needs.
    #[error(
        "[{outputs}, {inputs}] in {format} takes {wanted} bytes of blocks, and these are {found}"
    )]
    Bytes {
        /// How the blocks are laid out.
        format: Format,
        /// Rows of the weight.
        outputs: usize,
        /// Columns of the weight.
        inputs: usize,
        /// What they would take.
        wanted: usize,
        /// What there is.
        found: usize,
    },
    /// Rows that do not end with a block.
    #[error("rows of {inputs} are no multiple of the {block} numbers of a block of {format}")]
    Columns {
        /// How the blocks are laid out.
        format: Format,
        /// Columns of the weight.
        inputs: usize,
        /// Numbers of a block.
        block: usize,
    },
    /// A format that floats are not turned into.
    #[error(
        "{format} is read from GGUF and not made from floats; those become f32, bf16, q8 or q4"
    )]
    ReadOnly {
        /// The format asked for.
        format: Format,
    },
}
