use std::fs;
use std::path::Path;

use menagerie_core::image::RgbImage;
use serde_json::{Value, json};

use crate::instruct::review::{Review, ReviewError, ReviewOptions};

const EVIL: &str = "<script>alert(\"&\")</script>";

fn line(folder: &Path, file: &str, values: &[Value]) {
    let lines: String = values.iter().map(|value| format!("{value}\n")).collect();
    fs::write(folder.join(file), lines).expect("room");
}

fn sample(id: &str, kind: &str, image: &str) -> Value {
    json!({
        "id": id, "image": image, "context": "7", "type": kind,
        "conversations": [
            {"from": "human", "value": format!("<image>\nWhat of {EVIL}?")},
            {"from": "gpt", "value": format!("A dog, {EVIL}.")},
        ],
        "flags": [{"kind": format!("absent-{EVIL}"), "text": "dog"}],
    })
}

/// A run of hostile texts, whose first image is there and whose second is not.
fn hostile() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let samples = [
        sample(EVIL, "detail", "there.png"),
        sample("2", "reasoning", EVIL),
    ];
    line(path, "samples.jsonl", &samples);
    let instances = json!([
        {"category": EVIL, "bbox": [0.0, 0.25, 0.5, 1.0]},
        {"category": "bus", "bbox": [0.5, 0.5, 0.75, 0.75]},
    ]);
    let context =
        json!({"id": "7", "image": "there.png", "captions": [EVIL], "instances": instances});
    line(path, "contexts.jsonl", &[context]);
    let reject = json!({
        "context": EVIL, "type": "detail", "number": 0, "attempt": 1, "reason": "form", "detail": EVIL,
        "text": EVIL,
    });
    line(path, "rejects.jsonl", &[reject]);
    RgbImage::new(96, 48)
        .save(path.join("there.png"))
        .expect("room");
    folder
}

fn review(path: &Path, images: bool) -> Result<Review, ReviewError> {
    let options = ReviewOptions {
        images: images.then(|| path.to_owned()),
        samples: 10,
        seed: 0,
    };
    Review::read(path, &options, &mut |_, _| true)
}

#[test]
fn whatever_data_says_it_stays_text() {
    let folder = hostile();
    for images in [true, false] {
        let page = review(folder.path(), images)
            .expect("well formed")
            .to_html();
        assert!(!page.contains("<script>alert"), "{page}");
        assert_eq!(page.matches("<script>").count(), 1);
        // Twice in each sample, as its id and its context's caption and category, in the reject, …
        assert!(
            page.matches("&lt;script&gt;alert(&quot;&amp;&quot;)")
                .count()
                >= 12,
            "{page}"
        );
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
    }
}

#[test]
fn boxes_lie_over_the_image_and_without_it_on_an_empty_canvas() {
    let folder = hostile();
    let page = review(folder.path(), true).expect("well formed").to_html();
    // 96 x 48 pixels are drawn as 480 x 240.
    assert_eq!(
        page.matches("<image width=\"480.0\" height=\"240.0\" href=\"data:image/png;")
            .count(),
        1
    );
    assert!(page.contains("<rect x=\"0.0\" y=\"60.0\" width=\"240.0\" height=\"180.0\"/>"));
    assert!(page.contains("<rect x=\"240.0\" y=\"120.0\" width=\"120.0\" height=\"60.0\"/>"));
    // The other sample is of the same context, and its image is missing.
    assert!(page.contains("<rect class=\"empty\" width=\"480.0\" height=\"360.0\"/>"));
    assert!(page.contains("<rect x=\"0.0\" y=\"90.0\" width=\"240.0\" height=\"270.0\"/>"));
    assert!(page.contains(" is not there</p>"), "{page}");
    let page = review(folder.path(), false).expect("well formed").to_html();
    assert!(!page.contains("<image "));
    assert_eq!(
        page.matches("name the images' folder with --images")
            .count(),
        2
    );
}

#[test]
fn flagged_words_are_marked() {
    let folder = hostile();
    let page = review(folder.path(), false).expect("well formed").to_html();
    assert_eq!(page.matches(">dog</mark>, &lt;script").count(), 2, "{page}");
    assert_eq!(page.matches("data-flagged=\"1\"").count(), 2);
}
