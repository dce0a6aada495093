//! Burn's own format: one file with the module's parameter paths, and a `model.toml` beside it.

use burn_pack::{Bytes, Tensor, Writer};

use super::text::copy_tokenizer;
use super::{Export, ExportError};
use crate::checkpoint::Spelling;
use crate::component::Component;
use crate::weights::{WeightError, write_whole};

/// The file of the weights.
const FILE: &str = "model.bpk";

impl Export<'_> {
    /// `model.bpk`, whose names are the paths of Burn's module, so that `BurnpackStore` reads it
    /// too; for a whole model also `model.toml` and the tokenizer, so that the folder is a model.
    pub(super) fn burnpack(&self, only: Option<Component>) -> Result<(), ExportError> {
        let mut tensors = Vec::new();
        for component in Component::ALL {
            if only.is_none_or(|only| only == component) {
                tensors.extend(self.stored(component, &Spelling::paths(component))?);
            }
        }
        let tensors = tensors.into_iter().map(|tensor| {
            let len = tensor.len();
            let bytes = move || Ok(Bytes::from_bytes_vec((tensor.bytes)()));
            Tensor::deferred(tensor.name, tensor.dtype, tensor.shape, None, len, bytes)
        });
        let path = self.folder.join(FILE);
        let producer = concat!("menagerie ", env!("CARGO_PKG_VERSION"));
        let pack = Writer::new(tensors.collect())
            .with_metadata("producer", producer)
            .overwrite(true)
            .auto_extension(false);
        write_whole(&path, |temporary| {
            let written = pack.write_to_file_in_place(temporary);
            written.map_err(|error| std::io::Error::other(error.to_string()))
        })
        .map_err(|source| WeightError::Io { path, source })?;
        if only.is_some() {
            return Ok(());
        }
        copy_tokenizer(self.recipe, self.model, self.folder)?;
        // It may name end tokens of its own.
        self.write_generation_config(self.model.tokenizer())?;
        let weights = |_| FILE.to_owned();
        let generation = self.model.generation();
        let recipe = self.recipe.resolve()?.for_use(weights, ".", generation);
        super::folder::write(
            &self.folder.join("model.toml"),
            recipe.to_toml()?.as_bytes(),
        )
    }
}
