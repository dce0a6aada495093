//! The tensors of a state dict, out of a pickle's values: what the few names mean that
//! `torch.save` writes for a tensor.

use std::collections::HashSet;

use burn::tensor::DType;

use super::pickle::{Id, Pickle, Value};
use crate::weights::entry::MAX_TENSORS;

/// Where checkpoints of trainers keep the weights.
const NESTED: [&str; 4] = ["state_dict", "model_state_dict", "model", "module"];

/// Tables in each other, and calls around a tensor.
const MAX_DEPTH: usize = 8;

/// Axes of a tensor.
const MAX_AXES: usize = 8;

/// A tensor that is a part of a storage. Distances are in elements.
#[derive(Debug)]
pub(super) struct TensorRef<'b> {
    pub(super) storage: StorageRef<'b>,
    pub(super) element: Element,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// A storage: a run of elements outside the pickle.
#[derive(Debug, Clone, Copy)]
pub(super) struct StorageRef<'b> {
    pub(super) key: &'b str,
    /// Bytes that it has.
    pub(super) len: u64,
    /// None for an untyped storage, whose tensors say what they are.
    element: Option<Element>,
}

/// A type of number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Element {
    /// PyTorch's name.
    name: &'static str,
    /// None for one that tensors here do not have.
    dtype: Option<DType>,
    /// Bytes.
    pub(super) width: usize,
}

impl StorageRef<'_> {
    /// Bytes of an element; those of an untyped storage are bytes.
    pub(super) fn width(&self) -> u64 {
        self.element.map_or(1, |element| element.width as u64)
    }
}

impl Element {
    pub(super) fn dtype(self) -> Result<DType, String> {
        self.dtype.ok_or_else(|| self.name.to_owned())
    }

    /// All of them, each with PyTorch's class of a storage of it, which is empty where there is
    /// none.
    fn table() -> impl Iterator<Item = (&'static str, Self)> {
        let rows = [
            ("FloatStorage", "float32", Some(DType::F32), 4),
            ("HalfStorage", "float16", Some(DType::F16), 2),
            ("BFloat16Storage", "bfloat16", Some(DType::BF16), 2),
            ("DoubleStorage", "float64", Some(DType::F64), 8),
            ("LongStorage", "int64", Some(DType::I64), 8),
            ("IntStorage", "int32", Some(DType::I32), 4),
            ("ShortStorage", "int16", Some(DType::I16), 2),
            ("CharStorage", "int8", Some(DType::I8), 1),
            ("ByteStorage", "uint8", Some(DType::U8), 1),
            ("BoolStorage", "bool", None, 1),
            ("ComplexFloatStorage", "complex64", None, 8),
            ("ComplexDoubleStorage", "complex128", None, 16),
            ("", "float8_e4m3fn", None, 1),
            ("", "float8_e5m2", None, 1),
            ("", "uint16", None, 2),
            ("", "uint32", None, 4),
            ("", "uint64", None, 8),
        ];
        rows.into_iter().map(|(class, name, dtype, width)| {
            let element = Self { name, dtype, width };
            (class, element)
        })
    }
}

/// All tensors of the state dict that the pickle holds, with their names.
///
/// # Errors
/// A pickle without tensors, a tensor that is described in a way that is not known, a name that
/// stands twice.
pub(super) fn tensors<'b>(pickle: &Pickle<'b>) -> Result<Vec<(&'b str, TensorRef<'b>)>, String> {
    let reader = Reader { pickle };
    let table = reader.state_dict()?;
    let mut seen = HashSet::new();
    let mut tensors = Vec::new();
    for &(key, value) in table {
        let &Value::Text(name) = pickle.get(key) else {
            continue;
        };
        if !reader.is_tensor(value) {
            continue;
        }
        if tensors.len() == MAX_TENSORS {
            return Err(format!("it holds more than {MAX_TENSORS} tensors"));
        }
        if !seen.insert(name) {
            return Err(format!("it holds the tensor `{name}` twice"));
        }
        let tensor = reader.tensor(value, 0);
        tensors.push((
            name,
            tensor.map_err(|problem| format!("`{name}` {problem}"))?,
        ));
    }
    Ok(tensors)
}

/// Every storage that the pickle speaks of.
pub(super) fn storages<'b>(
    pickle: &Pickle<'b>,
) -> impl Iterator<Item = Result<StorageRef<'b>, String>> {
    let reader = Reader { pickle };
    pickle.values().filter_map(move |value| match value {
        Value::Persistent(id) => Some(reader.storage(*id)),
        _ => None,
    })
}

struct Reader<'p, 'b> {
    pickle: &'p Pickle<'b>,
}

impl<'p, 'b> Reader<'p, 'b> {
    fn get(&self, id: Id) -> &'p Value<'b> {
        self.pickle.get(id)
    }

    /// The name of a global.
    fn global(&self, id: Id) -> Option<(&'b str, &'b str)> {
        match *self.get(id) {
            Value::Global { module, name } => Some((module, name)),
            _ => None,
        }
    }

    /// The items of a tuple, also of one wrapped as `torch.Size`.
    fn tuple(&self, id: Id) -> Option<&'p [Id]> {
        match self.get(id) {
            Value::Tuple(items) => Some(items),
            Value::Call { callable, args, .. }
                if self.global(*callable) == Some(("torch", "Size")) =>
            {
                match self.get(*args) {
                    Value::Tuple(args) if args.len() == 1 => match self.get(args[0]) {
                        Value::Tuple(items) => Some(items),
                        _ => None,
                    },
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The items of a `dict`, or of an object that items were set on, as an `OrderedDict`.
    fn table(&self, id: Id) -> Option<&'p [(Id, Id)]> {
        match self.get(id) {
            Value::Dict(items) | Value::Call { items, .. } => Some(items),
            _ => None,
        }
    }

    /// The first table, from the outermost on, that holds a tensor.
    fn state_dict(&self) -> Result<&'p [(Id, Id)], String> {
        let mut id = self.pickle.root;
        for _ in 0..MAX_DEPTH {
            let Some(table) = self.table(id).filter(|_| !self.is_tensor(id)) else {
                break;
            };
            if table.iter().any(|&(_, value)| self.is_tensor(value)) {
                return Ok(table);
            }
            let nested = NESTED.iter().find_map(|nested| {
                let found = table
                    .iter()
                    .find(|(key, _)| matches!(self.get(*key), Value::Text(name) if name == nested));
                found.map(|&(_, value)| value)
            });
            match nested {
                Some(value) => id = value,
                None => break,
            }
        }
        let what = match self.get(id) {
            Value::Dict(_) => "a table without tensors".to_owned(),
            Value::Call { callable, .. } => match self.global(*callable) {
                _ if self.is_tensor(id) => "a lone tensor".to_owned(),
                Some((module, name)) => {
                    format!("an object that `{module}.{name}` would make, which is never called")
                }
                None => "an object of no known class".to_owned(),
            },
            _ => "no table".to_owned(),
        };
        Err(format!(
            "it holds {what}; weights are read from a table of names and tensors (`torch.save(model.state_dict(), …)`), also one under {}",
            NESTED.join(", ")
        ))
    }

    /// Whether a value is a tensor, known or not: what one of torch's `_rebuild_*` would make.
    fn is_tensor(&self, id: Id) -> bool {
        let Value::Call { callable, .. } = self.get(id) else {
            return false;
        };
        self.global(*callable).is_some_and(|(module, name)| {
            matches!(module, "torch._utils" | "torch._tensor") && name.starts_with("_rebuild")
        })
    }

    fn tensor(&self, id: Id, depth: usize) -> Result<TensorRef<'b>, String> {
        let Value::Call { callable, args, .. } = self.get(id) else {
            return Err("is no tensor inside".to_owned());
        };
        let (module, name) = self.global(*callable).unwrap_or_default();
        let Value::Tuple(args) = self.get(*args) else {
            return Err("is described without arguments".to_owned());
        };
        self.rebuilt(module, name, args, depth)
    }

    /// What the function of that name would make of `args` (`torch/_utils.py`).
    fn rebuilt(
        &self,
        module: &str,
        name: &str,
        args: &[Id],
        depth: usize,
    ) -> Result<TensorRef<'b>, String> {
        if depth == MAX_DEPTH {
            return Err("is wrapped too often".to_owned());
        }
        match (module, name, args) {
            (
                "torch._utils",
                "_rebuild_parameter" | "_rebuild_parameter_with_state",
                &[data, ..],
            ) => self.tensor(data, depth + 1),
            ("torch._tensor", "_rebuild_from_type_v2", &[function, _class, args, _state]) => {
                let (module, name) = self.global(function).unwrap_or_default();
                let args = self.tuple(args).unwrap_or_default();
                self.rebuilt(module, name, args, depth + 1)
            }
            (
                "torch._utils",
                "_rebuild_tensor" | "_rebuild_tensor_v2",
                &[storage, offset, size, stride, ref rest @ ..],
            ) => self.part(storage, [offset, size, stride], None, rest.get(2)),
            (
                "torch._utils",
                "_rebuild_tensor_v3",
                &[storage, offset, size, stride, _, _, dtype, ref rest @ ..],
            ) => {
                let element = self.global(dtype).and_then(|(module, dtype)| {
                    let mut table = Element::table();
                    table.find(|(_, element)| module == "torch" && element.name == dtype)
                });
                let (_, element) = element.ok_or("has a dtype that is not known")?;
                self.part(storage, [offset, size, stride], Some(element), rest.first())
            }
            _ => Err(format!(
                "is made by `{module}.{name}`, which is not known; save it as a plain dense tensor"
            )),
        }
    }

    /// A part of a storage. `metadata` tells of values that are yet to be negated or conjugated.
    fn part(
        &self,
        storage: Id,
        [offset, size, stride]: [Id; 3],
        element: Option<Element>,
        metadata: Option<&Id>,
    ) -> Result<TensorRef<'b>, String> {
        if metadata.is_some_and(|&id| self.table(id).is_some_and(|table| !table.is_empty())) {
            return Err(
                "is a lazy negation or conjugate; save it after `.resolve_neg()`".to_owned(),
            );
        }
        let Value::Persistent(storage) = self.get(storage) else {
            return Err("has no storage".to_owned());
        };
        let storage = self.storage(*storage)?;
        let element = element
            .or(storage.element)
            .ok_or("has an untyped storage and no dtype")?;
        let offset = self.size(offset).ok_or("has an offset that is no size")?;
        let shape = self
            .sizes(size)
            .ok_or("has a shape that is no tuple of sizes")?;
        let strides = self
            .sizes(stride)
            .ok_or("has strides that are no tuple of sizes")?;
        if shape.len() != strides.len() {
            return Err(format!("has strides {strides:?} for shape {shape:?}"));
        }
        Ok(TensorRef {
            storage,
            element,
            offset,
            shape,
            strides,
        })
    }

    fn size(&self, id: Id) -> Option<usize> {
        match *self.get(id) {
            Value::Int(size) => usize::try_from(size).ok(),
            _ => None,
        }
    }

    fn sizes(&self, id: Id) -> Option<Vec<usize>> {
        let items = self.tuple(id).filter(|items| items.len() <= MAX_AXES)?;
        items.iter().map(|&item| self.size(item)).collect()
    }

    /// `("storage", class, key, device, elements)`; files of before PyTorch 1.6 add None.
    fn storage(&self, id: Id) -> Result<StorageRef<'b>, String> {
        let unknown = || "has a storage that is described in an unknown way".to_owned();
        let (class, key, elements) = match self.tuple(id) {
            Some(&[tag, class, key, _, elements, ref view @ ..])
                if matches!(self.get(tag), Value::Text("storage"))
                    && view
                        .iter()
                        .all(|&view| matches!(self.get(view), Value::None)) =>
            {
                (class, key, elements)
            }
            _ => return Err(unknown()),
        };
        let (&Value::Text(key), Some(elements)) = (self.get(key), self.size(elements)) else {
            return Err(unknown());
        };
        let element = match self.global(class) {
            Some(("torch.storage" | "torch", "UntypedStorage")) => None,
            Some(("torch", class)) if !class.is_empty() => {
                let known = Element::table().find(|(known, _)| *known == class);
                let (_, element) =
                    known.ok_or_else(|| format!("has a `torch.{class}`, which is not known"))?;
                Some(element)
            }
            _ => return Err(unknown()),
        };
        let width = element.map_or(1, |element| element.width);
        let len = (elements as u64).checked_mul(width as u64);
        Ok(StorageRef {
            key,
            len: len.ok_or("has a storage larger than any file")?,
            element,
        })
    }
}
