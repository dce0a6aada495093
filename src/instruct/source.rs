//! Where contexts come from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use menagerie_core::benchmark::{FilesError, read_json_lines};
use serde::Deserialize;

use super::coco::Coco;
use super::context::{Context, Instance, captions};
use super::error::InstructError;
use crate::data::DataFile;

/// Files with what is known of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// COCO's annotations.
    Coco {
        /// `captions_*.json`, of one split or several.
        captions: Vec<PathBuf>,
        /// `instances_*.json`. An image without boxes has captions alone.
        instances: Vec<PathBuf>,
    },
    /// A context a line: `{"id", "image", "captions", "instances": [{"category", "bbox"}]}`, boxes as
    /// shares of the image, left, top, right and bottom. Other keys are passed over.
    Lines(Vec<PathBuf>),
}

/// What was read.
#[derive(Debug)]
#[non_exhaustive]
pub struct Contexts {
    /// Images that have a caption, in the files' order; COCO's by their ids.
    pub all: Vec<Context>,
    /// Images that have none, which are left out.
    pub left_out: usize,
    /// The files.
    pub files: Vec<DataFile>,
}

/// A context as it is written.
#[derive(Debug, Deserialize)]
struct Written {
    id: String,
    image: String,
    captions: Vec<String>,
    #[serde(default)]
    instances: Vec<Instance>,
}

impl Source {
    /// Reads all contexts.
    ///
    /// # Errors
    /// A file cannot be read or is in another form, an id is there twice, or no image has a caption.
    pub fn read(&self) -> Result<Contexts, InstructError> {
        let (all, paths) = match self {
            Self::Coco {
                captions,
                instances,
            } => {
                let mut coco = Coco::default();
                for path in captions {
                    coco.add_captions(path)?;
                }
                for path in instances {
                    coco.add_instances(path)?;
                }
                let paths = captions.iter().chain(instances).collect::<Vec<_>>();
                (coco.into_contexts().collect(), paths)
            }
            Self::Lines(paths) => (lines(paths)?, paths.iter().collect()),
        };
        let total = all.len();
        let all: Vec<Context> = { all }
            .into_iter()
            .filter(|context: &Context| !context.captions.is_empty())
            .collect();
        let left_out = total - all.len();
        if all.is_empty() {
            return Err(InstructError::NoContext { left_out });
        }
        let files = paths.into_iter().map(|path| data_file(path));
        Ok(Contexts {
            all,
            left_out,
            files: files.collect::<Result<_, _>>()?,
        })
    }
}

fn data_file(path: &Path) -> Result<DataFile, InstructError> {
    DataFile::of(path).map_err(|source| InstructError::read(path, source))
}

fn lines(paths: &[PathBuf]) -> Result<Vec<Context>, FilesError> {
    let mut all = Vec::new();
    let mut seen = BTreeMap::new();
    for path in paths {
        for (line, written) in read_json_lines::<Written>(path)? {
            let wrong = |reason| FilesError::content(path, line, reason);
            if let Some((file, first)) = seen.insert(written.id.clone(), (path, line)) {
                return Err(wrong(format!(
                    "the id `{}` is there already: {}:{first}",
                    written.id,
                    file.display()
                )));
            }
            all.push(written.context().map_err(wrong)?);
        }
    }
    Ok(all)
}

impl Written {
    fn context(self) -> Result<Context, String> {
        if self.id.is_empty() || self.image.is_empty() {
            return Err("`id` and `image` must not be empty".to_owned());
        }
        for instance in &self.instances {
            let [left, top, right, bottom] = instance.bbox;
            let is_share = |value: &f64| (0.0..=1.0).contains(value);
            if !instance.bbox.iter().all(is_share) || left > right || top > bottom {
                return Err(format!(
                    "the box {:?} of `{}` is no [left, top, right, bottom] in shares of the image, \
                     from 0 to 1",
                    instance.bbox, instance.category
                ));
            }
        }
        Ok(Context {
            id: self.id,
            image: self.image,
            captions: captions(self.captions),
            instances: self.instances,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(text: &str) -> Result<Contexts, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("contexts.jsonl");
        fs::write(&path, text).expect("written");
        let read = Source::Lines(vec![path.clone()]).read();
        read.map_err(|error| {
            error
                .to_string()
                .replace(path.to_str().expect("text"), "FILE")
        })
    }

    #[test]
    fn images_without_a_caption_are_left_out_and_those_without_boxes_are_not() {
        let contexts = read(
            "{\"id\": \"1\", \"image\": \"1.jpg\", \"captions\": [\" \"], \"instances\": []}\n\n\
             {\"id\": \"2\", \"image\": \"2.jpg\", \"captions\": [\"A dog\"], \"split\": 3}\n",
        );
        let contexts = contexts.expect("well formed");
        assert_eq!(contexts.left_out, 1);
        assert_eq!(contexts.all.len(), 1);
        assert_eq!(contexts.all[0].id, "2");
        assert_eq!(contexts.all[0].boxes(), "");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let line = |id: &str, bbox: &str| {
            format!(
                "{{\"id\": \"{id}\", \"image\": \"a.jpg\", \"captions\": [\"A dog\"], \
                 \"instances\": [{{\"category\": \"dog\", \"bbox\": {bbox}}}]}}\n"
            )
        };
        let good = "[0.1, 0.2, 0.3, 0.4]";
        let said = |text: String| read(&text).map(|_| ()).expect_err("wrong");
        assert_eq!(
            said(line("1", good) + &line("2", "[10.0, 20.0, 30.0, 40.0]")),
            "FILE:2: the box [10.0, 20.0, 30.0, 40.0] of `dog` is no [left, top, right, bottom] in \
             shares of the image, from 0 to 1"
        );
        assert!(said(line("1", "[0.3, 0.2, 0.1, 0.4]")).contains("FILE:1: the box"));
        assert_eq!(
            said(line("1", good) + &line("1", good)),
            "FILE:2: the id `1` is there already: FILE:1"
        );
        assert!(said("{\"id\": \"1\"}".to_owned()).starts_with("FILE:1:11: missing field `image`"));
        assert!(said(String::new()).contains("no image of the input has a caption"));
    }
}
