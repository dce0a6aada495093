//! Images as the model sees them.

use menagerie_core::image::{Layout, Squares};
use menagerie_core::{Model, SeenImage, VisualTokens};

use super::batch::Batch;
use crate::data::ImageRef;
use crate::features::FeatureCache;

/// An image that questions are about.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    image: ImageRef,
    layout: Layout,
    pub seen: SeenImage,
    /// A grey one that lies as it does, if questions are asked blind too: zero is the mean colour of the encoder's
    /// training images.
    pub blank: Option<SeenImage>,
}

/// What the model sees.
pub(super) struct Viewer<'a> {
    pub model: &'a Model,
    pub features: Option<&'a FeatureCache>,
    pub blind: bool,
    /// The images of the last batch, in its order.
    pub shown: Vec<Shown>,
}

impl Viewer<'_> {
    /// Shows the images of a batch; those of the batch before are not seen again.
    pub(super) fn show(&mut self, batch: &mut Batch) {
        let layouts = batch.squares.layouts.clone();
        let seen = self.see(batch);
        let blank = self.blank(&layouts);
        let mut new = layouts.into_iter().zip(seen).zip(blank);
        let shown = |image: &ImageRef| {
            let before = self.shown.iter().find(|shown| shown.image == *image);
            before.cloned().unwrap_or_else(|| {
                let ((layout, seen), blank) = new.next().expect("what is new has been seen");
                Shown {
                    image: image.clone(),
                    layout,
                    seen,
                    blank,
                }
            })
        };
        self.shown = batch.images.iter().map(shown).collect();
    }

    fn see(&self, batch: &mut Batch) -> Vec<SeenImage> {
        let squares = std::mem::take(&mut batch.squares);
        let seen = match self.features {
            Some(cache) => {
                let known = std::mem::take(&mut batch.known);
                let features = cache.features(self.model, &squares, known);
                features.map(|features| self.model.project(features))
            }
            None => self.model.encode_images(squares),
        };
        each(seen)
    }

    /// Grey images that lie so. There is one for each way to lie, as long as batch after batch has it.
    fn blank(&self, layouts: &[Layout]) -> Vec<Option<SeenImage>> {
        if !self.blind {
            return vec![None; layouts.len()];
        }
        let known = self
            .shown
            .iter()
            .map(|shown| (shown.layout, shown.blank.clone()));
        let mut known: Vec<(Layout, Option<SeenImage>)> = known.collect();
        let mut new: Vec<Layout> = Vec::new();
        for layout in layouts {
            if !new.contains(layout) && known.iter().all(|(other, _)| other != layout) {
                new.push(*layout);
            }
        }
        let seen = match self.features {
            _ if new.is_empty() => None,
            Some(cache) => {
                let features = cache.blank(self.model, new.clone());
                features.map(|features| self.model.project(features))
            }
            None => self.model.encode_images(self.grey(&new)),
        };
        known.extend(new.into_iter().zip(each(seen).into_iter().map(Some)));
        let blank = |layout| {
            let found = known.iter().find(|(other, _)| other == layout);
            found.expect("every way to lie has been seen").1.clone()
        };
        layouts.iter().map(blank).collect()
    }

    fn grey(&self, layouts: &[Layout]) -> Squares {
        let squares: usize = layouts.iter().map(Layout::squares).sum();
        let values = self.model.image_processor(None).values();
        Squares {
            pixels: vec![0.0; squares * values],
            layouts: layouts.to_vec(),
        }
    }
}

fn each(seen: Option<VisualTokens>) -> Vec<SeenImage> {
    seen.map_or_else(Vec::new, |seen| seen.each())
}
