//! Prompts with the images that they show.

use std::sync::Arc;

use burn::tensor::Tensor;

use crate::tokens::IMAGE_TOKEN;
use crate::visual::VisualTokens;

/// The visual tokens of one image. Clones are the same image: prompts that show it, and have the same text before
/// it, share what the decoder makes of both.
#[derive(Debug, Clone)]
pub struct SeenImage(Arc<Tensor<2>>);

impl SeenImage {
    /// An image of these visual tokens, `[visual_token, hidden]`; another one than any before.
    #[must_use]
    pub fn new(tokens: Tensor<2>) -> Self {
        Self(Arc::new(tokens))
    }

    /// `[visual_token, hidden]`
    #[must_use]
    pub fn tokens(&self) -> Tensor<2> {
        self.0.as_ref().clone()
    }

    /// How many slots of a sequence it takes.
    #[must_use]
    pub fn len(&self) -> usize {
        let [tokens, _] = self.0.dims();
        tokens
    }

    /// Whether it takes none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl PartialEq for SeenImage {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl VisualTokens {
    /// Each image by itself, so that one that is kept keeps none of the others.
    #[must_use]
    pub fn each(&self) -> Vec<SeenImage> {
        let images = 0..self.counts.len();
        let image = |image| SeenImage::new(self.choose(&[image]).vectors);
        images.map(image).collect()
    }
}

/// What is to be answered.
#[derive(Debug, Clone, Default)]
pub struct Prompt {
    /// Token ids, [`IMAGE_TOKEN`] where an image is shown.
    pub ids: Vec<i64>,
    /// The images, one for each [`IMAGE_TOKEN`].
    pub images: Vec<SeenImage>,
}

impl Prompt {
    /// Prompts of these ids, which show `images` in order.
    ///
    /// # Panics
    /// There are fewer images than the prompts show.
    #[must_use]
    pub fn all(prompts: &[&[i64]], images: Option<VisualTokens>) -> Vec<Self> {
        let mut images = images
            .map_or_else(Vec::new, |images| images.each())
            .into_iter();
        let prompt = |ids: &&[i64]| {
            let marks = ids.iter().filter(|&&id| id == IMAGE_TOKEN).count();
            let images: Vec<SeenImage> = images.by_ref().take(marks).collect();
            assert_eq!(images.len(), marks, "an image for each place");
            Self {
                ids: ids.to_vec(),
                images,
            }
        };
        prompts.iter().map(prompt).collect()
    }

    /// What takes its slots, in order.
    pub(crate) fn pieces(&self) -> Vec<Piece> {
        let mut images = self.images.iter();
        let piece = |&id: &i64| match id {
            IMAGE_TOKEN => Piece::Image(images.next().expect("an image for each place").clone()),
            id => Piece::Token(id),
        };
        self.ids.iter().map(piece).collect()
    }
}

/// A part of a sequence that is never divided.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Piece {
    Token(i64),
    Image(SeenImage),
}

impl Piece {
    /// How many slots it takes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Token(_) => 1,
            Self::Image(image) => image.len(),
        }
    }
}

/// Slots of a sequence.
pub(crate) fn len(pieces: &[Piece]) -> usize {
    pieces.iter().map(Piece::len).sum()
}

/// How many pieces two sequences have in common from the beginning.
pub(crate) fn common(one: &[Piece], other: &[Piece]) -> usize {
    one.iter().zip(other).take_while(|(a, b)| a == b).count()
}
