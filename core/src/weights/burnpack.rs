//! Burnpack, Burn's own files, read by Burn's own reader.

use std::path::Path;
use std::sync::Arc;

use burn_pack::Reader;

use super::entry::{Source, TensorEntry, Tensors};
use super::input::{Format, Problem};

/// The first bytes of a file.
pub(super) const MAGIC: [u8; 4] = burn_pack::MAGIC_NUMBER.to_le_bytes();

/// The tensors of a file, which the reader checks against its length.
pub(super) fn read(file: &Arc<Path>) -> Result<Tensors, Problem> {
    let invalid = |error: burn_pack::Error| Problem::Invalid(error.to_string());
    let reader = Reader::from_file_exact(file).map_err(invalid)?;
    let tensors = reader.into_tensors().map_err(invalid)?;
    let entry = |tensor: burn_pack::Tensor| {
        let name = tensor.name.clone();
        let entry = TensorEntry {
            file: Arc::clone(file),
            shape: tensor.shape.to_vec(),
            dtype: Ok(tensor.dtype),
            format: Format::Burnpack,
            source: Source::Packed(Arc::new(tensor)),
        };
        (name, entry)
    };
    Ok(tensors.into_iter().map(entry).collect())
}
