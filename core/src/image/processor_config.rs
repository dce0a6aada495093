//! Hugging Face's `preprocessor_config.json` and `processor_config.json`: how a folder wants its
//! images prepared.

use serde_json::{Map, Value, json};
use thiserror::Error;

use super::{Filter, ImageProcessor, MAX_SQUARES, Resize, Tiles, default_pinpoints};

/// An image processor that cannot be reproduced.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ProcessorConfigError {
    /// The text is not a JSON object.
    #[error("not a JSON object: {0}")]
    Json(String),
    /// A key has a value that is not supported.
    #[error("`{key}` is {value}; {allowed}")]
    Unsupported {
        /// The key.
        key: &'static str,
        /// Its value, `absent` where there is none.
        value: String,
        /// What is supported.
        allowed: &'static str,
    },
}

/// The processors that are known. Their files may leave out what is the default.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Clip,
    Llava,
    LlavaNext,
    Siglip,
    /// Tiles; transformers' `InternVL` has it.
    GotOcr2,
}

/// Mean and deviation of each channel where a file says none (`OPENAI_CLIP_MEAN` and
/// `IMAGENET_STANDARD_MEAN` of transformers).
const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const CLIP_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];
const SIGLIP_MEAN: [f32; 3] = [0.5; 3];

/// Of a `LlavaNextImageProcessor` that states none, whatever its size.
const DEFAULT_PINPOINTS: [[usize; 2]; 5] =
    [[336, 672], [672, 336], [672, 672], [1008, 336], [336, 1008]];

/// Resolutions as a config lists them; nothing if it is no such list.
pub(crate) fn pinpoints(value: &Value) -> Option<Vec<[usize; 2]>> {
    let pair = |pair: &Value| {
        let [first, second] = pair.as_array()?.as_slice() else {
            return None;
        };
        let number = |side: &Value| usize::try_from(side.as_u64()?).ok();
        Some([number(first)?, number(second)?])
    };
    value.as_array()?.iter().map(pair).collect()
}

impl ImageProcessor {
    /// Reads a `preprocessor_config.json`, or a `processor_config.json` that has one inside as
    /// `image_processor`, of CLIP, LLaVA, LLaVA-NeXT, `SigLIP` or `InternVL`. What a file leaves out is as in transformers; a
    /// file that names no processor is taken for CLIP's. Keys that change no pixel are passed over.
    ///
    /// `do_convert_rgb` is passed over as well: images are RGB here.
    ///
    /// # Errors
    /// Not a JSON object, or a setting that cannot be reproduced; the error names the key.
    pub fn from_hf(text: &str) -> Result<Self, ProcessorConfigError> {
        let json: Value = serde_json::from_str(text)
            .map_err(|error| ProcessorConfigError::Json(error.to_string()))?;
        let json = json.get("image_processor").unwrap_or(&json);
        let object = json
            .as_object()
            .ok_or_else(|| ProcessorConfigError::Json(brief(json)))?;
        Config(object).processor()
    }

    /// The `preprocessor_config.json` that transformers reads as this processor. It has no word for
    /// tiles without the thumbnail.
    #[must_use]
    pub fn to_hf(&self) -> Value {
        let resized = self.resized.max(self.size);
        let kind = match self.resize {
            Resize::Crop => "CLIPImageProcessor",
            Resize::Pad => "LlavaImageProcessor",
            Resize::Naive => "SiglipImageProcessor",
            Resize::AnyRes => "LlavaNextImageProcessor",
            Resize::Tiles => "GotOcr2ImageProcessor",
        };
        let size = match self.resize {
            Resize::Crop | Resize::Pad | Resize::AnyRes => json!({ "shortest_edge": resized }),
            Resize::Naive | Resize::Tiles => json!({ "height": resized, "width": resized }),
        };
        let stretched = matches!(self.resize, Resize::Naive | Resize::Tiles);
        let filter = Filter::ALL.iter().position(|&filter| filter == self.filter);
        let mut json = json!({
            "image_processor_type": kind,
            "do_convert_rgb": true,
            "do_resize": true,
            "size": size,
            "resample": filter.map(|index| index + 1),
            "do_center_crop": !stretched || resized != self.size,
            "crop_size": { "height": self.size, "width": self.size },
            "do_rescale": true,
            "rescale_factor": self.scale,
            "do_normalize": true,
            "image_mean": self.mean.map(shortest),
            "image_std": self.std.map(shortest),
        });
        match self.resize {
            Resize::Crop | Resize::Naive => {}
            Resize::Pad => json["do_pad"] = true.into(),
            Resize::AnyRes => {
                json["do_pad"] = true.into();
                json["image_grid_pinpoints"] = json!(self.pinpoints);
            }
            Resize::Tiles => {
                json["crop_to_patches"] = true.into();
                json["min_patches"] = self.tiles.min.into();
                json["max_patches"] = self.tiles.max.into();
            }
        }
        json
    }
}

/// The shortest decimal number that is this f32, as people write it.
pub(crate) fn shortest(value: f32) -> f64 {
    value.to_string().parse().expect("a number")
}

struct Config<'json>(&'json Map<String, Value>);

impl Config<'_> {
    fn processor(&self) -> Result<ImageProcessor, ProcessorConfigError> {
        let kind = self.kind()?;
        if !self.flag("do_resize", true)? {
            let allowed = "images must be resized to one size; only `true` is supported";
            return Err(self.unsupported("do_resize", allowed));
        }
        let pad = kind == Kind::Llava && self.flag("do_pad", false)?;
        let stretches = matches!(kind, Kind::Siglip | Kind::GotOcr2);
        let crops = self.flag("do_center_crop", !stretches)?;
        let crop = if crops { Some(self.crop_size()?) } else { None };
        let (resized, shortest_edge) = self.size()?;
        let size = crop.unwrap_or(resized);
        if size > resized {
            let allowed = "a crop larger than the resized image is not supported";
            return Err(self.unsupported("crop_size", allowed));
        }
        let several = match kind {
            Kind::LlavaNext => Some(Resize::AnyRes),
            Kind::GotOcr2 if self.flag("crop_to_patches", false)? => Some(Resize::Tiles),
            _ => None,
        };
        if several.is_some() && size != resized {
            let allowed = "the squares of one image are not cropped: it must be as `size`";
            return Err(self.unsupported("crop_size", allowed));
        }
        let resize = match (pad, shortest_edge) {
            _ if let Some(several) = several => several,
            (true, _) => Resize::Pad,
            (false, false) => Resize::Naive,
            (false, true) if crop.is_some() => Resize::Crop,
            (false, true) => {
                let allowed = "with a `shortest_edge` alone images are not of one size; \
                    only `true` is supported then";
                return Err(self.unsupported("do_center_crop", allowed));
            }
        };
        let (mean, std) = match kind {
            Kind::Clip | Kind::Llava | Kind::LlavaNext | Kind::GotOcr2 => (CLIP_MEAN, CLIP_STD),
            Kind::Siglip => (SIGLIP_MEAN, SIGLIP_MEAN),
        };
        let (mean, std) = if self.flag("do_normalize", true)? {
            let mean = self.channels("image_mean", mean)?;
            (mean, self.channels("image_std", std)?)
        } else {
            ([0.0; 3], [1.0; 3])
        };
        Ok(ImageProcessor {
            size,
            resize,
            resized,
            filter: self.filter()?,
            scale: self.scale()?,
            mean,
            std,
            pinpoints: match resize {
                Resize::AnyRes => self.pinpoints(size)?,
                _ => default_pinpoints(size),
            },
            tiles: match resize {
                Resize::Tiles => self.tiles()?,
                _ => Tiles::default(),
            },
        })
    }

    fn pinpoints(&self, size: usize) -> Result<Vec<[usize; 2]>, ProcessorConfigError> {
        const KEY: &str = "image_grid_pinpoints";
        let found = self
            .get(KEY)
            .map_or(Some(DEFAULT_PINPOINTS.to_vec()), pinpoints);
        let fits = |pinpoint: &[usize; 2]| {
            let whole = |side: &usize| *side > 0 && side.is_multiple_of(size);
            let [rows, columns] = pinpoint.map(|side| side / size);
            pinpoint.iter().all(whole) && rows.saturating_mul(columns) <= MAX_SQUARES
        };
        found
            .filter(|all| !all.is_empty() && all.iter().all(fits))
            .ok_or_else(|| {
                let allowed = "a list of `[height, width]` in pixels, multiples of the squares' side, of at \
                    most 256 squares is meant";
                self.unsupported(KEY, allowed)
            })
    }

    fn tiles(&self) -> Result<Tiles, ProcessorConfigError> {
        let usual = Tiles::default();
        let number = |key: &'static str, usual: usize| {
            let Some(value) = self.get(key) else {
                return Ok(usual);
            };
            let number = value.as_u64().and_then(|n| usize::try_from(n).ok());
            number
                .filter(|n| (1..=MAX_SQUARES).contains(n))
                .ok_or_else(|| self.unsupported(key, "a number between 1 and 256 is meant"))
        };
        Ok(Tiles {
            min: number("min_patches", usual.min)?,
            max: number("max_patches", usual.max)?,
            ..usual
        })
    }

    /// The value of a key; null is as absent.
    fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    fn unsupported(&self, key: &'static str, allowed: &'static str) -> ProcessorConfigError {
        ProcessorConfigError::Unsupported {
            key,
            value: self.0.get(key).map_or("absent".to_owned(), brief),
            allowed,
        }
    }

    /// By the processor's name, which ends in `Fast` or `Pil` for some backends, and in
    /// `FeatureExtractor` in old files.
    fn kind(&self) -> Result<Kind, ProcessorConfigError> {
        let keys = ["image_processor_type", "feature_extractor_type"];
        let Some((key, name)) = keys.iter().find_map(|key| Some((*key, self.get(key)?))) else {
            return Ok(Kind::Clip);
        };
        let name = name.as_str().unwrap_or_default();
        let name = name.strip_suffix("Fast").unwrap_or(name);
        match name.strip_suffix("Pil").unwrap_or(name) {
            "CLIPImageProcessor" | "CLIPFeatureExtractor" => Ok(Kind::Clip),
            "LlavaImageProcessor" => Ok(Kind::Llava),
            "LlavaNextImageProcessor" => Ok(Kind::LlavaNext),
            "GotOcr2ImageProcessor" => Ok(Kind::GotOcr2),
            "SiglipImageProcessor" => Ok(Kind::Siglip),
            _ => Err(self.unsupported(
                key,
                "the processors known are `CLIPImageProcessor`, `LlavaImageProcessor`, \
                `LlavaNextImageProcessor`, `SiglipImageProcessor` and `GotOcr2ImageProcessor`",
            )),
        }
    }

    fn flag(&self, key: &'static str, default: bool) -> Result<bool, ProcessorConfigError> {
        self.get(key).map_or(Ok(default), |value| {
            let allowed = "`true` or `false` is meant";
            value
                .as_bool()
                .ok_or_else(|| self.unsupported(key, allowed))
        })
    }

    /// Side of the resized image, and whether it is the shortest edge's.
    fn size(&self) -> Result<(usize, bool), ProcessorConfigError> {
        const ALLOWED: &str = "a number, `shortest_edge`, or equal `height` and `width`, of 1 to \
            65535 pixels, are supported";
        let Some(value) = self.get("size") else {
            return Err(self.unsupported("size", ALLOWED));
        };
        let whole_object = |keys: usize| value.as_object().is_some_and(|it| it.len() == keys);
        let shortest =
            side(value).or_else(|| side(&value["shortest_edge"]).filter(|_| whole_object(1)));
        if let Some(shortest) = shortest {
            return Ok((shortest, true));
        }
        let square = square(value).filter(|_| whole_object(2));
        let size = square.ok_or_else(|| self.unsupported("size", ALLOWED))?;
        Ok((size, false))
    }

    fn crop_size(&self) -> Result<usize, ProcessorConfigError> {
        let allowed =
            "a number, or equal `height` and `width`, of 1 to 65535 pixels, are supported";
        let value = self.get("crop_size");
        let size = value.and_then(|value| side(value).or_else(|| square(value)));
        size.ok_or_else(|| self.unsupported("crop_size", allowed))
    }

    fn filter(&self) -> Result<Filter, ProcessorConfigError> {
        let Some(value) = self.get("resample") else {
            return Ok(Filter::Bicubic);
        };
        let index = value
            .as_u64()
            .and_then(|number| usize::try_from(number).ok()?.checked_sub(1));
        let filter = index.and_then(|index| Filter::ALL.get(index).copied());
        filter.ok_or_else(|| {
            let allowed = "PIL's 1 (Lanczos), 2 (bilinear), 3 (bicubic), 4 (box) and 5 (Hamming) are \
                supported";
            self.unsupported("resample", allowed)
        })
    }

    fn scale(&self) -> Result<f64, ProcessorConfigError> {
        if !self.flag("do_rescale", true)? {
            return Ok(1.0);
        }
        let Some(value) = self.get("rescale_factor") else {
            return Ok(1.0 / 255.0);
        };
        let factor = value.as_f64();
        factor.ok_or_else(|| self.unsupported("rescale_factor", "a number is meant"))
    }

    fn channels(
        &self,
        key: &'static str,
        default: [f32; 3],
    ) -> Result<[f32; 3], ProcessorConfigError> {
        let Some(value) = self.get(key) else {
            return Ok(default);
        };
        #[expect(clippy::cast_possible_truncation)]
        let number = |value: &Value| value.as_f64().map(|number| number as f32);
        let each = match (number(value), value.as_array()) {
            (Some(number), _) => Some([number; 3]),
            (None, Some(numbers)) => {
                let numbers: Option<Vec<f32>> = numbers.iter().map(number).collect();
                numbers.and_then(|numbers| numbers.try_into().ok())
            }
            _ => None,
        };
        let usable = each.filter(|each| key != "image_std" || !each.contains(&0.0));
        usable.ok_or_else(|| {
            self.unsupported(
                key,
                "a number for each of 3 channels is meant, a deviation not 0",
            )
        })
    }
}

/// A side in pixels.
fn side(value: &Value) -> Option<usize> {
    let side = usize::try_from(value.as_u64()?).ok()?;
    (1..=65_535).contains(&side).then_some(side)
}

fn square(value: &Value) -> Option<usize> {
    let side_of = |key: &str| side(value.get(key)?);
    side_of("height").filter(|&height| side_of("width") == Some(height))
}

/// A value for a message: the start of a long one.
fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
