//! COCO's annotations: `captions_*.json` and `instances_*.json`
//! (<https://cocodataset.org/#format-data>).
//!
//! The files hold the outline of every object, hundreds of megabytes that nobody here needs: they
//! are read as a stream, of which no more than captions and boxes is kept.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use menagerie_core::benchmark::FilesError;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::context::{Context, Instance, captions, rounded};

/// Images with what is known of them, by their ids.
#[derive(Debug, Default)]
pub(super) struct Coco {
    images: BTreeMap<u64, Known>,
    /// Ids of captions and of objects that were read: files of different years hold the same ones.
    captions: HashSet<u64>,
    objects: HashSet<u64>,
}

#[derive(Debug, Default)]
struct Known {
    file_name: String,
    captions: Vec<String>,
    instances: Vec<Instance>,
}

#[derive(Debug, Deserialize)]
struct Image {
    id: u64,
    file_name: String,
    /// Not needed where there are no boxes.
    #[serde(default)]
    width: f64,
    #[serde(default)]
    height: f64,
}

#[derive(Debug, Deserialize)]
struct Category {
    id: u64,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Caption {
    id: Option<u64>,
    image_id: u64,
    #[serde(rename = "caption")]
    text: String,
}

#[derive(Debug, Deserialize)]
struct Object {
    id: Option<u64>,
    image_id: u64,
    category_id: u64,
    /// Left, top, width and height, in pixels.
    bbox: [f64; 4],
}

/// What a file holds, an `A` being what is kept of an annotation.
#[derive(Debug, Deserialize)]
struct Annotated<A> {
    images: Vec<Image>,
    #[serde(default)]
    categories: Vec<Category>,
    annotations: Vec<A>,
}

impl Coco {
    /// Adds the captions of a file but those whose ids were there before.
    pub(super) fn add_captions(&mut self, path: &Path) -> Result<(), FilesError> {
        let file: Annotated<Caption> = read(path, "captions")?;
        self.add_images(file.images);
        for caption in file.annotations {
            let known = caption.id.is_some_and(|id| !self.captions.insert(id));
            let image = self.known(path, caption.image_id)?;
            if !known {
                image.captions.push(caption.text);
            }
        }
        Ok(())
    }

    /// Adds the boxes of a file but those whose ids were there before. One that a group of objects shares (`iscrowd`) counts as the others,
    /// as in the paper's contexts; one without an area within its image is left out.
    pub(super) fn add_instances(&mut self, path: &Path) -> Result<(), FilesError> {
        let file: Annotated<Object> = read(path, "instances")?;
        let categories = file.categories.into_iter().map(|c| (c.id, c.name));
        let categories: BTreeMap<u64, String> = categories.collect();
        let mut sizes = BTreeMap::new();
        for image in &file.images {
            if !(image.width > 0.0 && image.height > 0.0) {
                let reason = format!("image {} has no width or no height", image.id);
                return Err(FilesError::content(path, "images", reason));
            }
            sizes.insert(image.id, [image.width, image.height]);
        }
        self.add_images(file.images);
        for object in file.annotations {
            let image = object.image_id;
            let category = categories.get(&object.category_id).ok_or_else(|| {
                let reason = format!(
                    "an object of image {image} has category {}, which `categories` does not list",
                    object.category_id
                );
                FilesError::content(path, "annotations", reason)
            })?;
            let size = sizes
                .get(&image)
                .ok_or_else(|| unknown_image(path, image))?;
            if object.id.is_some_and(|id| !self.objects.insert(id)) {
                continue;
            }
            if let Some(bbox) = corners(object.bbox, *size) {
                let category = category.clone();
                let instance = Instance { category, bbox };
                self.known(path, image)?.instances.push(instance);
            }
        }
        Ok(())
    }

    /// All images, in the order of their ids. An id has 12 digits, as LLaVA writes them.
    pub(super) fn into_contexts(self) -> impl Iterator<Item = Context> {
        self.images.into_iter().map(|(id, known)| Context {
            id: format!("{id:012}"),
            image: known.file_name,
            captions: captions(known.captions),
            instances: known.instances,
        })
    }

    fn add_images(&mut self, images: Vec<Image>) {
        for image in images {
            self.images.entry(image.id).or_default().file_name = image.file_name;
        }
    }

    fn known(&mut self, path: &Path, image: u64) -> Result<&mut Known, FilesError> {
        let known = self.images.get_mut(&image);
        known.ok_or_else(|| unknown_image(path, image))
    }
}

fn unknown_image(path: &Path, image: u64) -> FilesError {
    let reason = format!("an annotation is about image {image}, which `images` does not list");
    FilesError::content(path, "annotations", reason)
}

/// `[left, top, width, height]` in pixels as `[left, top, right, bottom]` in shares of the image,
/// within it; `None` if nothing is within it.
fn corners([left, top, width, height]: [f64; 4], size: [f64; 2]) -> Option<[f64; 4]> {
    let [x, y] = size;
    let share = |pixels: f64, of: f64| rounded((pixels / of).clamp(0.0, 1.0));
    let [left, right] = [left, left + width].map(|pixels| share(pixels, x));
    let [top, bottom] = [top, top + height].map(|pixels| share(pixels, y));
    (left < right && top < bottom).then_some([left, top, right, bottom])
}

/// Reads a file; `what` is what its name begins with.
fn read<A: DeserializeOwned>(path: &Path, what: &str) -> Result<Annotated<A>, FilesError> {
    let unreadable = |source| FilesError::Read {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    let read = serde_json::from_reader(BufReader::with_capacity(1 << 18, file));
    read.map_err(|error| {
        if error.is_io() {
            return unreadable(error.into());
        }
        let text = error.to_string();
        let reason = text.rsplit_once(" at line ").map_or(&*text, |(r, _)| r);
        FilesError::content(
            path,
            format!("{}:{}", error.line(), error.column()),
            format!("{reason}; COCO's {what}_*.json is expected"),
        )
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::*;

    fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, text).expect("written");
        path
    }

    const CAPTIONS: &str = r#"{"info": {"year": 2017}, "licenses": [], "images": [
        {"license": 3, "file_name": "000000000042.jpg", "height": 200, "width": 400, "id": 42},
        {"license": 3, "file_name": "000000000007.jpg", "height": 100, "width": 100, "id": 7}],
        "annotations": [
        {"image_id": 42, "id": 1, "caption": "A dog runs.\n"},
        {"image_id": 42, "id": 2, "caption": "A dog in a field."},
        {"image_id": 7, "id": 3, "caption": "An empty room."}]}"#;

    /// The categories come last, as in COCO's files; outlines are polygons or run lengths.
    const INSTANCES: &str = r#"{"images": [
        {"file_name": "000000000042.jpg", "height": 200, "width": 400, "id": 42},
        {"file_name": "000000000009.jpg", "height": 100, "width": 100, "id": 9}],
        "annotations": [
        {"segmentation": [[1.5, 2.5, 3.0, 4.0]], "area": 9.5, "iscrowd": 0, "image_id": 42,
         "bbox": [100.4, 50, 200, 100], "category_id": 18, "id": 1},
        {"segmentation": {"counts": [3, 4], "size": [200, 400]}, "area": 1, "iscrowd": 1,
         "image_id": 42, "bbox": [-3, 190, 500, 30], "category_id": 1, "id": 2},
        {"segmentation": [], "image_id": 42, "bbox": [399.99, 0, 0, 200], "category_id": 1},
        {"segmentation": [], "image_id": 9, "bbox": [0, 0, 50, 50], "category_id": 1}],
        "categories": [{"supercategory": "animal", "id": 18, "name": "dog"},
                       {"supercategory": "person", "id": 1, "name": "person"}]}"#;

    #[test]
    fn captions_and_boxes_meet_at_their_image() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut coco = Coco::default();
        let captions = file(folder.path(), "captions.json", CAPTIONS);
        let instances = file(folder.path(), "instances.json", INSTANCES);
        // What was there is passed over: files of other years have the same annotations.
        for _ in 0..2 {
            coco.add_captions(&captions).expect("captions");
            coco.add_instances(&instances).expect("instances");
        }
        let contexts: Vec<Context> = coco.into_contexts().collect();
        let ids: Vec<&str> = contexts.iter().map(|context| context.id.as_str()).collect();
        assert_eq!(ids, ["000000000007", "000000000009", "000000000042"]);

        assert_eq!(contexts[0].captions, ["An empty room."]);
        assert_eq!(contexts[0].boxes(), "");
        assert_eq!(contexts[1].captions, [""; 0]);
        assert_eq!(contexts[2].image, "000000000042.jpg");
        assert_eq!(contexts[2].captions, ["A dog runs.", "A dog in a field."]);
        // 100.4 / 400, 50 / 200, 300.4 / 400, 150 / 200; the second one is cut at its image's edges,
        // and the third has no width.
        assert_eq!(
            contexts[2].boxes(),
            "dog: [0.251, 0.25, 0.751, 0.75]\nperson: [0.0, 0.95, 1.0, 1.0]"
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_file_and_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let said = |text: &str| {
            let path = file(folder.path(), "wrong.json", text);
            let error = Coco::default().add_instances(&path).expect_err("wrong");
            let text = error.to_string();
            let name = format!("{}:", path.display());
            let rest = text.strip_prefix(&name);
            rest.unwrap_or_else(|| panic!("no file in {text}"))
                .to_owned()
        };
        assert_eq!(
            said("{\"images\": [],\n \"annotations\": [{\"image_id\": \"x\"}]}"),
            "2:33: invalid type: string \"x\", expected u64; COCO's instances_*.json is expected"
        );
        assert_eq!(
            said("{\"images\": []}"),
            "1:14: missing field `annotations`; COCO's instances_*.json is expected"
        );
        let image = r#"{"id": 4, "file_name": "4.jpg", "width": 5, "height": 5}"#;
        let object = r#"{"image_id": 4, "category_id": 1, "bbox": [0, 0, 1, 1]}"#;
        let category = r#"{"id": 1, "name": "dog"}"#;
        let all = |images: &str, categories: &str| {
            format!(
                "{{\"images\": [{images}], \"annotations\": [{object}], \
                  \"categories\": [{categories}]}}"
            )
        };
        assert_eq!(
            said(&all("", category)),
            "annotations: an annotation is about image 4, which `images` does not list"
        );
        assert!(said(&all(image, "")).contains("category 1, which `categories` does not list"));
        let flat = image.replace("\"width\": 5", "\"width\": 0");
        assert!(said(&all(&flat, category)).contains("image 4 has no width"));
    }
}
