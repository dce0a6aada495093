//! A sheet of Office Open XML (`.xlsx`, ECMA-376) with nothing but texts and whole numbers: a ZIP
//! archive of five small XML files, the same bytes for the same cells.

use std::borrow::Cow;
use std::io::Write;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

/// The longest text of a cell that spreadsheets read, in characters.
const LONGEST: usize = 32_767;

const CONTENT_TYPES: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#,
    r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">"#,
    r#"<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>"#,
    r#"<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>"#,
    r#"<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>"#,
    "</Types>",
);
const PACKAGE: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#,
    r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">"#,
    r#"<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/>"#,
    "</Relationships>",
);
const WORKBOOK: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#,
    r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">"#,
    r#"<sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>"#,
);
const WORKBOOK_PARTS: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#,
    r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">"#,
    r#"<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/>"#,
    "</Relationships>",
);

/// What is in a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell<'t> {
    /// A text; an empty one is an empty cell.
    Text(Cow<'t, str>),
    Number(u64),
}

impl<'t> From<&'t str> for Cell<'t> {
    fn from(text: &'t str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Cell<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

/// A workbook with one sheet.
pub(super) fn workbook(rows: &[Vec<Cell<'_>>]) -> Vec<u8> {
    let mut archive = Archive::default();
    archive.add("[Content_Types].xml", CONTENT_TYPES);
    archive.add("_rels/.rels", PACKAGE);
    archive.add("xl/workbook.xml", WORKBOOK);
    archive.add("xl/_rels/workbook.xml.rels", WORKBOOK_PARTS);
    archive.add("xl/worksheets/sheet1.xml", &sheet(rows));
    archive.close()
}

fn sheet(rows: &[Vec<Cell<'_>>]) -> String {
    let mut xml = String::from(concat!(
        r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>"#,
        r#"<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>"#,
    ));
    for (number, row) in (1..).zip(rows) {
        xml += &format!(r#"<row r="{number}">"#);
        for (column, cell) in (b'A'..=b'Z').zip(row) {
            let place = format!("{}{number}", char::from(column));
            match cell {
                Cell::Number(value) => xml += &format!(r#"<c r="{place}"><v>{value}</v></c>"#),
                Cell::Text(text) if text.is_empty() => {}
                Cell::Text(text) => {
                    xml += &format!(r#"<c r="{place}" t="inlineStr"><is><t xml:space="preserve">"#);
                    escape(text, &mut xml);
                    xml += "</t></is></c>";
                }
            }
        }
        xml += "</row>";
    }
    xml + "</sheetData></worksheet>"
}

/// What XML cannot have in it becomes a space; what is too long for a cell is cut.
fn escape(text: &str, xml: &mut String) {
    for char in text.chars().take(LONGEST) {
        match char {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '\t' | '\n' => xml.push(char),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => xml.push(' '),
            other => xml.push(other),
        }
    }
}

/// A ZIP archive of small files (PKWARE's APPNOTE 6.3), without times.
#[derive(Debug, Default)]
struct Archive {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    files: u16,
}

/// 1980-01-01, the first day that an archive can state.
const DATE: u16 = 0x21;
/// What it takes to read a deflated file: version 2.0.
const VERSION: u16 = 20;
/// Names are UTF-8.
const FLAGS: u16 = 1 << 11;
const DEFLATE: u16 = 8;

impl Archive {
    fn add(&mut self, name: &str, text: &str) {
        let mut crc = Crc::new();
        crc.update(text.as_bytes());
        let packed = deflate(text.as_bytes());
        let offset = size(self.bytes.len());
        let mut common = Vec::new();
        for value in [VERSION, FLAGS, DEFLATE, 0, DATE] {
            common.extend(value.to_le_bytes());
        }
        for value in [crc.sum(), size(packed.len()), size(text.len())] {
            common.extend(value.to_le_bytes());
        }
        let name_length = u16::try_from(name.len()).unwrap_or(u16::MAX);
        common.extend(name_length.to_le_bytes());
        common.extend([0; 2]); // No extra field.

        self.bytes.extend(b"PK\x03\x04");
        self.bytes.extend(&common);
        self.bytes.extend(name.as_bytes());
        self.bytes.extend(packed);

        self.directory.extend(b"PK\x01\x02");
        self.directory.extend(VERSION.to_le_bytes());
        self.directory.extend(&common);
        self.directory.extend([0; 10]); // No comment, the first disk, no attributes.
        self.directory.extend(offset.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.files += 1;
    }

    fn close(mut self) -> Vec<u8> {
        let (offset, length) = (size(self.bytes.len()), size(self.directory.len()));
        self.bytes.append(&mut self.directory);
        self.bytes.extend(b"PK\x05\x06");
        for value in [0, 0, self.files, self.files] {
            self.bytes.extend(value.to_le_bytes());
        }
        for value in [length, offset] {
            self.bytes.extend(value.to_le_bytes());
        }
        self.bytes.extend([0; 2]); // No comment.
        self.bytes
    }
}

/// A length as archives without extensions state it.
fn size(length: usize) -> u32 {
    u32::try_from(length).expect("answers of less than 4 GiB")
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.expect("memory takes all that is written")
}
