//! Rows of MMBench's tables, and questions out of them.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use menagerie_core::benchmark::{Files, FilesError, Item, ItemImage, read_text};
use menagerie_core::chat::IMAGE_MARK;
use menagerie_core::serde_json::{Map, Value};

use super::Mmbench;
use super::table::{Record, Table};

/// A question asked with its options shifted by K has the index of the unshifted one plus K times this.
pub(super) const SHIFTED: u64 = 1_000_000;

/// The field that all shifts of a question share.
pub(super) const GROUP: &str = "group";
/// The field that says by how much the options are shifted.
pub(super) const SHIFT: &str = "shift";
/// The field of the options by their letters.
pub(super) const OPTIONS: &str = "options";
/// The field of the question without its hint and options.
pub(super) const BARE: &str = "question";
/// Fields that are taken over as they are.
pub(super) const KEPT: [&str; 3] = ["category", "l2-category", "split"];

/// An image longer than this is one; a shorter one is the index of the row that has it.
const LONGEST_INDEX: usize = 64;

/// A question with its options in one order.
#[derive(Debug, Clone)]
struct Row<'t> {
    index: u64,
    letters: Vec<char>,
    texts: Vec<&'t str>,
    /// The place of the right option, if it is published.
    answer: Option<usize>,
}

pub(super) fn read(files: &Files<'_>, options: &Mmbench) -> Result<Vec<Item>, FilesError> {
    let mut items = Vec::new();
    for path in files.paths {
        let path = table(path)?;
        files.note(&path);
        let table = Table::parse(&path, &read_text(&path)?)?;
        questions(&table, options, &mut items)?;
    }
    Ok(items)
}

/// The table itself, or the only one in a folder.
fn table(path: &Path) -> Result<PathBuf, FilesError> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let entries = fs::read_dir(path).map_err(|source| FilesError::Read {
        path: path.to_owned(),
        source,
    })?;
    let tables = entries.flatten().map(|entry| entry.path());
    let tables: Vec<_> = tables
        .filter(|file| file.extension().is_some_and(|ending| ending == "tsv"))
        .collect();
    match &tables[..] {
        [only] => Ok(only.clone()),
        [] => Err(FilesError::Missing {
            name: "*.tsv".to_owned(),
            paths: vec![path.to_owned()],
        }),
        _ => Err(FilesError::content(
            path,
            "*.tsv",
            format!(
                "{} tables are in this folder; name one of them",
                tables.len()
            ),
        )),
    }
}

fn questions(table: &Table, options: &Mmbench, items: &mut Vec<Item>) -> Result<(), FilesError> {
    let letters = table.letters();
    let images = images(table)?;
    let wanted = |record: &Record<'_>| {
        let split = options.split.as_deref();
        split.is_none() || record.get("split") == split
    };
    let records = table.records().filter(wanted);
    let rows: Vec<_> = records
        .map(|record| Ok((record, row(&record, &letters)?)))
        .collect::<Result<_, FilesError>>()?;
    let shifted = rows.iter().any(|(_, row)| row.index >= SHIFTED);
    for (record, row) in &rows {
        if !options.circular && row.index >= SHIFTED {
            continue;
        }
        let shifts = if options.circular && !shifted {
            row.texts.len() as u64
        } else {
            1
        };
        for shift in 0..shifts {
            items.push(item(record, &row.shifted(shift), &images)?);
        }
    }
    Ok(())
}

fn index(record: &Record<'_>) -> Result<u64, FilesError> {
    let text = record.need("index")?;
    text.parse()
        .map_err(|_| record.error(format!("the index `{text}` is no whole number")))
}

fn row<'t>(record: &Record<'t>, letters: &[char]) -> Result<Row<'t>, FilesError> {
    let options = letters.iter().filter_map(|letter| {
        let text = record.get(letter.encode_utf8(&mut [0; 4]))?;
        Some((*letter, text))
    });
    let (letters, texts): (Vec<char>, Vec<&str>) = options.unzip();
    if letters.len() < 2 {
        return Err(record.error("a question has two options or more, and this one has fewer"));
    }
    let place = |answer: &str| {
        let place = letters
            .iter()
            .position(|letter| answer.strip_prefix(*letter) == Some(""));
        place.ok_or_else(|| record.error(format!("the answer `{answer}` is no option's letter")))
    };
    let answer = record.get("answer").map(place).transpose()?;
    Ok(Row {
        index: index(record)?,
        letters,
        texts,
        answer,
    })
}

impl Row<'_> {
    /// With its options moved to the right by `shift`, the last ones to the front, as the published
    /// tables do it.
    fn shifted(&self, shift: u64) -> Self {
        let count = self.texts.len();
        let places = usize::try_from(shift).unwrap_or_default() % count;
        let mut texts = self.texts.clone();
        texts.rotate_right(places);
        Self {
            index: self.index + shift * SHIFTED,
            letters: self.letters.clone(),
            texts,
            answer: self.answer.map(|place| (place + places) % count),
        }
    }
}

/// The shift of the round that LLaVA's `--all-rounds` numbers from 0: it moves `count` options to the
/// left. `None` if there are not as many rounds.
pub(super) fn shift_of_round(round: u64, count: usize) -> Option<u64> {
    (count as u64).checked_sub(round).filter(|shift| *shift > 0)
}

fn item(
    record: &Record<'_>,
    row: &Row<'_>,
    images: &HashMap<u64, Arc<[u8]>>,
) -> Result<Item, FilesError> {
    let group = row.index % SHIFTED;
    let question = record.need("question")?;
    let hint = record.get("hint").map(|hint| format!("{hint}\n"));
    let options = row.letters.iter().zip(&row.texts);
    let lines: String = options
        .clone()
        .map(|(letter, text)| format!("\n{letter}. {text}"))
        .collect();
    let options: Map<String, Value> = options
        .map(|(letter, text)| (letter.to_string(), Value::from(*text)))
        .collect();
    let hint = hint.unwrap_or_default();
    let item = Item::new(
        row.index.to_string(),
        format!("{IMAGE_MARK}\n{hint}{question}{lines}"),
    );
    // A row made here has the image of the row that it was made of.
    let of = index(record)?;
    let image = ItemImage::Bytes {
        name: format!("the image of row {of}"),
        bytes: Arc::clone(&images[&of]),
    };
    let truth = row.answer.map(|place| row.letters[place].to_string());
    let item = item
        .with_image(image)
        .with_truth(truth.unwrap_or_default())
        .with_field(GROUP, group.to_string())
        .with_field(SHIFT, row.index / SHIFTED)
        .with_field(BARE, question)
        .with_field(OPTIONS, options);
    let kept = KEPT
        .iter()
        .filter_map(|name| Some((*name, record.get(name)?)));
    Ok(kept.fold(item, |item, (name, value)| item.with_field(name, value)))
}

/// The image of every row; those that share one share its bytes.
fn images(table: &Table) -> Result<HashMap<u64, Arc<[u8]>>, FilesError> {
    let mut images = HashMap::new();
    let mut shared = Vec::new();
    for record in table.records() {
        let (row, image) = (index(&record)?, record.need("image")?);
        if image.len() <= LONGEST_INDEX {
            let of: u64 = image.trim().parse().map_err(|_| {
                record.error("the image is neither in base64 nor the index of a row that has it")
            })?;
            shared.push((record, row, of));
            continue;
        }
        let bytes = STANDARD
            .decode(image.trim())
            .map_err(|error| record.error(format!("the image is not in base64: {error}")))?;
        images.insert(row, bytes.into());
    }
    for (record, row, of) in shared {
        let image = images.get(&of).cloned();
        let image = image.ok_or_else(|| {
            record.error(format!("the image is row {of}'s, and no such row has one"))
        })?;
        images.insert(row, image);
    }
    Ok(images)
}
