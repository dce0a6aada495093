//! What a frozen encoder makes of images, kept on disk: each image is encoded once, for every epoch,
//! stage and run that shows it to the same encoder.
//!
//! ```text
//! FOLDER/KEY/about.json      what the features follow from, which KEY is the hash of
//! FOLDER/KEY/3f/9c01….squares  those of one image, by the hash of its file
//! ```
//!
//! An image is known by the bytes of its file, so that one whose features are there is neither decoded
//! nor resized, wherever it lies. Every image has a file of its own: it appears whole, by a rename, so
//! any number of processes may read and write at once without a lock; it is read in one piece by the
//! threads that prepare batches; and one that is damaged costs its own image and nothing else. A pack of
//! many images would spare a file system that is slow with small files, at the price of all three.
//!
//! The encoder sees every square alone, so that its features follow from it and the encoder, and not
//! from the batch that it happened to be in.

mod entry;
mod identity;
mod preparation;

pub use identity::EncoderIdentity;
#[cfg(feature = "bench")]
pub(crate) use identity::weights;
pub(crate) use preparation::{Known, Preparation};

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use burn::tensor::{DType, Tensor, TensorData};
use menagerie_core::hex::hex;
use menagerie_core::image::{self, ImageError, ImageProcessor, Layout, Squares};
use menagerie_core::weights::PARTIAL;
use menagerie_core::{Features, Model};
use sha2::{Digest, Sha256};

use entry::Shape;

/// After this time an unfinished file is one that a killed process left.
const STALE: Duration = Duration::from_hours(1);
/// The name of the square that is all of the mean colour. No hash is as short.
const BLANK: &str = "blank";

/// The features of images that one encoder sees, prepared in one way.
#[derive(Debug)]
pub struct FeatureCache {
    folder: PathBuf,
    processor: ImageProcessor,
    /// Of the features of one square.
    shape: Shape,
    dtype: DType,
    found: AtomicUsize,
    computed: AtomicUsize,
    trouble: Mutex<Option<String>>,
}

/// How many images were asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// Those whose features were there.
    pub found: usize,
    /// Those that the encoder had to see.
    pub computed: usize,
}

impl Asked {
    /// Those after `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            found: self.found - before.found,
            computed: self.computed - before.computed,
        }
    }
}

impl FeatureCache {
    /// Opens the features of images that `encoder` sees as `processor` prepares them; makes their place
    /// in `folder` if there is none.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn open(
        folder: &Path,
        encoder: &EncoderIdentity,
        processor: ImageProcessor,
    ) -> io::Result<Self> {
        let about = encoder.with(&processor);
        let name = hex(&Sha256::digest(&about));
        let folder = folder.join(&name[..32]);
        fs::create_dir_all(&folder)?;
        tidy(&folder);
        let file = folder.join("about.json");
        if !file.is_file() {
            entry::write_whole(&folder, &file, &[about.as_bytes()])?;
        }
        Ok(Self {
            folder,
            processor,
            shape: encoder.shape(),
            dtype: encoder.dtype(),
            found: AtomicUsize::new(0),
            computed: AtomicUsize::new(0),
            trouble: Mutex::new(None),
        })
    }

    /// Where they lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How many images were asked for so far.
    pub fn asked(&self) -> Asked {
        Asked {
            found: self.found.load(Ordering::Relaxed),
            computed: self.computed.load(Ordering::Relaxed),
        }
    }

    /// Why features could not be kept, if that happened; told once.
    pub fn trouble(&self) -> Option<String> {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.take()
    }

    /// Looks an image's file up. Where its features are not known, it is decoded and prepared.
    pub(crate) fn look(&self, file: &[u8]) -> Result<(Squares, Known), ImageError> {
        let name = hex(&Sha256::digest(file));
        let layout = if self.processor.resize.is_several() {
            image::size(file).map(|size| self.processor.layout(size))
        } else {
            Ok(Layout::Square)
        };
        // One whose size cannot be read has no features, and the decoder says what is wrong with it.
        if let Ok(layout) = layout
            && let Some(features) = self.read(&name, layout.squares())
        {
            let squares = Squares {
                pixels: Vec::new(),
                layouts: vec![layout],
            };
            return Ok((squares, Known::Features(features)));
        }
        Ok((self.processor.process(file)?, Known::Missing(name)))
    }

    /// The features of images on the model's device. `squares` holds the pixels of those that are not
    /// known. `None` if there is no image.
    pub(crate) fn features(
        &self,
        model: &Model,
        squares: &Squares,
        known: Vec<Known>,
    ) -> Option<Features> {
        let mut bytes = Vec::new();
        let mut pixels = squares.pixels.as_slice();
        for (layout, known) in squares.layouts.iter().zip(known) {
            let name = match known {
                Known::Features(features) => {
                    self.found.fetch_add(1, Ordering::Relaxed);
                    bytes.extend(features);
                    continue;
                }
                Known::Missing(name) => name,
            };
            let count = layout.squares();
            let own;
            (own, pixels) = pixels.split_at(count * self.processor.values());
            bytes.extend(self.seen(model, &name, own, count));
        }
        self.tensor(model, bytes, squares.layouts.clone())
    }

    /// The features of as many images in the mean colour, alone.
    pub(crate) fn blank(&self, model: &Model, layouts: Vec<Layout>) -> Option<Features> {
        let squares = layouts.iter().map(Layout::squares).sum();
        let pixels = vec![0.0; self.processor.values()];
        let one = match self.read(BLANK, 1) {
            Some(features) => features,
            None => self.encode(model, BLANK, &pixels, 1),
        };
        self.tensor(model, one.repeat(squares), layouts)
    }

    /// The features of an image that were not there when its batch was made; they may be by now.
    fn seen(&self, model: &Model, name: &str, pixels: &[f32], squares: usize) -> Vec<u8> {
        if let Some(features) = self.read(name, squares) {
            self.found.fetch_add(1, Ordering::Relaxed);
            return features;
        }
        self.computed.fetch_add(1, Ordering::Relaxed);
        self.encode(model, name, pixels, squares)
    }

    /// Encodes the squares of an image, and keeps what comes out.
    fn encode(&self, model: &Model, name: &str, pixels: &[f32], squares: usize) -> Vec<u8> {
        let device = model.device();
        let mut features = Vec::with_capacity(squares * self.square_bytes());
        for square in pixels.chunks_exact(self.processor.values()) {
            let pixels = self.processor.tensor(square.to_vec(), &device);
            let encoded = model.network().vision.forward(pixels.cast(self.dtype));
            features.extend_from_slice(encoded.cast(self.dtype).into_data().as_bytes());
        }
        let file = self.file(name);
        let kept = file.parent().map_or(Ok(()), fs::create_dir_all);
        let kept = kept.and_then(|()| {
            let head = entry::head(self.shape.of(squares), &features);
            entry::write_whole(&self.folder, &file, &[&head, &features])
        });
        if let Err(error) = kept {
            let said = format!("cannot write {}: {error}", file.display());
            let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
            trouble.get_or_insert(said);
        }
        features
    }

    /// What is there under a name, if it is whole.
    fn read(&self, name: &str, squares: usize) -> Option<Vec<u8>> {
        entry::read(&self.file(name), self.shape.of(squares))
    }

    fn file(&self, name: &str) -> PathBuf {
        let (room, rest) = name.split_at(2);
        self.folder.join(room).join(format!("{rest}.squares"))
    }

    fn square_bytes(&self) -> usize {
        self.shape.bytes()
    }

    /// `[square, token, feature]`
    fn tensor(&self, model: &Model, bytes: Vec<u8>, layouts: Vec<Layout>) -> Option<Features> {
        if layouts.is_empty() {
            return None;
        }
        let squares = bytes.len() / self.square_bytes();
        let shape = [squares, self.shape.tokens, self.shape.features];
        let data = TensorData::from_bytes_vec(bytes, shape, self.dtype);
        let squares = Tensor::from_data(data, (&model.device(), self.dtype));
        Some(Features { squares, layouts })
    }
}

/// Removes what killed processes left. What cannot be removed does no harm.
fn tidy(folder: &Path) {
    let now = SystemTime::now();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_partial = entry.file_name().to_string_lossy().starts_with(PARTIAL);
        let written = entry.metadata().and_then(|metadata| metadata.modified());
        let age = written.map(|written| now.duration_since(written).unwrap_or_default());
        if is_partial && age.is_ok_and(|age| age > STALE) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
