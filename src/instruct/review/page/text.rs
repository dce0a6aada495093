//! Turns as HTML, with what was flagged marked in them.

use std::ops::Range;

use menagerie_core::chat::IMAGE_MARK;

use crate::html::escape;
use crate::instruct::Flag;

/// A text, its flagged words marked wherever they stand: in any case, and in a plural by `s` or `es`,
/// as a flag names a category and the text may name several of it.
pub(super) fn marked(text: &str, flags: &[Flag]) -> String {
    let mut found: Vec<(Range<usize>, &str)> = flags
        .iter()
        .flat_map(|flag| {
            let places = places(text, flag.text.trim());
            places.into_iter().map(|place| (place, flag.kind.as_str()))
        })
        .collect();
    // Of two at one place the longer one.
    found.sort_by_key(|(place, _)| (place.start, std::cmp::Reverse(place.end)));
    let mut html = String::new();
    let mut done = 0;
    for (place, kind) in found {
        if place.start < done {
            continue;
        }
        html.push_str(&plain(&text[done..place.start]));
        html.push_str(&format!(
            "<mark title=\"{}\">{}</mark>",
            escape(kind),
            escape(&text[place.clone()])
        ));
        done = place.end;
    }
    html.push_str(&plain(&text[done..]));
    html
}

/// Text in which images stand out.
fn plain(text: &str) -> String {
    let image = "<span class=\"image\">image</span>";
    let parts: Vec<String> = text.split(IMAGE_MARK).map(escape).collect();
    parts.join(image)
}

/// Where whole words of a text are those of `wanted`, or their plural.
pub(super) fn places(text: &str, wanted: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if wanted.is_empty() {
        return found;
    }
    let mut before = None;
    let mut from = 0;
    for (start, character) in text.char_indices() {
        let begins_word = !before.is_some_and(char::is_alphanumeric);
        before = Some(character);
        if start < from || !begins_word {
            continue;
        }
        if let Some(length) = prefix(&text[start..], wanted)
            && let Some(ending) = ending(&text[start + length..])
        {
            from = start + length + ending;
            found.push(start..from);
        }
    }
    found
}

/// The bytes of a plural's ending before the word is at its end.
fn ending(text: &str) -> Option<usize> {
    let endings = ["", "s", "es"].into_iter();
    let mut ending = endings.filter(|ending| {
        let after = text.strip_prefix(ending);
        after.is_some_and(|after| !after.starts_with(char::is_alphanumeric))
    });
    ending.next().map(str::len)
}

/// The bytes of `text` that are `wanted`, whatever their case.
fn prefix(text: &str, wanted: &str) -> Option<usize> {
    let mut wanted = wanted.chars().flat_map(char::to_lowercase).peekable();
    for (place, character) in text.char_indices() {
        if wanted.peek().is_none() {
            return Some(place);
        }
        for lower in character.to_lowercase() {
            if wanted.next() != Some(lower) {
                return None;
            }
        }
    }
    wanted.peek().is_none().then_some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag(text: &str) -> Flag {
        Flag {
            kind: "absent-object".to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn flagged_words_are_marked_and_all_else_is_escaped() {
        let text = "A <b>Dog</b> & a hotdog; two dogs, a DOG, dogged.";
        assert_eq!(
            marked(text, &[flag("dog")]),
            "A &lt;b&gt;<mark title=\"absent-object\">Dog</mark>&lt;/b&gt; &amp; a hotdog; two \
             <mark title=\"absent-object\">dogs</mark>, a <mark title=\"absent-object\">DOG</mark>, dogged."
        );
        assert_eq!(
            marked("<image>\nWhy?", &[]),
            "<span class=\"image\">image</span>\nWhy?"
        );
        assert_eq!(
            marked("a < b", &[flag("<"), flag("")]),
            "a <mark title=\"absent-object\">&lt;</mark> b"
        );
    }

    #[test]
    fn of_flags_that_overlap_the_first_and_longest_is_marked() {
        let flags = [flag("dog"), flag("hot dog"), flag("dog stand")];
        assert_eq!(
            marked("A hot dog stand", &flags),
            "A <mark title=\"absent-object\">hot dog</mark> stand"
        );
    }

    #[test]
    fn letters_that_grow_in_lower_case_do_no_harm() {
        let found = places("İstanbul, ISTANBUL", "istanbul");
        assert_eq!(found.as_slice(), std::slice::from_ref(&(11..19)));
        assert_eq!(places("Straße", "STRASSE"), Vec::<Range<usize>>::new());
    }
}
