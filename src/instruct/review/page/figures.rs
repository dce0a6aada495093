//! Statistics as figures and tables.

use super::{first_words, type_class};
use crate::html::bars::{Bar, Histogram};
use crate::html::{escape, head, percent, thousands};
use crate::instruct::review::statistics::{ByType, Lengths, Statistics};

/// Categories that are listed.
const CATEGORIES: usize = 20;

pub(super) fn section(statistics: &Statistics) -> String {
    let mut html = "<h2 id=\"statistics\">Statistics</h2>\n".to_owned();
    html.push_str(&legend(&statistics.samples));
    html.push_str("<div class=\"plots\">\n");
    html.push_str(&histogram(
        "Words a question",
        &statistics.question_words,
        "words",
        "questions",
    ));
    html.push_str(&histogram(
        "Words an answer",
        &statistics.answer_words,
        "words",
        "answers",
    ));
    html.push_str(&histogram(
        "Answers a sample",
        &statistics.turns,
        "answers",
        "samples",
    ));
    html.push_str(&question_types(statistics));
    html.push_str(&first_words::figure(statistics));
    html.push_str(&openings(statistics));
    html.push_str(&categories(statistics));
    html.push_str(&flags(statistics));
    html.push_str("</div>\n");
    html
}

/// What the colours mean, if there are several.
fn legend(samples: &ByType) -> String {
    let types: Vec<String> = samples
        .counts()
        .map(|(kind, _)| {
            let class = type_class(kind);
            format!("<span class=\"swatch {class}\"></span>{} ", kind.name())
        })
        .collect();
    if types.len() < 2 {
        return String::new();
    }
    format!(
        "<p class=\"note types\">Of all samples, in the colours of their types: {}</p>\n",
        types.concat()
    )
}

fn figure(title: &str, note: &str, body: &str) -> String {
    format!("<figure><figcaption>{title} <span>{note}</span></figcaption>{body}</figure>\n")
}

fn histogram(title: &str, lengths: &Lengths, x_label: &str, y_label: &str) -> String {
    let bins = &lengths.histogram;
    let Some(first) = bins.first() else {
        return String::new();
    };
    // The last one holds whatever is longer.
    let width = match bins.as_slice() {
        [only] => only.to - only.from + 1,
        _ => first.to - first.from + 1,
    };
    let longest = lengths.all.max;
    let bars: Vec<Bar> = bins
        .iter()
        .map(|bin| {
            let range = match (bin.from, bin.to) {
                (from, to) if from == to => from.to_string(),
                (from, to) => format!("{from} to {to}"),
            };
            Bar {
                from: bin.from as f64,
                to: (bin.from + width) as f64,
                parts: parts(&bin.count).collect(),
                title: format!("{range} {x_label}: {}", told(&bin.count)),
            }
        })
        .collect();
    let plot = Histogram {
        bars: &bars,
        marks: &[
            lengths.all.median as f64 + 0.5,
            lengths.all.p90 as f64 + 0.5,
        ],
        x_label,
        y_label,
    };
    let note = format!(
        "median {}, 90 % up to {}, longest {} (dashed: the first two)",
        lengths.all.median, lengths.all.p90, longest
    );
    figure(title, &note, &plot.svg())
}

fn parts(count: &ByType) -> impl Iterator<Item = (&'static str, f64)> {
    let parts = count.counts();
    parts.map(|(kind, count)| (type_class(kind), count as f64))
}

/// Counts in words: `12 conversation, 3 detail`.
fn told(count: &ByType) -> String {
    let parts = count.counts();
    let parts: Vec<String> = parts
        .map(|(kind, count)| format!("{} {}", thousands(count), kind.name()))
        .collect();
    parts.join(", ")
}

/// A table of counts with bars, the longest as wide as its column.
fn counts<'r>(
    columns: [&str; 2],
    rows: impl Iterator<Item = (String, &'r ByType)>,
    all: usize,
) -> String {
    let rows: Vec<(String, &ByType)> = rows.collect();
    let longest = rows.iter().map(|(_, count)| count.total()).max();
    let longest = longest.unwrap_or(0).max(1) as f64;
    let rows: String = rows
        .into_iter()
        .map(|(name, count)| {
            let total = count.total();
            let bar: String = parts(count)
                .map(|(class, part)| {
                    format!("<b class=\"{class}\" style=\"width:{:.2}%\"></b>", 100.0 * part / longest)
                })
                .collect();
            format!(
                "<tr title=\"{}\"><td>{name}</td><td class=\"fill\"><div class=\"stack\">{bar}</div></td>\
                 <td class=\"number\">{}</td><td class=\"number\">{}</td></tr>\n",
                escape(&told(count)),
                thousands(total),
                percent(total as f64 / all.max(1) as f64)
            )
        })
        .collect();
    let columns = [
        (columns[0], ""),
        ("", ""),
        (columns[1], "number"),
        ("share", "number"),
    ];
    format!("<table>{}<tbody>{rows}</tbody></table>", head(&columns))
}

fn question_types(statistics: &Statistics) -> String {
    let types = &statistics.question_types;
    if types.is_empty() {
        return String::new();
    }
    let rows = types
        .iter()
        .map(|of| (escape(of.question.label()), &of.count));
    let all = statistics.question_words.all.count;
    figure(
        "Question types",
        "by their first words",
        &counts(["", "questions"], rows, all),
    )
}

fn openings(statistics: &Statistics) -> String {
    let openings = &statistics.answer_openings;
    if openings.commonest.is_empty() {
        return String::new();
    }
    let rows = openings.commonest.iter().map(|opening| {
        let text = format!("\u{201c}{} …\u{201d}", escape(&opening.text));
        (text, &opening.count)
    });
    let note = format!(
        "first {} words; {} share them with another answer, {} have one of the ten commonest",
        openings.words,
        percent(openings.alike),
        percent(openings.ten_commonest)
    );
    let all = statistics.answer_words.all.count;
    figure(
        "Answers that begin alike",
        &note,
        &counts(["", "answers"], rows, all),
    )
}

fn categories(statistics: &Statistics) -> String {
    let categories = &statistics.categories;
    let Some(most) = categories.first() else {
        return String::new();
    };
    let rows: String = categories
        .iter()
        .take(CATEGORIES)
        .map(|of| {
            let width = 100.0 * of.contexts as f64 / most.contexts.max(1) as f64;
            format!(
                "<tr><td>{}</td><td class=\"fill\"><div class=\"stack\"><b class=\"c6\" style=\"width:{width:.2}%\"></b></div></td>\
                 <td class=\"number\">{}</td><td class=\"number\">{}</td></tr>\n",
                escape(&of.category),
                thousands(of.contexts),
                thousands(of.boxes)
            )
        })
        .collect();
    let columns = [
        ("", ""),
        ("", ""),
        ("contexts", "number"),
        ("boxes", "number"),
    ];
    let table = format!("<table>{}<tbody>{rows}</tbody></table>", head(&columns));
    let note = format!(
        "{} in {} contexts{}",
        thousands(categories.len()),
        thousands(statistics.contexts),
        if categories.len() > CATEGORIES {
            ", the commonest here"
        } else {
            ""
        }
    );
    figure("Objects in boxes", &note, &table)
}

fn flags(statistics: &Statistics) -> String {
    if statistics.flags.is_empty() {
        return String::new();
    }
    let rows = statistics.flags.iter().map(|of| {
        let words = of.commonest.iter();
        let words: Vec<String> = words
            .map(|(text, count)| format!("{} {count}", escape(text)))
            .collect();
        let name = format!(
            "{}<div class=\"words\">{}</div>",
            escape(&of.kind),
            words.join(", ")
        );
        (name, &of.samples)
    });
    let all = statistics.samples.total();
    let note = "samples that have one; what was flagged most often";
    figure("Flags", note, &counts(["", "samples"], rows, all))
}
