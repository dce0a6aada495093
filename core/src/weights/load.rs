//! Filling a module from files.

use std::collections::{BTreeMap, HashMap};
use std::mem::take;

use burn::module::{Module, Param, Reparameterizer};
use burn::tensor::{DType, Tensor, TensorData};
use menagerie_kernels::{Format, Packed};

use super::interleave::to_halves;
use super::transpose::transposed;
use super::{LoadReport, Shards, TensorEntry, WeightError};
use crate::checkpoint::{Checkpoint, Spelling, Storage};
use crate::newline::IMAGE_NEWLINE;
use crate::numbers::Numbers;
use crate::packed::{PackedWeight, quantised, stand_in};
use crate::parameters::{Packable, ParameterInfo, parameters};

/// Loads every parameter of `module` from `shards`, cast to `dtype`.
///
/// `component` names the module in errors.
///
/// # Errors
/// A parameter that is missing or has another shape, a tensor that nobody wants, a file that
/// cannot be read.
pub fn load<M: Module>(
    module: M,
    component: &str,
    checkpoint: &Checkpoint,
    shards: &Shards,
    dtype: DType,
) -> Result<(M, LoadReport), WeightError> {
    let target = Target {
        component,
        root: "",
        checkpoint,
        draws_newline: false,
    };
    load_into(module, target, shards, Numbers::plain(dtype), &mut |_| {})
}

/// What of a module is filled, and how.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    /// Names the module in errors.
    pub component: &'a str,
    /// Parameters whose paths begin so are filled, and no others. It is not part of their names.
    pub root: &'a str,
    /// How files name them.
    pub checkpoint: &'a Checkpoint,
    /// Whether a whole model's files may lack the vector that ends a row of an image of several
    /// squares, which is drawn then. Those of a projector alone always may.
    pub draws_newline: bool,
}

/// As [`load`], in these types of number, which may be packed; `progress` hears of each tensor how many numbers it
/// had.
///
/// # Errors
/// As [`load`].
pub(crate) fn load_into<M: Module>(
    module: M,
    target: Target<'_>,
    shards: &Shards,
    numbers: Numbers,
    progress: &mut dyn FnMut(usize),
) -> Result<(M, LoadReport), WeightError> {
    let wanted = parameters(&module).into_iter().filter_map(|info| {
        let path = info.path.strip_prefix(target.root)?.to_owned();
        Some(ParameterInfo { path, ..info })
    });
    let mut wanted: Vec<ParameterInfo> = wanted.collect();
    let spelling = best_spelling(target.checkpoint, &wanted, shards);
    let plan = Plan {
        target,
        spelling,
        shards,
    };
    let drawn: Vec<String> = wanted
        .extract_if(.., |parameter| plan.may_be_drawn(&parameter.path))
        .map(|parameter| parameter.path)
        .collect();
    let keys = plan.keys(&wanted)?;
    let (ignored, elsewhere) = plan.left_over(&keys)?;
    let packable = wanted
        .iter()
        .filter_map(|info| Some((info.path.clone(), info.packable?)))
        .collect();
    let mut filler = Filler {
        plan,
        numbers,
        packable,
        spare: Vec::new(),
        progress,
        loaded: 0,
        parameters: 0,
        cast: 0,
        stored: BTreeMap::new(),
        error: None,
    };
    let module = module.apply_reparameterization(&mut filler);
    shards.check_unchanged()?;
    if let Some(error) = filler.error {
        return Err(error);
    }
    let mut files: Vec<_> = keys
        .iter()
        .filter_map(|key| shards.get(key))
        .map(|entry| entry.file().to_owned())
        .collect();
    files.sort_unstable();
    files.dedup();
    let report = LoadReport {
        path: shards.path().to_owned(),
        files,
        prefix: spelling.place(),
        found: shards.names().count(),
        loaded: filler.loaded,
        parameters: filler.parameters,
        stored: filler.stored,
        dtype: numbers.name(),
        cast: filler.cast,
        drawn,
        ignored,
        elsewhere,
    };
    Ok((module, report))
}

/// The spelling under which the files hold most of the parameters.
fn best_spelling<'c>(
    checkpoint: &'c Checkpoint,
    wanted: &[ParameterInfo],
    shards: &Shards,
) -> &'c Spelling {
    let held = |spelling: &Spelling| {
        let keys = wanted
            .iter()
            .filter_map(|parameter| spelling.key(&parameter.path));
        keys.filter(|(key, _)| shards.get(key).is_some()).count()
    };
    let mut spellings = checkpoint.spellings.iter();
    let first = spellings
        .next()
        .expect("a checkpoint states at least one spelling");
    spellings.fold(
        first,
        |best, next| if held(next) > held(best) { next } else { best },
    )
}

#[derive(Clone, Copy)]
struct Plan<'a> {
    target: Target<'a>,
    spelling: &'a Spelling,
    shards: &'a Shards,
}

impl Plan<'_> {
    fn key(&self, path: &str) -> Result<(String, Storage), WeightError> {
        self.spelling.key(path).ok_or_else(|| WeightError::Unnamed {
            component: self.target.component.to_owned(),
            parameter: path.to_owned(),
        })
    }

    /// Whether a parameter may stay as it is drawn. What was trained on images of one square comes
    /// without the vector that ends the rows of several.
    fn may_be_drawn(&self, path: &str) -> bool {
        let is_absent = |(key, _): (String, _)| self.shards.get(&key).is_none();
        let alone = || {
            self.shards
                .names()
                .all(|name| self.spelling.joint.key(name).is_some())
        };
        path == IMAGE_NEWLINE
            && self.spelling.key(path).is_some_and(is_absent)
            && (self.target.draws_newline || alone())
    }

    /// The key of every parameter, all of them present.
    fn keys(&self, wanted: &[ParameterInfo]) -> Result<Vec<String>, WeightError> {
        let keys = wanted
            .iter()
            .map(|parameter| Ok(self.key(&parameter.path)?.0));
        let keys = keys.collect::<Result<Vec<_>, WeightError>>()?;
        let absent = keys.iter().filter(|key| self.shards.get(key).is_none());
        let missing: Vec<String> = absent.cloned().collect();
        if missing.is_empty() {
            return Ok(keys);
        }
        Err(WeightError::Missing {
            component: self.target.component.to_owned(),
            path: self.shards.path().to_owned(),
            wanted: wanted.len(),
            missing,
        })
    }

    /// Sorts the tensors that no parameter takes into ignored ones and ones that lie elsewhere.
    fn left_over(&self, keys: &[String]) -> Result<(Vec<String>, Vec<String>), WeightError> {
        let taken: std::collections::HashSet<&str> = keys.iter().map(String::as_str).collect();
        let (mut ignored, mut left_over, mut elsewhere) = (Vec::new(), Vec::new(), Vec::new());
        for name in self.shards.names().filter(|name| !taken.contains(name)) {
            let Some(own) = self.spelling.joint.key(name) else {
                elsewhere.push(name.to_owned());
                continue;
            };
            let known = self.target.checkpoint.ignores(&own);
            match own.strip_prefix(self.spelling.prefix) {
                Some(key) if known || self.target.checkpoint.ignores(key) => {
                    ignored.push(name.to_owned());
                }
                Some(_) => left_over.push(name.to_owned()),
                None if known => ignored.push(name.to_owned()),
                None => elsewhere.push(name.to_owned()),
            }
        }
        if left_over.is_empty() {
            return Ok((ignored, elsewhere));
        }
        Err(WeightError::LeftOver {
            component: self.target.component.to_owned(),
            path: self.shards.path().to_owned(),
            left_over,
        })
    }

    /// The parameter at `path` as it lies in the module, for one of type `wanted`, and what the file has it in. What is
    /// transposed is read into `spare`, as [`packed`](Self::packed) does.
    fn plain(
        &self,
        path: &str,
        shape: &[usize],
        kind: Option<Packable>,
        wanted: DType,
        spare: &mut Vec<u8>,
    ) -> Result<(TensorData, &'static str), WeightError> {
        let (entry, key, storage) = self.entry(path, shape, kind)?;
        let dtype = float_of(entry, &key)?;
        let data = match entry.shape[..] {
            [rows, columns] if storage != Storage::AsIs => {
                let bytes = read(entry, &key, storage, take(spare))?;
                let data = transposed(&bytes, [rows, columns], dtype, wanted);
                *spare = bytes;
                data
            }
            _ => {
                let bytes = read(entry, &key, storage, Vec::new())?;
                TensorData::from_bytes_vec(bytes, entry.shape.clone(), dtype)
            }
        };
        Ok((data, dtype.name()))
    }

    /// The weight at `path` packed in `format`, or in that of the file's blocks, and what the file has it in. What
    /// cannot be packed while it is read is read into `spare`, which goes on to the next one: fresh memory costs more
    /// than what is done in it.
    fn packed(
        &self,
        path: &str,
        shape: &[usize],
        kind: Packable,
        format: Format,
        spare: &mut Vec<u8>,
    ) -> Result<(Packed, &'static str), WeightError> {
        let (entry, key, storage) = self.entry(path, shape, Some(kind))?;
        let lies_by_outputs = (kind == Packable::Linear) == (storage != Storage::AsIs);
        let &[rows, columns] = entry.shape.as_slice() else {
            unreachable!("what is packed is a matrix")
        };
        if lies_by_outputs && let Some(blocks) = entry.blocks(format) {
            let (bytes, count) = entry.read_blocks(blocks, take(spare))?;
            check_finite(entry, &key, count)?;
            let bytes = in_order(bytes, storage, &entry.shape);
            let packed = Packed::from_blocks(blocks.format(), rows, columns, &bytes)
                .expect("whole blocks, as many as the shape has");
            *spare = bytes;
            return Ok((packed, blocks.format().name()));
        }
        if lies_by_outputs && !matches!(storage, Storage::Interleaved { .. }) {
            let dtype = float_of(entry, &key)?;
            if let Some((packed, count)) = entry.packed_rows(dtype, format)? {
                check_finite(entry, &key, count)?;
                return Ok((packed, dtype.name()));
            }
        }
        let dtype = float_of(entry, &key)?;
        let bytes = read(entry, &key, storage, take(spare))?;
        let data = TensorData::from_bytes_vec(bytes, entry.shape.clone(), dtype);
        let packed = quantised(format, &data, lies_by_outputs);
        *spare = data.into_bytes().try_into_vec().unwrap_or_default();
        Ok((packed, dtype.name()))
    }

    /// Where the parameter at `path` lies, under which name, and how.
    fn entry(
        &self,
        path: &str,
        shape: &[usize],
        kind: Option<Packable>,
    ) -> Result<(&TensorEntry, String, Storage), WeightError> {
        let (key, storage) = self.key(path)?;
        let entry = self
            .shards
            .get(&key)
            .expect("every key was looked up before");
        let storage = match kind {
            Some(kind) if entry.is_quantised() => self.spelling.of_blocks(storage, kind),
            _ => storage,
        };
        let stored: Vec<usize> = match storage {
            Storage::AsIs => shape.to_vec(),
            Storage::Transposed | Storage::Interleaved { .. } => {
                shape.iter().rev().copied().collect()
            }
        };
        if entry.shape != stored {
            return Err(WeightError::Shape {
                component: self.target.component.to_owned(),
                path: entry.file().to_owned(),
                key,
                expected: stored,
                found: entry.shape.clone(),
            });
        }
        Ok((entry, key, storage))
    }
}

/// The bytes of a tensor of floats as the file has them, rows of linear layers in the module's order, in `spare` if they
/// fit there.
fn read(
    entry: &TensorEntry,
    key: &str,
    storage: Storage,
    spare: Vec<u8>,
) -> Result<Vec<u8>, WeightError> {
    let (bytes, count) = entry.read_counted(float_of(entry, key)?, spare)?;
    check_finite(entry, key, count)?;
    Ok(in_order(bytes, storage, &entry.shape))
}

/// The type of a tensor's numbers, which are floats.
fn float_of(entry: &TensorEntry, key: &str) -> Result<DType, WeightError> {
    let not_float = |dtype| WeightError::Dtype {
        path: entry.file().to_owned(),
        key: key.to_owned(),
        dtype,
    };
    let dtype = entry.dtype().map_err(not_float)?;
    if dtype.is_float() {
        Ok(dtype)
    } else {
        Err(not_float(dtype.name().to_owned()))
    }
}

fn check_finite(entry: &TensorEntry, key: &str, count: usize) -> Result<(), WeightError> {
    if count == 0 {
        return Ok(());
    }
    Err(WeightError::NotFinite {
        path: entry.file().to_owned(),
        key: key.to_owned(),
        count,
    })
}

/// The rows of a stored tensor in the module's order.
fn in_order(bytes: Vec<u8>, storage: Storage, shape: &[usize]) -> Vec<u8> {
    match storage {
        Storage::Interleaved { heads } => to_halves(&bytes, shape[0], heads),
        Storage::AsIs | Storage::Transposed => bytes,
    }
}

struct Filler<'a> {
    plan: Plan<'a>,
    numbers: Numbers,
    packable: HashMap<String, Packable>,
    /// Memory that weights are read into before they are packed or transposed.
    spare: Vec<u8>,
    progress: &'a mut dyn FnMut(usize),
    loaded: usize,
    parameters: usize,
    cast: usize,
    stored: BTreeMap<&'static str, usize>,
    error: Option<WeightError>,
}

impl Filler<'_> {
    /// Counts a tensor of so many numbers that a file has in one type and the module in another.
    fn count(&mut self, numbers: usize, from: &'static str, to: &str) {
        self.loaded += 1;
        self.parameters += numbers;
        *self.stored.entry(from).or_default() += 1;
        self.cast += usize::from(from != to);
        (self.progress)(numbers);
    }

    fn fill<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> Result<(Param<Tensor<D>>, Option<PackedWeight>), WeightError> {
        let shape = param.lazy_shape();
        let kind = self.packable.get(path).copied();
        if let (Some(kind), Some(format)) = (kind, self.numbers.packs()) {
            let spare = &mut self.spare;
            let packed = self
                .plan
                .packed(path, shape.as_slice(), kind, format, spare);
            let (packed, from) = packed?;
            self.count(shape.num_elements(), from, packed.format().name());
            let param = stand_in(param, self.numbers.weights);
            return Ok((param, Some(PackedWeight::new(packed, kind))));
        }
        let dtype = self.numbers.of(kind);
        let spare = &mut self.spare;
        let (data, from) = self
            .plan
            .plain(path, shape.as_slice(), kind, dtype, spare)?;
        self.count(shape.num_elements(), from, dtype.name());
        let tensor = Tensor::from_data(data, (&param.lazy_device(), dtype));
        let id = param.id;
        Ok((param.transform_for_load(tensor, id), None))
    }
}

impl Reparameterizer for &mut Filler<'_> {
    type Reparam = PackedWeight;

    fn reparameterize<const D: usize>(
        &mut self,
        path: &str,
        param: Param<Tensor<D>>,
    ) -> (Param<Tensor<D>>, Option<PackedWeight>) {
        let Some(path) = path.strip_prefix(self.plan.target.root) else {
            return (param, None);
        };
        if self.error.is_some() || self.plan.may_be_drawn(path) {
            return (param, None);
        }
        let before = param.clone();
        match self.fill(path, param) {
            Ok(filled) => filled,
            Err(error) => {
                self.error = Some(error);
                (before, None)
            }
        }
    }
}
