//! A pickle read as data. Nothing in it is ever called.
//!
//! Python's unpickler imports what a pickle names and calls it. This one writes down what would be
//! called, with which arguments, as a value like any other ([`Value::Call`]); what a `__reduce__`
//! asks for stays a note that nobody acts on. Whoever reads the values may know what a few names
//! mean ([`super::state_dict`]).
//!
//! Opcodes: those of protocols 2 to 5 (Python's `Lib/pickletools.py`). Values lie in one list and
//! refer to each other by number, so that neither depth nor cycles cost stack.

mod machine;

use machine::{Fault, Machine};

/// The longest pickle, in bytes. That of a 7B model's state dict has about 50 kB.
pub(in crate::weights) const MAX_LEN: usize = 32 << 20;

/// Values and items of tables and lists, together. A tensor takes about fifteen.
const MAX_VALUES: usize = 4_000_000;

/// Values on the stack, marks and memo entries, each.
const MAX_STACK: usize = 1_000_000;

/// The number of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id(u32);

#[derive(Debug)]
pub(super) enum Value<'b> {
    None,
    Bool(bool),
    Int(i64),
    /// An integer of more than 8 bytes, little-endian.
    Long(&'b [u8]),
    Float,
    Text(&'b str),
    Bytes,
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A class or a function, by name alone.
    Global {
        module: &'b str,
        name: &'b str,
    },
    /// An object that lies outside the pickle, and what is said about it.
    Persistent(Id),
    /// What Python would have called, and the items set on the result afterwards.
    Call {
        callable: Id,
        args: Id,
        items: Vec<(Id, Id)>,
    },
}

/// A whole pickle.
#[derive(Debug)]
pub(super) struct Pickle<'b> {
    values: Vec<Value<'b>>,
    /// The value that it stands for.
    pub(super) root: Id,
    /// Its length in bytes; what is pickled next begins there.
    pub(super) len: usize,
}

impl<'b> Pickle<'b> {
    /// Reads the pickle at the start of `bytes`.
    ///
    /// # Errors
    /// One that is truncated or damaged, that passes a limit, or that uses an opcode that
    /// `torch.save` never writes.
    pub(super) fn read(bytes: &'b [u8]) -> Result<Self, String> {
        let bytes = &bytes[..bytes.len().min(MAX_LEN)];
        let mut machine = Machine::new(bytes);
        loop {
            let at = machine.position();
            let step = machine.step().map_err(|problem| {
                if bytes.len() == MAX_LEN && matches!(problem, Fault::Truncated) {
                    format!("its pickle is longer than {MAX_LEN} bytes")
                } else {
                    format!("its pickle, at byte {at}: {}", problem.text())
                }
            })?;
            if let Some(root) = step {
                return Ok(Self {
                    len: machine.position(),
                    values: machine.into_values(),
                    root,
                });
            }
        }
    }

    pub(super) fn get(&self, id: Id) -> &Value<'b> {
        &self.values[id.0 as usize]
    }

    /// All values, in no order of meaning.
    pub(super) fn values(&self) -> impl Iterator<Item = &Value<'b>> {
        self.values.iter()
    }
}
