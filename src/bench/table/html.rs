//! A page with a bar for each figure of each run.

use menagerie_core::benchmark::{Figure, Unit};

use super::{Column, Comparison, Section, number, shown};
use crate::date::date;
use crate::html::{counted, duration, escape, head, page as html_page, thousands};
use crate::report::NONE;

/// Colours of runs; of more some look alike.
const COLOURS: [&str; 8] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"];

/// The comparison as a page that needs nothing from outside itself.
#[must_use]
pub fn page(comparison: &Comparison) -> String {
    let sections = &comparison.sections;
    let runs = sections.iter().map(|section| section.columns.len()).sum();
    let mut body = format!(
        "<h1>Benchmarks</h1>\n<p class=\"lead\">{} of {}</p>\n",
        counted(sections.len(), "benchmark"),
        counted(runs, "run")
    );
    for section in sections {
        body.push_str(&format!("<h2>{}</h2>\n", escape(&section.benchmark)));
        body.push_str(&figures(section));
        body.push_str(&about(section));
    }
    body.push_str(
        "<p class=\"note\">A line over a bar is the figure's interval of 95 %; a mark on it is the score \
         of the same questions with every image replaced by grey. A run marked “other conditions” \
         answered other questions, or under another rule, judge or limit, than the first one of its \
         benchmark: the two numbers do not compare.</p>\n",
    );
    html_page("Benchmarks", &body)
}

/// A group of rows a figure, a row a run.
fn figures(section: &Section) -> String {
    let columns = [
        ("figure", ""),
        ("model", ""),
        ("", ""),
        ("value", "number"),
        ("answers", "number"),
    ];
    let mut rows = String::new();
    for name in &section.figures {
        let most = scale(section.values(name).flatten());
        for (place, column) in section.columns.iter().enumerate() {
            let first = if place == 0 {
                let span = section.columns.len();
                format!(
                    "<td rowspan=\"{span}\" class=\"figure\">{}</td>",
                    escape(name)
                )
            } else {
                String::new()
            };
            let figure = column.figure(name);
            let count = figure.map_or(NONE.to_owned(), |figure| thousands(figure.count));
            let last = if place + 1 == section.columns.len() {
                " class=\"last\""
            } else {
                ""
            };
            rows.push_str(&format!(
                "<tr{last}>{first}<td>{}</td><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{count}</td></tr>\n",
                model(place, column),
                figure.map_or(String::new(), |figure| bar(place, column, figure, most)),
                escape(&shown(figure)),
            ));
        }
    }
    format!(
        "<div class=\"wide\"><table class=\"groups\">{}\n<tbody>{rows}</tbody></table></div>\n",
        head(&columns)
    )
}

fn model(place: usize, column: &Column) -> String {
    let tag = if column.differs.is_empty() {
        ""
    } else {
        " <span class=\"tag odd\">other conditions</span>"
    };
    format!(
        "<span class=\"swatch {}\"></span>{}{tag}",
        colour(place),
        escape(&column.name)
    )
}

fn colour(place: usize) -> &'static str {
    COLOURS[place % COLOURS.len()]
}

/// What a whole bar stands for: 100 for percent, else the largest value or end of an interval.
fn scale<'f>(figures: impl Iterator<Item = &'f Figure>) -> f64 {
    let ends = figures.map(|figure| {
        let full = if figure.unit == Unit::Percent {
            100.0
        } else {
            0.0
        };
        let high = figure.interval.map_or(0.0, |[_, high]| high);
        figure.value.max(high).max(full)
    });
    ends.fold(f64::MIN_POSITIVE, f64::max)
}

fn bar(place: usize, column: &Column, figure: &Figure, most: f64) -> String {
    let share = |value: f64| (100.0 * value / most).clamp(0.0, 100.0);
    let interval = figure.interval.map_or(String::new(), |[low, high]| {
        format!(
            "<em style=\"left:{:.2}%;width:{:.2}%\"></em>",
            share(low),
            share(high) - share(low)
        )
    });
    let mut blind = column.score.blind.iter().flat_map(|blind| &blind.figures);
    let blind = blind.find(|blind| blind.name == figure.name);
    let blind = blind.map_or(String::new(), |blind| {
        format!(
            "<i style=\"left:{:.2}%\" title=\"blind {}\"></i>",
            share(blind.value),
            number(blind.value, blind.unit)
        )
    });
    format!(
        "<div class=\"bar of {}\"><b style=\"width:{:.2}%\"></b>{interval}{blind}</div>",
        colour(place),
        share(figure.value)
    )
}

/// What each run is of.
fn about(section: &Section) -> String {
    let columns = [
        ("model", ""),
        ("weights", ""),
        ("questions", "number"),
        ("judge", ""),
        ("answered in", "number"),
        ("scored", ""),
        ("remarks", ""),
    ];
    let rows = section.columns.iter().enumerate().map(|(place, column)| {
        let (score, about) = (&column.score, &column.score.about);
        let weights = about.model.as_ref().map(|model| model.weights_sha256.as_str());
        let weights = weights.map_or(NONE.to_owned(), |hash| {
            format!("<code>{}</code>", escape(hash.get(..12).unwrap_or(hash)))
        });
        let took = about.model.as_ref().map(|_| duration(score.seconds.answering));
        format!(
            "<tr><td>{}</td><td>{weights}</td><td class=\"number\">{}</td><td>{}</td><td class=\"number\">{}</td><td>{}</td><td>{}</td></tr>\n",
            model(place, column),
            thousands(about.questions.count),
            about.judge.as_ref().map_or(NONE.to_owned(), |judge| escape(&judge.model)),
            took.unwrap_or_else(|| NONE.to_owned()),
            date(score.unix_seconds),
            escape(&column.remarks().join("; ")),
        )
    });
    format!(
        "<details><summary>What these runs are of</summary>\n<div class=\"wide\"><table>{}\n<tbody>{}</tbody></table></div></details>\n",
        head(&columns),
        rows.collect::<String>()
    )
}
