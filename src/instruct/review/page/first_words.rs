//! The first two words of questions, as areas: each first word, and beside it what follows.

use std::fmt::Write;

use crate::html::{escape, percent, thousands};
use crate::instruct::review::statistics::{FirstWord, Statistics};

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 420.0;
/// Where the second words begin.
const SECOND: f64 = 170.0;
/// First words that have an area of their own.
const WORDS: usize = 12;
/// The least height of an area with a name.
const NAMED: f64 = 13.0;
const TEXT: &str = "a string takes any text";

pub(super) fn figure(statistics: &Statistics) -> String {
    let all = statistics.question_words.all.count;
    let words = &statistics.first_words;
    if words.is_empty() {
        return String::new();
    }
    let mut svg = format!(
        "<svg class=\"areas\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"first and second words of questions\">"
    );
    let unit = HEIGHT / all.max(1) as f64;
    let mut top = 0.0;
    for (number, word) in words.iter().take(WORDS).enumerate() {
        let height = word.count.total() as f64 * unit;
        let shade = if number % 2 == 0 { "even" } else { "odd" };
        write!(svg, "<g class=\"c4 {shade}\">").expect(TEXT);
        first(&mut svg, word, top, height, all);
        second(&mut svg, word, top, unit, all);
        svg.push_str("</g>");
        top += height;
    }
    let shown: usize = words
        .iter()
        .take(WORDS)
        .map(|word| word.count.total())
        .sum();
    if all > shown {
        let title = format!("other words: {}", share(all - shown, all));
        svg.push_str("<g class=\"c6\">");
        area(
            &mut svg,
            (0.0, top, WIDTH, HEIGHT - top),
            "rest",
            &title,
            "other words",
        );
        svg.push_str("</g>");
    }
    svg.push_str("</svg>");
    format!(
        "<figure><figcaption>First words of questions <span>the first and the second, their share as \
         height</span></figcaption>{svg}</figure>\n"
    )
}

fn first(svg: &mut String, word: &FirstWord, top: f64, height: f64, all: usize) {
    let count = word.count.total();
    let title = format!("{}: {}", word.word, share(count, all));
    let label = format!("{} {}", word.word, percent(count as f64 / all as f64));
    area(svg, (0.0, top, SECOND, height), "first", &title, &label);
}

fn second(svg: &mut String, word: &FirstWord, mut top: f64, unit: f64, all: usize) {
    let mut rest = word.count.total();
    for next in &word.next {
        let height = next.count as f64 * unit;
        if height < NAMED {
            break;
        }
        let name = if next.word.is_empty() {
            "(ends)"
        } else {
            &next.word
        };
        let title = format!("{} {name}: {}", word.word, share(next.count, all));
        area(
            svg,
            (SECOND, top, WIDTH - SECOND, height),
            "second",
            &title,
            name,
        );
        top += height;
        rest -= next.count;
    }
    if rest > 0 {
        let title = format!("{} and another word: {}", word.word, share(rest, all));
        let height = rest as f64 * unit;
        area(
            svg,
            (SECOND, top, WIDTH - SECOND, height),
            "rest",
            &title,
            "…",
        );
    }
}

fn share(count: usize, all: usize) -> String {
    format!(
        "{} of {}, {}",
        thousands(count),
        thousands(all),
        percent(count as f64 / all as f64)
    )
}

fn area(
    svg: &mut String,
    (x, y, width, height): (f64, f64, f64, f64),
    class: &str,
    title: &str,
    name: &str,
) {
    write!(
        svg,
        "<g><title>{}</title><rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.2}\" width=\"{width:.1}\" height=\"{height:.2}\"/>",
        escape(title)
    )
    .expect(TEXT);
    if height >= NAMED {
        write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x + 8.0,
            y + height / 2.0 + 4.0,
            escape(name)
        )
        .expect(TEXT);
    }
    svg.push_str("</g>");
}
