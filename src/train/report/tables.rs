//! Scores and stages in numbers.

use crate::html::{bytes, duration, escape, head, percent, short, thousands};
use crate::train::history::History;
use crate::train::metrics::Score;
use crate::train::timeline::Timeline;
use crate::train::totals::StageTotals;

/// More scores than these are in the curve alone.
const LISTED: usize = 12;

/// When a score was taken, in words.
pub(super) fn place(timeline: &Timeline, stage: &str, step: usize) -> String {
    if timeline.is_end(stage, step) {
        format!("after {stage}")
    } else {
        format!("{stage}, step {}", thousands(step))
    }
}

/// A row a score, the best one marked.
pub(super) fn scores(history: &History, timeline: &Timeline) -> String {
    if history.scores.is_empty() {
        return String::new();
    }
    let best = history.best().filter(|_| history.scores.len() > 1);
    let all = history.scores.len();
    let listed = |score: &&Score| {
        all <= LISTED
            || best == Some(score)
            || timeline.is_end(&score.stage, score.step)
            || history.scores.last() == Some(score)
    };
    let note = if all > LISTED {
        format!(" Of {all} scores those at the end of a stage, the last and the best.")
    } else {
        String::new()
    };
    let rows = history.scores.iter().filter(listed).map(|score| {
        let blind = score.blind.map_or("–".to_owned(), percent);
        let mark = if best == Some(score) {
            " <span class=\"tag\">best</span>"
        } else {
            ""
        };
        format!(
            "<tr><td>{}{mark}</td><td class=\"number\">{}</td><td>{}</td><td class=\"number\">{blind}</td><td class=\"number\">{}</td></tr>\n",
            escape(&place(timeline, &score.stage, score.step)),
            percent(score.score),
            bar(score.score, score.blind),
            thousands(score.questions),
        )
    });
    let columns = [
        ("taken", ""),
        ("score", "number"),
        ("", ""),
        ("blind", "number"),
        ("questions", "number"),
    ];
    format!(
        "<h2>Score on held-out questions</h2>\n<div class=\"wide\"><table>{}\n<tbody>{}</tbody></table></div>\n\
         <p class=\"note\">Blind: the same questions with every image replaced by grey, marked by a line in the bar.{note}</p>\n",
        head(&columns),
        rows.collect::<String>()
    )
}

/// A bar with a mark where the blind score lies.
fn bar(score: f64, blind: Option<f64>) -> String {
    let mark = blind.map_or(String::new(), |blind| {
        format!("<i style=\"left:{:.1}%\"></i>", blind * 100.0)
    });
    format!(
        "<div class=\"bar\"><b style=\"width:{:.1}%\"></b>{mark}</div>",
        score * 100.0
    )
}

/// A row a stage.
pub(super) fn stages(totals: &[StageTotals]) -> String {
    let number = |text: String| format!("<td class=\"number\">{text}</td>");
    let keeps_features = totals.iter().any(|stage| stage.features_found.is_some());
    let rows = totals.iter().map(|stage| {
        let cells = [
            format!(
                "{} of {}",
                thousands(stage.steps),
                thousands(stage.planned_steps)
            ),
            thousands(stage.samples),
            short(stage.tokens as f64),
            stage
                .loss
                .map_or("–".to_owned(), |loss| format!("{loss:.4}")),
            duration(stage.seconds),
            short(stage.tokens_per_second()),
            percent(stage.wait_share()),
            stage.peak_bytes.map_or("–".to_owned(), bytes),
        ];
        let features = [stage.features_found, stage.features_computed]
            .map(|images| images.map_or("–".to_owned(), thousands));
        let features = if keeps_features {
            features.map(number).concat()
        } else {
            String::new()
        };
        format!(
            "<tr><td>{}</td>{}{features}</tr>\n",
            escape(&stage.stage),
            cells.map(number).concat()
        )
    });
    let mut columns = vec![
        ("stage", ""),
        ("steps", "number"),
        ("samples", "number"),
        ("tokens", "number"),
        ("loss, smoothed", "number"),
        ("time", "number"),
        ("tokens/s", "number"),
        ("waiting for data", "number"),
        ("most memory", "number"),
    ];
    if keeps_features {
        columns.extend([("features found", "number"), ("computed", "number")]);
    }
    format!(
        "<h2>Stages</h2>\n<div class=\"wide\"><table>{}\n<tbody>{}</tbody></table></div>\n",
        head(&columns),
        rows.collect::<String>()
    )
}
