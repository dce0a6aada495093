//! The page.

use super::{Report, figures, tables, words};
use crate::html::{duration, escape, facts, page as html_page};
use crate::sweep::statistics::METHOD;

pub(super) fn page(report: &Report<'_>) -> String {
    let sweep = report.sweep;
    let mut body = format!("<h1>{}</h1>\n", escape(&sweep.name));
    if let Some(description) = &sweep.description {
        body.push_str(&format!("<p class=\"lead\">{}</p>\n", escape(description)));
    }
    for sentence in words::lead(report) {
        body.push_str(&format!("<p>{}</p>\n", escape(&sentence)));
    }
    body.push_str(&facts(&numbers(report)));
    body.push_str("<h2>Scores</h2>\n");
    body.push_str(
        &tables::scores(report).html(|row, column, text| match column {
            1 => format!(
                "<span class=\"swatch {}\"></span>{text}",
                figures::colour(row)
            ),
            5 if text.starts_with('▲') => format!("<span class=\"right\">{text}</span>"),
            5 if text.starts_with('▼') => format!("<span class=\"wrong\">{text}</span>"),
            _ => text,
        }),
    );
    for note in words::how_to_read(report) {
        body.push_str(&format!("<p class=\"note\">{}</p>\n", escape(&note)));
    }
    body.push_str(&figures::section(report));
    if let Some(means) = tables::alternatives(report) {
        body.push_str("<h2>Each alternative on average</h2>\n");
        body.push_str(&means.html(|_, _, text| text));
        body.push_str(
            "<p class=\"note\">The mean over all finished runs that have it. The alternatives of an axis \
             met the same others, so their means may be compared; how sure a difference is stands in the \
             table of scores.</p>\n",
        );
    }
    body.push_str("<h2>How each setting differs from the base</h2>\n");
    body.push_str(&tables::differences(report).html(|_, column, text| {
        if column > 1 && text != "–" {
            format!("<code>{text}</code>")
        } else {
            text
        }
    }));
    if let Some(failed) = tables::failed(report) {
        body.push_str("<h2>What failed</h2>\n");
        body.push_str(&failed.html(|_, _, text| text));
        body.push_str(
            "<p class=\"note\">All that a run said is in <code>logs</code>. The sweep tries them again when \
             it is run again.</p>\n",
        );
    }
    body.push_str("<h2>Runs</h2>\n");
    let results = report.results;
    body.push_str(&tables::runs(report).html(|row, column, text| {
        let page = results.points[row].run.join("report.html");
        if column == 0 && page.is_file() {
            let link = format!("runs/{text}/report.html");
            format!("<a href=\"{link}\">{text}</a>")
        } else {
            text
        }
    }));
    body.push_str(&format!("<h2>Method</h2>\n<p>{METHOD}</p>\n"));
    html_page(&sweep.name, &body)
}

fn numbers(report: &Report<'_>) -> Vec<(&'static str, String)> {
    let results = report.results;
    vec![
        ("base", report.sweep.base_name.clone()),
        ("settings", results.settings.len().to_string()),
        ("runs", results.points.len().to_string()),
        ("finished", results.finished().to_string()),
        ("failed", results.failed().count().to_string()),
        ("training", duration(results.trained_seconds)),
        ("from start to end", duration(report.folder.seconds())),
    ]
}
