//! A sample as a card: what the image shows, what is known of it, and what is said about it.

use menagerie_core::chat::Role;

use super::super::{Review, Shown};
use super::boxes::{self, COLOURS, categories};
use super::picture::{self, Picture};
use super::text::marked;
use super::type_class;
use crate::html::{counted, escape};
use crate::instruct::{Context, Flag};

/// Images of a sample that are shown; LLaVA's have one.
const IMAGES: usize = 4;

pub(super) fn card(review: &Review, shown: &Shown) -> String {
    let example = &shown.example;
    let kind = example.kind;
    let flagged = usize::from(!example.flags.is_empty());
    let figures = figures(review, shown);
    let turns: String = example
        .turns
        .iter()
        .map(|turn| {
            let (class, who) = match turn.role {
                Role::Human => ("human", "human"),
                Role::Assistant => ("gpt", "gpt"),
            };
            let text = marked(&turn.text, &example.flags);
            format!("<div class=\"turn {class}\"><b>{who}</b><p>{text}</p></div>")
        })
        .collect();
    format!(
        "<article class=\"sample\" data-type=\"{}\" data-flagged=\"{flagged}\">\
         <header><span class=\"chip {}\">{}</span> {}</header>\n\
         <div class=\"sides\"><div class=\"seen\">{figures}</div>\n<div class=\"said\">{turns}{}</div></div></article>\n",
        kind.name(),
        type_class(kind),
        kind.name(),
        names(shown),
        flags(&example.flags),
    )
}

/// The sample's id, its context's and its images'.
fn names(shown: &Shown) -> String {
    let example = &shown.example;
    let mut names = format!("<code>{}</code>", escape(&example.id));
    if let Some(context) = &example.context
        && *context != example.id
    {
        names.push_str(&format!(
            " <span>context <code>{}</code></span>",
            escape(context)
        ));
    }
    for image in &example.images {
        names.push_str(&format!(
            " <span>image <code>{}</code></span>",
            escape(image)
        ));
    }
    names
}

fn figures(review: &Review, shown: &Shown) -> String {
    let images = &shown.example.images;
    let mut html = String::new();
    let instances = shown
        .context
        .as_ref()
        .map_or(&[][..], |context| context.instances.as_slice());
    for (number, name) in images.iter().take(IMAGES).enumerate() {
        let read = review
            .images
            .as_deref()
            .map(|folder| picture::read(folder, name));
        // The boxes are those of the one image that a context is about.
        let instances = if number == 0 { instances } else { &[] };
        let (picture, note): (Option<&Picture>, Option<&str>) = match &read {
            Some(Ok(picture)) => (Some(picture), None),
            Some(Err(why)) => (None, Some(why)),
            None => (
                None,
                Some("not shown: name the images' folder with --images"),
            ),
        };
        if picture.is_some() || !instances.is_empty() {
            html.push_str(&boxes::svg(picture, instances));
        }
        if let Some(note) = note {
            html.push_str(&format!("<p class=\"note\">Image: {}</p>", escape(note)));
        }
    }
    if images.len() > IMAGES {
        let more = images.len() - IMAGES;
        html.push_str(&format!(
            "<p class=\"note\">and {}</p>",
            counted(more, "more image")
        ));
    }
    match (&shown.context, &shown.example.context) {
        (Some(context), _) => html.push_str(&known(context)),
        (None, Some(_)) => {
            html.push_str("<p class=\"note\">Its context is not in contexts.jsonl.</p>");
        }
        (None, None) => {}
    }
    html
}

/// Captions and boxes.
fn known(context: &Context) -> String {
    let mut html = String::new();
    if !context.instances.is_empty() {
        let names = categories(&context.instances).into_iter().enumerate();
        let legend: String = names
            .map(|(place, (name, count))| {
                format!(
                    "<li><i class=\"k{}\"></i>{} <span>{count}</span></li>",
                    place % COLOURS,
                    escape(name)
                )
            })
            .collect();
        let boxes = context.instances.iter().map(boxes::written);
        let boxes = boxes.collect::<Vec<String>>().join("\n");
        html.push_str(&format!("<ul class=\"legend\">{legend}</ul>"));
        html.push_str(&format!(
            "<details><summary>{}</summary><pre>{}</pre></details>",
            match context.instances.len() {
                1 => "1 box".to_owned(),
                count => format!("{count} boxes"),
            },
            escape(&boxes)
        ));
    }
    if !context.captions.is_empty() {
        let captions = context.captions.iter();
        let captions = captions.map(|caption| format!("<li>{}</li>", escape(caption)));
        html.push_str(&format!(
            "<h4>Captions</h4><ul class=\"captions\">{}</ul>",
            captions.collect::<String>()
        ));
    }
    html
}

/// All flags, as one may stand nowhere in the text.
fn flags(flags: &[Flag]) -> String {
    if flags.is_empty() {
        return String::new();
    }
    let flags: String = flags
        .iter()
        .map(|flag| {
            format!(
                "<li><b>{}</b> <mark>{}</mark></li>",
                escape(&flag.kind),
                escape(&flag.text)
            )
        })
        .collect();
    format!("<ul class=\"flags\">{flags}</ul>")
}
