//! A review as one page that needs nothing from outside itself, so that it can be mailed.

mod boxes;
mod cards;
mod figures;
mod first_words;
mod picture;
mod rejects;
mod summary;
mod text;

use super::Review;
use super::example::Kind;
use crate::html::{styled_page, thousands};

const STYLE: &str = include_str!("page/style.css");
/// Hides what is not looked for; without it all is there to be read.
const SCRIPT: &str = include_str!("page/filter.js");

impl Review {
    /// The page. Reads the images of the samples that are shown; one that cannot be read is said so in
    /// its place.
    #[must_use]
    pub fn to_html(&self) -> String {
        let mut body = summary::section(self);
        body.push_str(&samples(self));
        body.push_str(&rejects::section(self));
        body.push_str(&figures::section(&self.statistics));
        body.push_str(&format!("<script>{SCRIPT}</script>\n"));
        styled_page(&format!("Instruction data: {}", self.name), STYLE, &body)
    }
}

/// The CSS class of a type's colour.
const fn type_class(kind: Kind) -> &'static str {
    match kind {
        Kind::Conversation | Kind::Untyped => "c0",
        Kind::Detail => "c1",
        Kind::Reasoning => "c2",
    }
}

fn samples(review: &Review) -> String {
    if review.samples.is_empty() {
        return String::new();
    }
    let all = review.statistics.samples;
    let cards: String = review
        .samples
        .iter()
        .map(|shown| cards::card(review, shown))
        .collect();
    let of_each = if all.counts().count() > 1 {
        ", as many of each type as there are"
    } else {
        ""
    };
    format!(
        "<h2 id=\"samples\">Samples</h2>\n\
         <p class=\"note\">{} of {}, drawn with seed {}{of_each}.</p>\n{}{cards}",
        thousands(review.samples.len()),
        thousands(all.total()),
        review.seed,
        filter(review),
    )
}

/// What the script shows and obeys.
fn filter(review: &Review) -> String {
    let shown = |kind: Kind| {
        let of_kind = review
            .samples
            .iter()
            .filter(|shown| shown.example.kind == kind);
        of_kind.count()
    };
    let kinds = Kind::ALL.into_iter().map(|kind| (kind, shown(kind)));
    let kinds: Vec<(Kind, usize)> = kinds.filter(|(_, count)| *count > 0).collect();
    let mut boxes = String::new();
    if kinds.len() > 1 {
        for (kind, count) in kinds {
            boxes.push_str(&format!(
                "<label><input type=\"checkbox\" value=\"{name}\" checked> {name} <span>{count}</span></label>",
                name = kind.name()
            ));
        }
    }
    let flagged = review
        .samples
        .iter()
        .filter(|shown| !shown.example.flags.is_empty())
        .count();
    if flagged > 0 {
        boxes.push_str(&format!(
            "<label><input type=\"checkbox\" name=\"flagged\"> only flagged <span>{flagged}</span></label>"
        ));
    }
    format!(
        "<form class=\"filter\" id=\"filter\" hidden>{boxes}\
         <input type=\"search\" placeholder=\"words in them\" aria-label=\"words in the samples\">\
         <output></output></form>\n"
    )
}

#[cfg(test)]
#[path = "page/tests.rs"]
mod tests;
