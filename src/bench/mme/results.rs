//! Answers in the form of the official `eval_tool`, which is what is handed in, and in LLaVA's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use menagerie_core::benchmark::{
    FilesError, Marked, Prediction, Submission, read_json_lines, read_text,
};

use super::key::Keys;
use super::task::Task;
use crate::bench::llava_line::{Id, Line};

/// A file a task. The official script takes the lines of a file two by two, so those of an image
/// stand together.
pub(super) fn write(answers: &[Marked<'_>]) -> Vec<Submission> {
    let mut tasks = BTreeMap::<Task, BTreeMap<&str, String>>::new();
    for answer in answers {
        let question = &answer.question;
        let Some(task) = Task::named(question.word("task")) else {
            continue;
        };
        let image = question.word("image");
        let lines = tasks.entry(task).or_default().entry(image).or_default();
        let said = on_one_line(answer.answer.text);
        let (asked, truth) = (question.text(), question.truth);
        *lines += &format!("{image}\t{asked}\t{truth}\t{said}\n");
    }
    tasks
        .into_iter()
        .map(|(task, images)| {
            let lines: String = images.into_values().collect();
            Submission::new(file(Path::new("Your_Results"), task), lines)
        })
        .collect()
}

fn file(folder: &Path, task: Task) -> PathBuf {
    folder.join(format!("{}.txt", task.name()))
}

/// Tabs and line ends would make other columns and lines of an answer.
fn on_one_line(answer: &str) -> String {
    answer.replace(['\t', '\n', '\r'], " ")
}

/// A folder with a file a task; tasks may be missing.
pub(super) fn read_folder(folder: &Path) -> Result<Vec<Prediction>, FilesError> {
    let mut keys = Keys::default();
    let mut predictions = Vec::new();
    let tasks = Task::ALL.map(|task| (task, file(folder, task)));
    let there: Vec<_> = tasks.iter().filter(|(_, path)| path.is_file()).collect();
    if there.is_empty() {
        return Err(FilesError::Missing {
            name: file(Path::new(""), Task::Existence).display().to_string(),
            paths: vec![folder.to_owned()],
        });
    }
    for (task, path) in there {
        for (number, line) in (1..).zip(read_text(path)?.lines()) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [image, question, _, answer] = fields[..] else {
                let reason = format!(
                    "a line is image, question, truth and answer with tabs between them, and this \
                     one has {} of the four",
                    fields.len()
                );
                return Err(FilesError::content(path, number, reason));
            };
            predictions.push(Prediction::new(keys.next(*task, image, question), answer));
        }
    }
    Ok(predictions)
}

/// JSON lines. LLaVA's name a question by its image, `artwork/images/10002.jpg`, and have the
/// question as `prompt`; lines without one state the id that the question has here.
pub(super) fn read_lines(path: &Path) -> Result<Vec<Prediction>, FilesError> {
    let mut keys = Keys::default();
    let lines = read_json_lines::<Line>(path)?;
    let read = lines.into_iter().map(|(number, line)| {
        let id = match (line.prompt, line.question_id) {
            (Some(prompt), Id::Text(image)) => {
                let (task, image) = image.split_once('/').unwrap_or_default();
                let task = Task::named(task).ok_or_else(|| {
                    let reason = "`question_id` is no task's folder, a slash and an image";
                    FilesError::content(path, number, reason)
                })?;
                let image = image.rsplit('/').next().unwrap_or_default();
                keys.next(task, image, &prompt)
            }
            (_, id) => id.into(),
        };
        Ok(Prediction::new(id, line.text))
    });
    read.collect()
}
