//! Things that an answer names and that the context does not have.
//!
//! COCO's 80 categories alone are looked for, under the names of a list: what an answer says of
//! other things is not seen here. As words have more than one meaning, what is found is a flag for a
//! reader and no reason to drop a sample.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::context::Context;
use super::words::words;

static OBJECTS: LazyLock<Objects> =
    LazyLock::new(|| Objects::read(include_str!("objects/coco.txt")));

/// Words that deny what comes after them.
const DENIALS: [&str; 4] = ["no", "not", "without", "neither"];
/// Words that may stand between.
const BETWEEN: [&str; 6] = ["a", "an", "any", "the", "single", "other"];

/// The categories that `text` names and that neither the boxes nor the captions of `context` have,
/// sorted. What the text says is not there is not counted.
pub(super) fn absent(text: &str, context: &Context) -> BTreeSet<String> {
    let mut there = BTreeSet::new();
    for instance in &context.instances {
        // A category of another set than COCO's may have a name of COCO's within it.
        there.extend(OBJECTS.named(&words(&instance.category), Count::All));
    }
    for caption in &context.captions {
        there.extend(OBJECTS.named(&words(caption), Count::All));
    }
    let named = OBJECTS.named(&words(text), Count::WhatIsThere);
    named
        .difference(&there)
        .map(|name| (*name).to_owned())
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    All,
    /// But for what is denied.
    WhatIsThere,
}

/// The names of categories, by their words.
#[derive(Debug)]
struct Objects {
    names: BTreeMap<Vec<String>, &'static str>,
    /// Words of the longest name.
    longest: usize,
}

impl Objects {
    fn read(text: &'static str) -> Self {
        let mut names = BTreeMap::new();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        for (category, others) in lines.filter_map(|line| line.split_once(':')) {
            let others = others.split(',').map(str::trim);
            for name in others.filter(|name| !name.is_empty()) {
                match name.strip_prefix('=') {
                    Some(name) => {
                        names.insert(words(name), category);
                    }
                    None => names.extend(forms(name).map(|form| (form, category))),
                }
            }
            // `orange` is a colour more often than a fruit.
            if category == "orange" {
                continue;
            }
            names.extend(forms(category).map(|form| (form, category)));
        }
        let longest = names.keys().map(Vec::len).max().unwrap_or(0);
        Self { names, longest }
    }

    /// The categories that are named, of two names at a place the longer one: a hot dog is no dog.
    fn named(&self, words: &[String], count: Count) -> BTreeSet<&'static str> {
        let mut found = BTreeSet::new();
        let mut start = 0;
        while start < words.len() {
            let longest = self.longest.min(words.len() - start);
            let name = (1..=longest).rev().find_map(|len| {
                let category = self.names.get(&words[start..start + len])?;
                Some((len, *category))
            });
            let Some((len, category)) = name else {
                start += 1;
                continue;
            };
            if count == Count::All || !denied(&words[..start]) {
                found.insert(category);
            }
            start += len;
        }
        found
    }
}

/// Whether the words before a name deny it.
fn denied(before: &[String]) -> bool {
    let mut back = before.iter().rev().map(String::as_str);
    let word = back.find(|word| !BETWEEN.contains(word));
    word.is_some_and(|word| DENIALS.contains(&word))
}

/// A name in the singular and in the plural.
fn forms(name: &str) -> impl Iterator<Item = Vec<String>> {
    let singular = words(name);
    let mut plural = singular.clone();
    if let Some(last) = plural.last_mut() {
        *last = plural_of(last);
    }
    [singular, plural].into_iter()
}

fn plural_of(word: &str) -> String {
    let irregular = [
        ("person", "people"),
        ("child", "children"),
        ("goose", "geese"),
        ("mouse", "mice"),
        ("calf", "calves"),
        ("knife", "knives"),
        ("ox", "oxen"),
        ("sheep", "sheep"),
        ("cattle", "cattle"),
        ("luggage", "luggage"),
        ("aircraft", "aircraft"),
        ("scissors", "scissors"),
        ("skis", "skis"),
    ];
    if let Some((_, plural)) = irregular.iter().find(|(singular, _)| *singular == word) {
        return (*plural).to_owned();
    }
    let before_y = |word: &str| word.ends_with(|c: char| !"aeiou".contains(c));
    if let Some(stem) = word.strip_suffix("man") {
        return format!("{stem}men");
    }
    if let Some(stem) = word.strip_suffix('y').filter(|stem| before_y(stem)) {
        return format!("{stem}ies");
    }
    if ["s", "x", "ch", "sh"].iter().any(|end| word.ends_with(end)) {
        return format!("{word}es");
    }
    format!("{word}s")
}

#[cfg(test)]
mod tests {
    use super::super::context::Instance;
    use super::*;

    fn context(captions: &[&str], categories: &[&str]) -> Context {
        let instance = |category: &&str| Instance {
            category: (*category).to_owned(),
            bbox: [0.0, 0.0, 1.0, 1.0],
        };
        Context {
            id: "1".to_owned(),
            image: "1.jpg".to_owned(),
            captions: captions
                .iter()
                .map(|caption| (*caption).to_owned())
                .collect(),
            instances: categories.iter().map(instance).collect(),
        }
    }

    fn flagged(text: &str, captions: &[&str], categories: &[&str]) -> Vec<String> {
        let flagged = absent(text, &context(captions, categories));
        flagged.into_iter().collect()
    }

    #[test]
    fn all_of_cocos_categories_are_known() {
        let categories: BTreeSet<&str> = OBJECTS.names.values().copied().collect();
        assert_eq!(categories.len(), 80);
    }

    #[test]
    fn things_without_a_box_or_a_caption_are_flagged() {
        let captions = ["A man walks two puppies past parked vehicles."];
        let text = "A woman leads her dogs. Two cars and a bus are parked, and knives lie there.";
        assert_eq!(flagged(text, &captions, &[]), ["bus", "car", "knife"]);
        assert_eq!(flagged(text, &captions, &["car", "bus", "knife"]), [""; 0]);
    }

    #[test]
    fn longer_names_win_and_the_colour_is_no_fruit() {
        let captions = ["Hot dogs on a plate"];
        let text = "The hot dog in orange light has a teddy bear's smile.";
        assert_eq!(flagged(text, &captions, &[]), ["teddy bear"]);
        assert_eq!(
            flagged("He eats an orange.", &captions, &["person"]),
            ["orange"]
        );
    }

    #[test]
    fn what_is_denied_is_not_named() {
        let text = "There is no dog, and not a single cat; it is a street without any cars.";
        assert_eq!(flagged(text, &["A street"], &[]), [""; 0]);
        assert_eq!(
            flagged("Not far away a dog barks.", &["A street"], &[]),
            ["dog"]
        );
    }
}
