//! The samples of a JSON file, one at a time: the elements of an array, or the lines.

use std::io::{self, BufRead};
use std::mem::take;

/// One sample as it is written, and where it begins.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in bytes.
    pub column: usize,
    pub text: Vec<u8>,
}

/// What ends a file early.
#[derive(Debug)]
pub(super) enum Broken {
    Read(io::Error),
    Json {
        line: usize,
        column: usize,
        reason: &'static str,
    },
}

/// Splits a file into its samples, of which it holds one at a time. Only brackets, quotes and
/// commas are looked at: what is wrong within a sample shows when it is parsed, and leaves the
/// others alone.
#[derive(Debug)]
pub(super) struct Elements<R> {
    input: R,
    place: Place,
    position: Position,
}

/// Where the next byte stands.
#[derive(Debug, Clone, Copy)]
struct Position {
    line: usize,
    column: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    Lines,
    /// In the array, before its first element or after a comma.
    Array {
        first: bool,
    },
    End,
}

/// Where a scan is within an element.
#[derive(Debug, Default)]
struct Nesting {
    depth: usize,
    in_text: bool,
    escaped: bool,
}

impl<R: BufRead> Elements<R> {
    pub(super) const fn new(input: R) -> Self {
        Self {
            input,
            place: Place::Start,
            position: Position { line: 1, column: 1 },
        }
    }

    /// The next byte, not taken.
    fn peek(&mut self) -> Result<Option<u8>, Broken> {
        loop {
            match self.input.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Broken::Read(error)),
            }
        }
    }

    fn step(&mut self, byte: u8) {
        self.input.consume(1);
        self.position.pass(byte);
    }

    /// An element that begins at the next byte.
    fn begin(&self) -> Element {
        Element {
            line: self.position.line,
            column: self.position.column,
            text: Vec::new(),
        }
    }

    /// Passes over white space to the next byte, not taken.
    fn next_byte(&mut self) -> Result<Option<u8>, Broken> {
        while let Some(byte) = self.peek()? {
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.step(byte);
        }
        Ok(None)
    }

    fn broken(&self, reason: &'static str) -> Broken {
        Broken::Json {
            line: self.position.line,
            column: self.position.column,
            reason,
        }
    }

    fn advance(&mut self) -> Result<Option<Element>, Broken> {
        if self.place == Place::Start {
            self.place = match self.next_byte()? {
                None => Place::End,
                Some(b'[') => {
                    self.step(b'[');
                    Place::Array { first: true }
                }
                Some(_) => Place::Lines,
            };
        }
        match self.place {
            Place::Lines => self.line(),
            Place::Array { first } => self.element(first),
            Place::Start | Place::End => Ok(None),
        }
    }

    fn line(&mut self) -> Result<Option<Element>, Broken> {
        if self.next_byte()?.is_none() {
            return Ok(None);
        }
        let mut element = self.begin();
        let read = self.input.read_until(b'\n', &mut element.text);
        read.map_err(Broken::Read)?;
        self.position.pass(b'\n');
        Ok(Some(element))
    }

    fn element(&mut self, first: bool) -> Result<Option<Element>, Broken> {
        match self.next_byte()? {
            None => return Err(self.broken("the file ends inside its array of samples")),
            Some(b']') if first => return self.end(),
            Some(b']') => return Err(self.broken("trailing comma")),
            Some(_) => {}
        }
        let mut element = self.begin();
        let mut nesting = Nesting::default();
        loop {
            let bytes = match self.input.fill_buf() {
                Ok([]) => return Err(self.broken("the file ends inside a sample")),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Broken::Read(error)),
            };
            let end = bytes.iter().position(|&byte| nesting.ends_before(byte));
            let taken = end.unwrap_or(bytes.len());
            element.text.extend_from_slice(&bytes[..taken]);
            for &byte in &bytes[..taken] {
                self.position.pass(byte);
            }
            let after = bytes.get(taken).copied();
            self.input.consume(taken);
            match after {
                None => {}
                Some(b',') => {
                    self.step(b',');
                    self.place = Place::Array { first: false };
                    return Ok(Some(element));
                }
                Some(_) => return self.end().map(|_| Some(element)),
            }
        }
    }

    /// Takes the bracket that closes the array; nothing may follow.
    fn end(&mut self) -> Result<Option<Element>, Broken> {
        self.step(b']');
        self.place = Place::End;
        match self.next_byte()? {
            None => Ok(None),
            Some(_) => Err(self.broken("trailing characters")),
        }
    }
}

impl Position {
    fn pass(&mut self, byte: u8) {
        if byte == b'\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
    }
}

impl Nesting {
    /// Whether the element ends before `byte`.
    fn ends_before(&mut self, byte: u8) -> bool {
        if self.in_text {
            match byte {
                _ if take(&mut self.escaped) => {}
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' if self.depth > 0 => self.depth -= 1,
            b',' | b']' => return self.depth == 0,
            _ => {}
        }
        false
    }
}

impl<R: BufRead> Iterator for Elements<R> {
    type Item = Result<Element, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance();
        if next.is_err() {
            self.place = Place::End;
        }
        next.transpose()
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// Read a few bytes at a time, so that every boundary falls somewhere.
    fn split(text: &str, capacity: usize) -> Result<Vec<(usize, usize, String)>, String> {
        let input = BufReader::with_capacity(capacity, text.as_bytes());
        let elements = Elements::new(input).map(|element| match element {
            Ok(Element { line, column, text }) => {
                Ok((line, column, String::from_utf8(text).expect("text")))
            }
            Err(Broken::Json {
                line,
                column,
                reason,
            }) => Err(format!("{line}:{column}: {reason}")),
            Err(Broken::Read(error)) => Err(error.to_string()),
        });
        elements.collect()
    }

    #[test]
    fn an_array_is_split_at_its_own_commas() {
        let text = "[ {\"a\": \"],\\\"{\", \"b\": [1, {}]},\n  7 ]\n";
        for capacity in [1, 2, 3, 5, 64] {
            assert_eq!(
                split(text, capacity).expect("well formed"),
                [
                    (1, 3, "{\"a\": \"],\\\"{\", \"b\": [1, {}]}".to_owned()),
                    (2, 3, "7 ".to_owned()),
                ]
            );
        }
        assert_eq!(split(" [ ] ", 2), Ok(vec![]));
        assert_eq!(split("", 2), Ok(vec![]));
    }

    #[test]
    fn lines_are_samples_and_empty_ones_are_not() {
        let found = split("\n{\"a\": 1}\r\n \n  {\"b\": 2}", 3).expect("well formed");
        let places: Vec<(usize, usize)> = found.iter().map(|(l, c, _)| (*l, *c)).collect();
        assert_eq!(places, [(2, 1), (4, 3)]);
    }

    #[test]
    fn what_ends_early_is_told_with_its_place() {
        assert_eq!(
            split("[{\"a\": [", 4),
            Err("1:9: the file ends inside a sample".to_owned())
        );
        assert_eq!(split("[1,\n]", 4), Err("2:1: trailing comma".to_owned()));
        assert_eq!(
            split("[1] 2", 4),
            Err("1:5: trailing characters".to_owned())
        );
        assert_eq!(
            split("[1,", 4),
            Err("1:4: the file ends inside its array of samples".to_owned())
        );
    }
}
