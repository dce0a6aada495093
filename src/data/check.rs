//! All that is wrong with data, found before a run.

use std::collections::HashMap;
use std::path::PathBuf;

use menagerie_core::image::{self, ImageError};
use menagerie_core::recipe::DataSource;
use rayon::iter::{IntoParallelIterator, IntoParallelRefIterator, ParallelIterator};
use serde::Serialize;

use super::batch::SampleEncoder;
use super::dataset::Dataset;
use super::error::{DataError, Fault, SampleError};
use super::sample::ImageRef;
use super::skipped::Skipped;

/// Images or texts between two reports of progress.
const AT_A_TIME: usize = 256;

/// What is asked of an image's file.
type Look = fn(&[u8]) -> Result<(), ImageError>;

/// What [`check`] found.
#[derive(Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Checked {
    /// Samples, those that are bad included.
    pub samples: usize,
    /// Images; one that several samples share counts once.
    pub images: usize,
    /// Bytes of the images, as they are encoded.
    pub image_bytes: u64,
    /// Each fault of each sample, those of a kind in the order of the data.
    pub bad: Vec<Skipped>,
    /// Samples that are cut to `max_tokens` and still teach something.
    pub overlong: Vec<Overlong>,
    /// Ids that more than one sample has.
    pub repeated_ids: Vec<String>,
    /// False if `progress` ended the check early.
    pub finished: bool,
}

/// A sample that is cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Overlong {
    /// The data file.
    pub file: PathBuf,
    /// The sample's id.
    pub id: String,
    /// Its tokens before the cut, images at their full length.
    pub tokens: usize,
}

/// How far a check is.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct CheckProgress {
    /// `images` or `texts`.
    pub what: &'static str,
    /// So many of them are done,
    pub done: usize,
    /// of so many.
    pub total: usize,
    /// Bytes of the images that were read.
    pub bytes: u64,
}

/// Reads and decodes every image and encodes every text of a data source, in parallel, and lists
/// all that is wrong. A `quick` check does not decode: it looks at each image's header and end, which
/// misses damage in between. `progress` hears how far it is and says whether to go on.
///
/// # Errors
/// What is no fault of the data: no file is named, no image folder is, or the template does not fit
/// the tokenizer.
pub fn check(
    source: &DataSource,
    encoder: &SampleEncoder,
    quick: bool,
    progress: &mut dyn FnMut(CheckProgress) -> bool,
) -> Result<Checked, DataError> {
    let (dataset, broken) = Dataset::gather(std::slice::from_ref(source), true)?;
    let mut checked = Checked {
        samples: dataset.len() + dataset.left_out().len(),
        repeated_ids: repeated_ids(&dataset),
        ..Checked::default()
    };
    let files = broken.into_iter();
    checked
        .bad
        .extend(files.map(|(path, error)| Skipped::file(path, &error)));
    checked.bad.extend_from_slice(dataset.left_out());
    checked.finished =
        checked.texts(&dataset, encoder, progress)? && checked.images(&dataset, quick, progress)?;
    Ok(checked)
}

/// As [`check`], of questions that a benchmark read, whose texts it has seen to: their images.
///
/// # Errors
/// As [`check`].
pub fn check_questions(
    dataset: &Dataset,
    quick: bool,
    progress: &mut dyn FnMut(CheckProgress) -> bool,
) -> Result<Checked, DataError> {
    let mut checked = Checked {
        samples: dataset.len(),
        ..Checked::default()
    };
    checked.finished = checked.images(dataset, quick, progress)?;
    Ok(checked)
}

impl Checked {
    fn texts(
        &mut self,
        dataset: &Dataset,
        encoder: &SampleEncoder,
        progress: &mut dyn FnMut(CheckProgress) -> bool,
    ) -> Result<bool, DataError> {
        let total = dataset.len();
        for begin in (0..total).step_by(AT_A_TIME) {
            let end = total.min(begin + AT_A_TIME);
            let indices = (begin..end).into_par_iter();
            let lengths: Vec<_> = indices
                .map(|index| encoder.length(dataset, index))
                .collect();
            for (index, length) in (begin..end).zip(lengths) {
                match length {
                    Ok(tokens) if tokens > encoder.max_tokens => self.overlong.push(Overlong {
                        file: dataset.file_of(index),
                        id: dataset.sample(index).id.clone(),
                        tokens,
                    }),
                    Ok(_) => {}
                    // Its turn comes below.
                    Err(error) if error.fault().is_some_and(Fault::is_of_image) => {}
                    Err(error) => self.bad.push(dataset.fault(index, error)?),
                }
            }
            let report = CheckProgress {
                what: "texts",
                done: end,
                total,
                bytes: 0,
            };
            if !progress(report) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn images(
        &mut self,
        dataset: &Dataset,
        quick: bool,
        progress: &mut dyn FnMut(CheckProgress) -> bool,
    ) -> Result<bool, DataError> {
        let look = if quick { image::skim } else { image::check };
        let shown = Shown::of(dataset);
        let total = shown.images.len();
        for part in shown.images.chunks(AT_A_TIME) {
            let results: Vec<_> = part
                .par_iter()
                .map(|image| look_at(dataset, image, look))
                .collect();
            for (image, result) in part.iter().zip(results) {
                let error = match result {
                    Ok(bytes) => {
                        self.image_bytes += bytes as u64;
                        continue;
                    }
                    Err(error) => error,
                };
                let mut samples = shown.samples[image].iter();
                let first = samples.next().copied().unwrap_or_default();
                let fault = dataset.fault(first, dataset.error(dataset.sample(first), error))?;
                let others = samples.map(|&index| Skipped {
                    file: dataset.file_of(index),
                    id: dataset.sample(index).id.clone(),
                    ..fault.clone()
                });
                let others: Vec<Skipped> = others.collect();
                self.bad.push(fault);
                self.bad.extend(others);
            }
            self.images += part.len();
            let report = CheckProgress {
                what: "images",
                done: self.images,
                total,
                bytes: self.image_bytes,
            };
            if !progress(report) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The images of a data set, each once, in the order of the data.
struct Shown<'d> {
    images: Vec<&'d ImageRef>,
    /// The samples that show each.
    samples: HashMap<&'d ImageRef, Vec<usize>>,
}

impl<'d> Shown<'d> {
    fn of(dataset: &'d Dataset) -> Self {
        let mut shown = Self {
            images: Vec::new(),
            samples: HashMap::new(),
        };
        for (index, sample) in dataset.samples().iter().enumerate() {
            for image in &sample.images {
                let samples = shown.samples.entry(image).or_default();
                if samples.is_empty() {
                    shown.images.push(image);
                }
                // A sample may show an image twice.
                if samples.last() != Some(&index) {
                    samples.push(index);
                }
            }
        }
        shown
    }
}

/// Reads an image and looks whether it is one; its bytes as it is encoded.
fn look_at(dataset: &Dataset, reference: &ImageRef, look: Look) -> Result<usize, SampleError> {
    let file = dataset.image(reference)?;
    look(&file).map_err(|source| SampleError::Image {
        name: reference.name().to_owned(),
        source,
    })?;
    Ok(file.len())
}

fn repeated_ids(dataset: &Dataset) -> Vec<String> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut repeated = Vec::new();
    for sample in dataset.samples() {
        let count = counts.entry(&sample.id).or_default();
        *count += 1;
        if *count == 2 {
            repeated.push(sample.id.clone());
        }
    }
    repeated
}
