//! An image with the boxes of its objects over it, as SVG.

use std::fmt::Write;

use super::picture::Picture;
use crate::html::escape;
use crate::instruct::Instance;

/// The longer side of an image, in the SVG's units: about the pixels in which a page shows it.
const LONG_SIDE: f64 = 480.0;
/// What boxes are drawn on where there is no image.
const EMPTY: (f64, f64) = (480.0, 360.0);
/// Different colours of categories, the CSS classes `k0` to `k11`.
pub(super) const COLOURS: usize = 12;
const TEXT: &str = "a string takes any text";

/// A label: how high it is, and about how wide a character and the space around the text are.
const LABEL_HEIGHT: f64 = 18.0;
const CHARACTER: f64 = 8.0;
const PADDING: f64 = 10.0;

/// The categories of a picture, in the order in which they come, with the number of their boxes.
pub(super) fn categories(instances: &[Instance]) -> Vec<(&str, usize)> {
    let mut found: Vec<(&str, usize)> = Vec::new();
    for instance in instances {
        match found
            .iter_mut()
            .find(|(name, _)| *name == instance.category)
        {
            Some((_, count)) => *count += 1,
            None => found.push((&instance.category, 1)),
        }
    }
    found
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Rect {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
}

impl Rect {
    fn area(&self) -> f64 {
        self.width * self.height
    }

    fn meets(&self, other: &Self) -> bool {
        self.x < other.x + other.width
            && other.x < self.x + self.width
            && self.y < other.y + other.height
            && other.y < self.y + self.height
    }

    /// The attributes of a `<rect>`.
    fn attributes(&self) -> String {
        format!(
            "x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"",
            self.x, self.y, self.width, self.height
        )
    }
}

/// The image, if it is there, and all boxes with their categories. Boxes are normalised corners, so
/// that they are right on an image of any size.
pub(super) fn svg(picture: Option<&Picture>, instances: &[Instance]) -> String {
    let (width, height) = picture.map_or(EMPTY, |picture| {
        let (width, height) = (f64::from(picture.width), f64::from(picture.height));
        let scale = LONG_SIDE / width.max(height).max(1.0);
        (width * scale, height * scale)
    });
    let mut svg = format!(
        "<svg class=\"boxes\" style=\"max-width:{width:.0}px\" viewBox=\"0 0 {width:.1} {height:.1}\" role=\"img\" aria-label=\"{}\">",
        escape(&told(instances))
    );
    let whole = format!("width=\"{width:.1}\" height=\"{height:.1}\"");
    match picture {
        Some(picture) => write!(svg, "<image {whole} href=\"{}\"/>", picture.uri),
        None => write!(svg, "<rect class=\"empty\" {whole}/>"),
    }
    .expect(TEXT);
    let categories = categories(instances);
    let colour = |instance: &Instance| {
        let place = categories
            .iter()
            .position(|(name, _)| *name == instance.category);
        place.unwrap_or(0) % COLOURS
    };
    let mut placed: Vec<(&Instance, Rect)> = instances
        .iter()
        .map(|instance| (instance, place(instance.bbox, width, height)))
        .collect();
    // The small ones last, so that they lie above those around them.
    placed.sort_by(|a, b| b.1.area().total_cmp(&a.1.area()));
    for (instance, rect) in &placed {
        let attributes = rect.attributes();
        write!(
            svg,
            "<g class=\"k{}\"><title>{}</title><rect class=\"halo\" {attributes}/><rect {attributes}/></g>",
            colour(instance),
            escape(&written(instance))
        )
        .expect(TEXT);
    }
    let mut labels: Vec<Rect> = Vec::new();
    for (instance, rect) in &placed {
        let name = &instance.category;
        let Some(label) = label(rect, name, &labels, (width, height)) else {
            continue;
        };
        write!(
            svg,
            "<g class=\"k{} label\"><rect {} rx=\"3\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
            colour(instance),
            label.attributes(),
            label.x + PADDING / 2.0,
            label.y + 13.0,
            escape(name)
        )
        .expect(TEXT);
        labels.push(label);
    }
    svg.push_str("</svg>");
    svg
}

/// A box as it stands in a context: `category: [x1, y1, x2, y2]`.
pub(super) fn written(instance: &Instance) -> String {
    let [x1, y1, x2, y2] = instance.bbox;
    format!(
        "{}: [{x1:.3}, {y1:.3}, {x2:.3}, {y2:.3}]",
        instance.category
    )
}

/// What is seen, for those who do not.
fn told(instances: &[Instance]) -> String {
    let categories = categories(instances).into_iter();
    let counts: Vec<String> = categories
        .map(|(name, count)| format!("{count} × {name}"))
        .collect();
    if counts.is_empty() {
        return "image".to_owned();
    }
    format!("image with boxes: {}", counts.join(", "))
}

fn place([x1, y1, x2, y2]: [f64; 4], width: f64, height: f64) -> Rect {
    Rect {
        x: x1 * width,
        y: y1 * height,
        width: ((x2 - x1) * width).max(0.0),
        height: ((y2 - y1) * height).max(0.0),
    }
}

/// Where a box's label has room: on its upper edge, or else at another of its corners; nowhere if
/// others are in the way everywhere, as with forty donuts on a tray.
fn label(of: &Rect, name: &str, taken: &[Rect], (width, height): (f64, f64)) -> Option<Rect> {
    let label_width = (name.chars().count() as f64 * CHARACTER + PADDING).min(width);
    let (right, bottom) = (of.x + of.width - label_width, of.y + of.height);
    let corners = [
        (of.x, of.y - LABEL_HEIGHT),
        (of.x, of.y),
        (right, of.y - LABEL_HEIGHT),
        (of.x, bottom - LABEL_HEIGHT),
        (of.x, bottom),
        (right, bottom - LABEL_HEIGHT),
        (right, of.y),
    ];
    let rects = corners.into_iter().map(|(x, y)| Rect {
        x: x.clamp(0.0, width - label_width),
        y,
        width: label_width,
        height: LABEL_HEIGHT,
    });
    let inside = |rect: &Rect| rect.y >= 0.0 && rect.y + rect.height <= height;
    rects
        .filter(inside)
        .find(|rect| !taken.iter().any(|other| rect.meets(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(category: &str, bbox: [f64; 4]) -> Instance {
        Instance {
            category: category.to_owned(),
            bbox,
        }
    }

    #[test]
    fn boxes_are_where_the_image_has_them() {
        let picture = Picture {
            uri: "data:image/png;base64,".to_owned(),
            width: 200,
            height: 100,
        };
        let instances = [
            instance("bus", [0.25, 0.5, 0.75, 1.0]),
            instance("dog", [0.0, 0.0, 0.1, 0.205]),
        ];
        let svg = svg(Some(&picture), &instances);
        assert!(svg.contains("viewBox=\"0 0 480.0 240.0\""), "{svg}");
        let bus = "<rect x=\"120.0\" y=\"120.0\" width=\"240.0\" height=\"120.0\"/>";
        let dog = "<rect x=\"0.0\" y=\"0.0\" width=\"48.0\" height=\"49.2\"/>";
        assert!(svg.contains(bus) && svg.contains(dog), "{svg}");
        assert!(
            svg.contains("<title>bus: [0.250, 0.500, 0.750, 1.000]</title>"),
            "{svg}"
        );
        // The bus's label stands on its box, the dog's has no room above and is in it.
        assert!(
            svg.contains("<rect x=\"120.0\" y=\"102.0\" width=\"34.0\" height=\"18.0\" rx"),
            "{svg}"
        );
        assert!(
            svg.contains("<rect x=\"0.0\" y=\"0.0\" width=\"34.0\" height=\"18.0\" rx"),
            "{svg}"
        );
    }

    #[test]
    fn without_the_image_the_boxes_are_on_an_empty_canvas() {
        let svg = svg(None, &[instance("a<b", [0.5, 0.5, 1.0, 1.0])]);
        assert!(svg.contains("viewBox=\"0 0 480.0 360.0\""), "{svg}");
        assert!(
            svg.contains("<rect x=\"240.0\" y=\"180.0\" width=\"240.0\" height=\"180.0\"/>"),
            "{svg}"
        );
        assert!(
            svg.contains(">a&lt;b</text>") && !svg.contains("a<b"),
            "{svg}"
        );
    }

    #[test]
    fn labels_never_lie_on_each_other() {
        let donuts: Vec<Instance> = (0..40)
            .map(|number| {
                let left = f64::from(number) * 0.01;
                instance("donut", [left, 0.3, left + 0.2, 0.5])
            })
            .collect();
        let mut taken: Vec<Rect> = Vec::new();
        for donut in &donuts {
            let rect = place(donut.bbox, 480.0, 360.0);
            taken.extend(label(&rect, "donut", &taken, (480.0, 360.0)));
        }
        assert!(taken.len() > 4 && taken.len() < 40, "{}", taken.len());
        for (number, one) in taken.iter().enumerate() {
            assert!(!taken[..number].iter().any(|other| one.meets(other)));
        }
    }
}
