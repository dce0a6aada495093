//! Answers that other programs wrote.

use std::path::Path;

use menagerie_core::benchmark::{
    FilesError, Prediction, first_word, only_word, read_json, read_json_lines, read_text,
};
use serde_json::{Map, Value};

/// An answer in a file of them.
#[derive(Debug)]
pub(in crate::bench) struct Record {
    fields: Map<String, Value>,
    place: String,
}

impl Record {
    /// Its first field of these names that is a text or a number.
    pub(in crate::bench) fn word(&self, names: &[&str]) -> Option<String> {
        first_word(&self.fields, names)
    }

    /// The question's id.
    pub(in crate::bench) fn id(&self, path: &Path) -> Result<String, FilesError> {
        let names = ["question_id", "questionId", "id"];
        self.word(&names).ok_or_else(|| {
            let reason = format!("no text or number is called {}", names.join(" or "));
            FilesError::content(path, &self.place, reason)
        })
    }

    /// What was answered.
    pub(in crate::bench) fn answer(&self, path: &Path) -> Result<String, FilesError> {
        let answer = only_word(&self.fields, &["answer", "prediction", "text"]);
        answer.map_err(|reason| FilesError::content(path, &self.place, reason))
    }
}

/// The records of a JSON array, or one a line.
pub(in crate::bench) fn records(path: &Path) -> Result<Vec<Record>, FilesError> {
    let is_array = read_text(path)?.trim_start().starts_with('[');
    if is_array {
        let all: Vec<Map<String, Value>> = read_json(path)?;
        let record = |(number, fields)| Record {
            fields,
            place: format!("record {number}"),
        };
        return Ok((1..).zip(all).map(record).collect());
    }
    let record = |(line, fields): (usize, _)| Record {
        fields,
        place: line.to_string(),
    };
    let lines = read_json_lines(path)?;
    Ok(lines.into_iter().map(record).collect())
}

/// Answers with their ids: as LLaVA's scripts write them, as VQA's and `TextVQA`'s servers take them
/// (`question_id`, `answer`) or as GQA's does (`questionId`, `prediction`).
pub(in crate::bench) fn predictions(path: &Path) -> Result<Vec<Prediction>, FilesError> {
    let records = records(path)?;
    let prediction = |record: &Record| Ok(Prediction::new(record.id(path)?, record.answer(path)?));
    records.iter().map(prediction).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_forms_of_llava_vqa_and_gqa_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("answers");
        let read = |text: &str| {
            fs::write(&path, text).expect("a file");
            let all = predictions(&path).map_err(|error| error.to_string());
            all.map(|all| {
                all.into_iter()
                    .map(|one| (one.id, one.answer))
                    .collect::<Vec<_>>()
            })
        };
        let expected = vec![
            ("7".to_owned(), "red".to_owned()),
            ("8".to_owned(), String::new()),
        ];
        let llava = "{\"question_id\": 7, \"prompt\": \"?\", \"text\": \"red\"}\n\n{\"question_id\": \"8\", \"text\": \"\"}\n";
        assert_eq!(read(llava).as_ref(), Ok(&expected));
        let vqa =
            "[{\"question_id\": 7, \"answer\": \"red\"},\n {\"question_id\": 8, \"answer\": \"\"}]";
        assert_eq!(read(vqa).as_ref(), Ok(&expected));
        let gqa = "[{\"questionId\": \"7\", \"prediction\": \"red\"}, {\"questionId\": \"8\", \"prediction\": \"\"}]";
        assert_eq!(read(gqa).as_ref(), Ok(&expected));

        let lacking =
            read("[{\"question_id\": 7, \"answer\": \"red\"}, {\"question_id\": 8}]").unwrap_err();
        assert!(
            lacking.ends_with(
                "answers:record 2: no text or number is called answer or prediction or text"
            ),
            "{lacking}"
        );
        let broken = read("{\"question_id\": 7, \"text\": \"red\"}\n{").unwrap_err();
        assert!(broken.contains("answers:2:1: EOF"), "{broken}");
    }
}
