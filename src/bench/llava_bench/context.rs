//! What the judge reads in place of an image.

use std::collections::HashMap;
use std::path::Path;

use menagerie_core::benchmark::{FilesError, read_json_lines};
use menagerie_core::one_or_many::OneOrMany;
use serde::Deserialize;
use serde_json::Number;

/// Contexts by the image's name.
pub(super) type Contexts = HashMap<String, String>;

/// A line of `context.jsonl`.
#[derive(Deserialize)]
struct Described {
    image: String,
    caption: OneOrMany<String>,
}

/// A line of `caps_boxes_coco2014_val_80.jsonl`.
#[derive(Deserialize)]
struct Annotated {
    image: String,
    captions: Vec<String>,
    instances: Vec<Instance>,
}

#[derive(Deserialize)]
struct Instance {
    category: String,
    /// Corners, as shares of the image's sides.
    bbox: [Number; 4],
}

/// Captions alone, as `eval_gpt_review_bench.py` writes them.
pub(super) fn caption(path: &Path) -> Result<Contexts, FilesError> {
    let lines = read_json_lines::<Described>(path)?.into_iter();
    let contexts =
        lines.map(|(line, Described { image, caption })| (line, image, caption.join("\n")));
    by_image(path, contexts)
}

/// Captions, an empty line and boxes, as `eval_gpt_review_visual.py` writes them.
pub(super) fn captions_and_boxes(path: &Path) -> Result<Contexts, FilesError> {
    let lines = read_json_lines::<Annotated>(path)?.into_iter();
    let contexts = lines.map(|(line, annotated)| {
        let boxes: Vec<String> = annotated.instances.iter().map(Instance::line).collect();
        let context = format!("{}\n\n{}", annotated.captions.join("\n"), boxes.join("\n"));
        (line, annotated.image, context)
    });
    by_image(path, contexts)
}

fn by_image(
    path: &Path,
    lines: impl Iterator<Item = (usize, String, String)>,
) -> Result<Contexts, FilesError> {
    let mut contexts = Contexts::new();
    for (line, image, context) in lines {
        if contexts.contains_key(&image) {
            let reason = format!("a second context of the image `{image}`");
            return Err(FilesError::content(path, line, reason));
        }
        contexts.insert(image, context);
    }
    Ok(contexts)
}

impl Instance {
    /// `donut: [0.37, 0.584, 0.504, 0.709]`
    fn line(&self) -> String {
        let corners = self.bbox.each_ref().map(python);
        format!("{}: [{}]", self.category, corners.join(", "))
    }
}

/// A number as Python prints it: the exponents of very large and very small ones have a sign and
/// two digits.
fn python(number: &Number) -> String {
    let Some(float) = number.as_f64().filter(|_| number.is_f64()) else {
        return number.to_string();
    };
    let text = format!("{float:?}");
    match text.split_once('e') {
        None => text,
        Some((digits, exponent)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(rest) => ('-', rest),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_as_python_does() {
        // `print(json.loads(text))` of Python 3.11
        for (text, printed) in [
            ("0.584", "0.584"),
            ("0", "0"),
            ("0.0", "0.0"),
            ("1.50", "1.5"),
            ("0.0001", "0.0001"),
            ("0.00006", "6e-05"),
            ("1.25e-7", "1.25e-07"),
            ("1e16", "1e+16"),
            ("123456789.0", "123456789.0"),
        ] {
            let number: Number = serde_json::from_str(text).expect("a number");
            assert_eq!(python(&number), printed);
        }
    }
}
