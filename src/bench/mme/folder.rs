//! `MME_Benchmark_release_version`: a folder a task, a text file an image.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use menagerie_core::benchmark::{Files, FilesError, Item, ItemImage, read_text};
use menagerie_core::chat::IMAGE_MARK;

use super::key::{Keys, stem};
use super::task::Task;

/// The questions of some tasks.
pub(super) fn read(files: &Files<'_>, tasks: &[Task]) -> Result<Vec<Item>, FilesError> {
    let mut keys = Keys::default();
    let mut items = Vec::new();
    for &task in tasks {
        let folder = folder(files, task)?;
        let images = files
            .images
            .map_or_else(|| folder.clone(), |root| root.join(task.name()));
        let images = Images::of(part(images, "images"));
        for (name, path) in listed(&part(folder, "questions_answers_YN"))? {
            let Some(image) = name.strip_suffix(".txt") else {
                continue;
            };
            files.note(&path);
            for (question, answer) in pair(&path)? {
                let file = images.file(image);
                let item = Item::new(
                    keys.next(task, &file, &question),
                    format!("{IMAGE_MARK}\n{question}"),
                );
                let item = item
                    .with_image(ItemImage::File(images.folder.join(&file)))
                    .with_truth(answer)
                    .with_field("task", task.name())
                    .with_field("image", file);
                items.push(item);
            }
        }
    }
    Ok(items)
}

/// A task's folder.
fn folder(files: &Files<'_>, task: Task) -> Result<PathBuf, FilesError> {
    let inside = files.paths.iter().map(|path| path.join(task.name()));
    let found = inside.into_iter().find(|folder| folder.is_dir());
    found.ok_or_else(|| FilesError::Missing {
        name: task.name().to_owned(),
        paths: files.paths.to_vec(),
    })
}

/// Some tasks have images and questions in folders of their own, others have both side by side.
fn part(folder: PathBuf, name: &str) -> PathBuf {
    let inside = folder.join(name);
    if inside.is_dir() { inside } else { folder }
}

/// The two questions about an image, each with its answer.
fn pair(path: &Path) -> Result<Vec<(String, String)>, FilesError> {
    let text = read_text(path)?;
    let lines = (1..).zip(text.lines());
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let read = lines.map(|(number, line)| {
        let Some((question, answer)) = line.trim_end().rsplit_once('\t') else {
            let reason = "a line is a question, a tab and its answer, and this one has no tab";
            return Err(FilesError::content(path, number, reason));
        };
        if !["yes", "no"].contains(&&*answer.to_lowercase()) {
            let reason = format!("the answer `{answer}` is neither Yes nor No");
            return Err(FilesError::content(path, number, reason));
        }
        Ok((question.trim().to_owned(), answer.to_owned()))
    });
    let pair: Vec<_> = read.collect::<Result<_, _>>()?;
    if pair.len() != 2 {
        let reason = format!(
            "an image has two questions, and this one has {}",
            pair.len()
        );
        return Err(FilesError::content(path, 1, reason));
    }
    Ok(pair)
}

/// What is in a folder: names and paths, sorted.
fn listed(folder: &Path) -> Result<BTreeMap<String, PathBuf>, FilesError> {
    let error = |source| FilesError::Read {
        path: folder.to_owned(),
        source,
    };
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(error)? {
        let entry = entry.map_err(error)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        found.insert(name, entry.path());
    }
    Ok(found)
}

/// A task's images, whose files may end in `.jpg` or `.png`.
struct Images {
    folder: PathBuf,
    /// By their names without the ending.
    files: BTreeMap<String, String>,
}

impl Images {
    /// Of a folder, which need not be there: answers are scored without images.
    fn of(folder: PathBuf) -> Self {
        let names = listed(&folder).unwrap_or_default().into_keys();
        let images = names.filter(|name| {
            let ending = name.rsplit_once('.').map(|(_, ending)| ending);
            ending.is_some_and(|ending| {
                ["jpg", "jpeg", "png"]
                    .iter()
                    .any(|known| ending.eq_ignore_ascii_case(known))
            })
        });
        let files = images.map(|name| (stem(&name).to_owned(), name)).collect();
        Self { folder, files }
    }

    /// The file of the image `name`.
    fn file(&self, name: &str) -> String {
        let known = self.files.get(name);
        known.map_or_else(|| format!("{name}.jpg"), String::clone)
    }
}
