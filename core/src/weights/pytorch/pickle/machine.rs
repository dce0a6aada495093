//! The stack machine that a pickle is a program for.

use std::collections::HashMap;

use super::{Id, MAX_STACK, MAX_VALUES, Value};
use crate::weights::cursor::Cursor;

// Values that take no memory of their own, however often they are pushed.
const NONE: Id = Id(0);
const FALSE: Id = Id(1);
const TRUE: Id = Id(2);
const EMPTY_TUPLE: Id = Id(3);

/// Why a pickle cannot be read.
pub(super) enum Fault {
    Truncated,
    /// More than is on the stack.
    Underflow,
    Damaged(&'static str),
    Opcode(u8),
    Limit,
}

impl Fault {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Truncated => "it ends too early".to_owned(),
            Self::Underflow => "it takes more values than it has put".to_owned(),
            Self::Damaged(what) => (*what).to_owned(),
            Self::Opcode(opcode) => {
                format!("opcode {opcode:#04x} is none that torch.save writes")
            }
            Self::Limit => "it makes more values than any state dict".to_owned(),
        }
    }
}

pub(super) struct Machine<'b> {
    cursor: Cursor<'b>,
    values: Vec<Value<'b>>,
    /// Items of tables and lists.
    items: usize,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'b> Machine<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self {
            cursor: Cursor::new(bytes),
            values: vec![
                Value::None,
                Value::Bool(false),
                Value::Bool(true),
                Value::Tuple(Vec::new()),
            ],
            items: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> usize {
        self.cursor.position()
    }

    pub(super) fn into_values(self) -> Vec<Value<'b>> {
        self.values
    }

    /// Does one opcode. The last one gives the whole pickle's value.
    #[expect(clippy::too_many_lines, reason = "a table of opcodes")]
    pub(super) fn step(&mut self) -> Result<Option<Id>, Fault> {
        match self.u8()? {
            // PROTO
            0x80 => {
                let protocol = self.u8()?;
                if !(2..=5).contains(&protocol) {
                    return Err(Fault::Damaged("its protocol is none of 2 to 5"));
                }
            }
            // FRAME: a length, of use to readers of streams alone.
            0x95 => {
                self.take(8)?;
            }
            // STOP
            b'.' => return self.pop().map(Some),

            // NONE, NEWFALSE, NEWTRUE, EMPTY_TUPLE
            b'N' => self.push(NONE)?,
            0x89 => self.push(FALSE)?,
            0x88 => self.push(TRUE)?,
            b')' => self.push(EMPTY_TUPLE)?,

            // BININT1, BININT2, BININT, LONG1, LONG4
            b'K' => {
                let int = self.u8()?;
                self.put(Value::Int(int.into()))?;
            }
            b'M' => {
                let int = self.cursor.u16().ok_or(Fault::Truncated)?;
                self.put(Value::Int(int.into()))?;
            }
            b'J' => {
                let int = self.u32()?.cast_signed();
                self.put(Value::Int(int.into()))?;
            }
            0x8a => {
                let len = self.u8()?;
                self.put_long(len.into())?;
            }
            0x8b => {
                let len = self.u32()?;
                self.put_long(len.into())?;
            }
            // BINFLOAT
            b'G' => {
                self.take(8)?;
                self.put(Value::Float)?;
            }

            // SHORT_BINUNICODE, BINUNICODE, BINUNICODE8; SHORT_BINSTRING, BINSTRING of Python 2
            0x8c | b'U' => {
                let len = self.u8()?;
                self.put_text(len.into())?;
            }
            b'X' | b'T' => {
                let len = self.u32()?;
                self.put_text(len.into())?;
            }
            0x8d => {
                let len = self.u64()?;
                self.put_text(len)?;
            }
            // SHORT_BINBYTES, BINBYTES, BINBYTES8, BYTEARRAY8
            b'C' => {
                let len = self.u8()?;
                self.put_bytes(len.into())?;
            }
            b'B' => {
                let len = self.u32()?;
                self.put_bytes(len.into())?;
            }
            0x8e | 0x96 => {
                let len = self.u64()?;
                self.put_bytes(len)?;
            }

            // TUPLE1, TUPLE2, TUPLE3, TUPLE
            count @ 0x85..=0x87 => {
                let height = self.stack.len().checked_sub(usize::from(count - 0x84));
                let items = self.above(height.ok_or(Fault::Underflow)?)?;
                self.put_tuple(items)?;
            }
            b't' => {
                let items = self.above_mark()?;
                self.put_tuple(items)?;
            }
            // EMPTY_LIST, LIST, APPEND, APPENDS; EMPTY_SET, FROZENSET, ADDITEMS, as lists, since nobody
            // asks what is in a set.
            b']' | 0x8f => self.put(Value::List(Vec::new()))?,
            b'l' | 0x91 => {
                let items = self.above_mark()?;
                self.count(items.len())?;
                self.put(Value::List(items))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' | 0x90 => {
                let items = self.above_mark()?;
                self.append(&items)?;
            }
            // EMPTY_DICT, DICT, SETITEM, SETITEMS
            b'}' => self.put(Value::Dict(Vec::new()))?,
            b'd' => {
                let items = self.above_mark()?;
                self.put(Value::Dict(Vec::new()))?;
                self.set_items(&items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set_items(&[key, value])?;
            }
            b'u' => {
                let items = self.above_mark()?;
                self.set_items(&items)?;
            }

            // MARK, POP, POP_MARK, DUP
            b'(' => {
                if self.marks.len() == MAX_STACK {
                    return Err(Fault::Limit);
                }
                self.marks.push(self.stack.len());
            }
            b'0' => {
                self.pop()?;
            }
            b'1' => {
                self.above_mark()?;
            }
            b'2' => {
                let top = self.pop()?;
                self.push(top)?;
                self.push(top)?;
            }
            // BINPUT, LONG_BINPUT, MEMOIZE
            b'q' => {
                let key = self.u8()?;
                self.memoise(key.into())?;
            }
            b'r' => {
                let key = self.u32()?;
                self.memoise(key)?;
            }
            0x94 => {
                let key = u32::try_from(self.memo.len()).map_err(|_| Fault::Limit)?;
                self.memoise(key)?;
            }
            // BINGET, LONG_BINGET
            b'h' => {
                let key = self.u8()?;
                self.recall(key.into())?;
            }
            b'j' => {
                let key = self.u32()?;
                self.recall(key)?;
            }

            // GLOBAL, STACK_GLOBAL
            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                self.put(Value::Global { module, name })?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (&Value::Text(module), &Value::Text(name)) = (self.get(module), self.get(name))
                else {
                    return Err(Fault::Damaged("a global's name is no text"));
                };
                self.put(Value::Global { module, name })?;
            }
            // BINPERSID
            b'Q' => {
                let what = self.pop()?;
                self.put(Value::Persistent(what))?;
            }
            // REDUCE, NEWOBJ: written down and not done.
            b'R' | 0x81 => {
                let (args, callable) = (self.pop()?, self.pop()?);
                self.put_call(callable, args)?;
            }
            // NEWOBJ_EX
            0x92 => {
                let (_keywords, args, callable) = (self.pop()?, self.pop()?, self.pop()?);
                self.put_call(callable, args)?;
            }
            // BUILD: an object's attributes, which no tensor is among.
            b'b' => {
                self.pop()?;
                self.top()?;
            }
            opcode => return Err(Fault::Opcode(opcode)),
        }
        Ok(None)
    }

    fn u8(&mut self) -> Result<u8, Fault> {
        self.cursor.u8().ok_or(Fault::Truncated)
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        self.cursor.u32().ok_or(Fault::Truncated)
    }

    fn u64(&mut self) -> Result<u64, Fault> {
        self.cursor.u64().ok_or(Fault::Truncated)
    }

    fn take(&mut self, len: u64) -> Result<&'b [u8], Fault> {
        let len = usize::try_from(len).map_err(|_| Fault::Truncated)?;
        self.cursor.take(len).ok_or(Fault::Truncated)
    }

    fn line(&mut self) -> Result<&'b str, Fault> {
        let line = self.cursor.line().ok_or(Fault::Truncated)?;
        str::from_utf8(line).map_err(|_| Fault::Damaged("a name is not UTF-8"))
    }

    fn get(&self, id: Id) -> &Value<'b> {
        &self.values[id.0 as usize]
    }

    fn push(&mut self, id: Id) -> Result<(), Fault> {
        if self.stack.len() == MAX_STACK {
            return Err(Fault::Limit);
        }
        self.stack.push(id);
        Ok(())
    }

    /// Counts items against the limit.
    fn count(&mut self, items: usize) -> Result<(), Fault> {
        self.items += items;
        if self.items + self.values.len() > MAX_VALUES {
            return Err(Fault::Limit);
        }
        Ok(())
    }

    /// Makes a value and pushes it.
    fn put(&mut self, value: Value<'b>) -> Result<(), Fault> {
        self.count(1)?;
        let id = Id(u32::try_from(self.values.len()).map_err(|_| Fault::Limit)?);
        self.values.push(value);
        self.push(id)
    }

    fn put_long(&mut self, len: u64) -> Result<(), Fault> {
        let bytes = self.take(len)?;
        if bytes.len() > 8 {
            return self.put(Value::Long(bytes));
        }
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut padded = [if negative { 0xff } else { 0 }; 8];
        padded[..bytes.len()].copy_from_slice(bytes);
        self.put(Value::Int(i64::from_le_bytes(padded)))
    }

    fn put_text(&mut self, len: u64) -> Result<(), Fault> {
        // Python allows lone surrogates in text and encodes them all the same: no name has one.
        let value = str::from_utf8(self.take(len)?).map_or(Value::Bytes, Value::Text);
        self.put(value)
    }

    fn put_bytes(&mut self, len: u64) -> Result<(), Fault> {
        self.take(len)?;
        self.put(Value::Bytes)
    }

    fn put_tuple(&mut self, items: Vec<Id>) -> Result<(), Fault> {
        self.count(items.len())?;
        self.put(Value::Tuple(items))
    }

    fn put_call(&mut self, callable: Id, args: Id) -> Result<(), Fault> {
        self.put(Value::Call {
            callable,
            args,
            items: Vec::new(),
        })
    }

    fn top(&self) -> Result<Id, Fault> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let top = self.stack.get(floor..).and_then(<[Id]>::last);
        top.copied().ok_or(Fault::Underflow)
    }

    fn pop(&mut self) -> Result<Id, Fault> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn above_mark(&mut self) -> Result<Vec<Id>, Fault> {
        let mark = self.marks.pop().ok_or(Fault::Underflow)?;
        Ok(self.stack.drain(mark..).collect())
    }

    fn above(&mut self, height: usize) -> Result<Vec<Id>, Fault> {
        if self.marks.last().is_some_and(|&mark| mark > height) {
            return Err(Fault::Underflow);
        }
        Ok(self.stack.drain(height..).collect())
    }

    fn append(&mut self, items: &[Id]) -> Result<(), Fault> {
        self.count(items.len())?;
        let list = self.top()?;
        match &mut self.values[list.0 as usize] {
            Value::List(list) => list.extend_from_slice(items),
            // A list of a kind of its own, which no tensor is in.
            Value::Call { .. } => {}
            _ => return Err(Fault::Damaged("it appends to what is no list")),
        }
        Ok(())
    }

    /// Sets `items`, keys and values in turn, on the table on top of the stack.
    fn set_items(&mut self, items: &[Id]) -> Result<(), Fault> {
        self.count(items.len())?;
        let table = self.top()?;
        let (pairs, rest) = items.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(Fault::Damaged("a key has no value"));
        }
        match &mut self.values[table.0 as usize] {
            Value::Dict(table) | Value::Call { items: table, .. } => {
                table.extend(pairs.iter().map(|&[key, value]| (key, value)));
                Ok(())
            }
            _ => Err(Fault::Damaged("it sets an item of what is no table")),
        }
    }

    fn memoise(&mut self, key: u32) -> Result<(), Fault> {
        let top = self.top()?;
        if self.memo.len() == MAX_STACK {
            return Err(Fault::Limit);
        }
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<(), Fault> {
        let id = self.memo.get(&key);
        let id = *id.ok_or(Fault::Damaged("it recalls what it never kept"))?;
        self.push(id)
    }
}
