//! A conversation as text.

use std::ops::Range;

/// A conversation as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rendered {
    /// The whole text.
    pub text: String,
    /// Bytes of `text` that are supervised: answers and what ends them. Ascending, disjoint.
    pub supervised: Vec<Range<usize>>,
    /// Bytes of each [`IMAGE_MARK`](super::IMAGE_MARK), ascending.
    pub images: Vec<Range<usize>>,
    /// Bytes that the turns say; the others are the template's own. Ascending, disjoint. `None` if
    /// the template rewrites what is said, so that nobody can tell.
    pub typed: Option<Vec<Range<usize>>>,
}

impl Rendered {
    /// Whether a token of these bytes stands for an image; it may take a space beside it along.
    #[must_use]
    pub fn is_image(&self, bytes: &Range<usize>) -> bool {
        let covers = |image: &Range<usize>| bytes.start <= image.start && image.end <= bytes.end;
        self.images.iter().any(covers)
    }

    /// The same with `before` and `after` around every image, as the template's own text.
    ///
    /// The original LLaVA writes its images so where `mm_use_im_start_end` is set.
    #[must_use]
    pub fn wrap_images(&self, before: &str, after: &str) -> Self {
        let mut text = String::new();
        let mut images = Vec::new();
        let mut start = 0;
        for image in &self.images {
            text.push_str(&self.text[start..image.start]);
            text.push_str(before);
            let place = text.len();
            text.push_str(&self.text[image.clone()]);
            images.push(place..text.len());
            text.push_str(after);
            start = image.end;
        }
        text.push_str(&self.text[start..]);
        // A boundary right before an image stays before `before`, one right after it goes after
        // `after`.
        let moved = |place: usize| {
            let begun = self.images.iter().filter(|image| image.start < place);
            let ended = self.images.iter().filter(|image| image.end <= place);
            place + begun.count() * before.len() + ended.count() * after.len()
        };
        let span = |range: &Range<usize>| moved(range.start)..moved(range.end);
        // What is put around an image inside a turn is nothing the turn said.
        let without_wraps = |range: Range<usize>| {
            let mut parts = Vec::new();
            let mut start = range.start;
            let inside =
                |image: &&Range<usize>| range.start <= image.start && image.end <= range.end;
            for image in images.iter().filter(inside) {
                parts.push(start..image.start - before.len());
                parts.push(image.clone());
                start = image.end + after.len();
            }
            parts.push(start..range.end);
            parts.retain(|part| !part.is_empty());
            parts
        };
        Self {
            supervised: self.supervised.iter().map(span).collect(),
            typed: self
                .typed
                .as_ref()
                .map(|typed| typed.iter().map(span).flat_map(without_wraps).collect()),
            text,
            images,
        }
    }
}

/// Where `pattern` stands in `text`.
pub(super) fn places(text: &str, pattern: &str) -> Vec<Range<usize>> {
    text.match_indices(pattern)
        .map(|(at, found)| at..at + found.len())
        .collect()
}
