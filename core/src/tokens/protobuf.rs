//! Protocol Buffers as far as a SentencePiece model needs them: the fields of a message, one after
//! another. (The wire format: <https://protobuf.dev/programming-guides/encoding>.)

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Wire<'a> {
    Number(u64),
    Float(f32),
    Bytes(&'a [u8]),
}

/// The fields of a message with their numbers; ends after an error.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) const fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn field(&mut self) -> Result<(u64, Wire<'a>), &'static str> {
        let key = self.number()?;
        let value = match key & 7 {
            0 => Wire::Number(self.number()?),
            // A double, of which a SentencePiece model has none that matters.
            1 => Wire::Bytes(self.take(8)?),
            2 => {
                let len = usize::try_from(self.number()?).map_err(|_| "a field is too long")?;
                Wire::Bytes(self.take(len)?)
            }
            5 => {
                let bytes = self.take(4)?.first_chunk().ok_or("a field is cut off")?;
                Wire::Float(f32::from_le_bytes(*bytes))
            }
            _ => return Err("a field is of no known type"),
        };
        Ok((key >> 3, value))
    }

    fn number(&mut self) -> Result<u64, &'static str> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err("a number has too many digits")
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], &'static str> {
        let parts = self.rest.split_at_checked(len);
        let (taken, rest) = parts.ok_or("a field is cut off")?;
        self.rest = rest;
        Ok(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Wire<'a>), &'static str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}
