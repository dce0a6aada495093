//! What is known of an image: captions and boxes.

use serde::{Deserialize, Serialize};

/// An image as a model that sees none is told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// Its id, unlike all others.
    pub id: String,
    /// The name of its file.
    pub image: String,
    /// What people wrote about it, each in one line.
    pub captions: Vec<String>,
    /// Things in it.
    #[serde(default)]
    pub instances: Vec<Instance>,
}

/// A thing in an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// What it is.
    pub category: String,
    /// Left, top, right and bottom, from 0 to 1, counted from the image's top left corner.
    pub bbox: [f64; 4],
}

impl Context {
    /// The boxes as the paper writes them (Table 1), a line each:
    /// `category: [left, top, right, bottom]`, rounded to 3 decimals, without zeros at the end.
    #[must_use]
    pub fn boxes(&self) -> String {
        boxes(&self.instances)
    }
}

/// See [`Context::boxes`].
pub(super) fn boxes(instances: &[Instance]) -> String {
    let lines = instances.iter().map(|instance| {
        let [left, top, right, bottom] = instance.bbox.map(rounded);
        let category = &instance.category;
        format!("{category}: [{left:?}, {top:?}, {right:?}, {bottom:?}]")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// To 3 decimals.
pub(super) fn rounded(share: f64) -> f64 {
    (share * 1000.0).round() / 1000.0
}

/// Captions as a context has them: each in one line, none empty.
pub(super) fn captions(written: impl IntoIterator<Item = String>) -> Vec<String> {
    let lines = written.into_iter().map(|caption| {
        let words: Vec<&str> = caption.split_whitespace().collect();
        words.join(" ")
    });
    lines.filter(|caption| !caption.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first line is the paper's own spelling (Table 1).
    #[test]
    fn boxes_are_written_as_the_papers() {
        let instance = |category: &str, bbox| Instance {
            category: category.to_owned(),
            bbox,
        };
        let instances = [
            instance("person", [0.63, 0.222, 0.686, 0.516]),
            instance("hot dog", [0.0, 0.12349, 1.0, 0.1235]),
        ];
        assert_eq!(
            boxes(&instances),
            "person: [0.63, 0.222, 0.686, 0.516]\nhot dog: [0.0, 0.123, 1.0, 0.124]"
        );
        assert_eq!(boxes(&[]), "");
    }

    #[test]
    fn captions_are_lines() {
        let written = ["A  dog\nruns. ", " \n"].map(str::to_owned);
        assert_eq!(captions(written), ["A dog runs."]);
    }
}
