//! Pages that need nothing from outside themselves.

#[cfg(feature = "instruct")]
pub(crate) mod bars;
pub(crate) mod plot;

const STYLE: &str = include_str!("html/style.css");

/// A page around `body`, which is HTML already.
pub(crate) fn page(title: &str, body: &str) -> String {
    styled_page(title, "", body)
}

/// As [`page`], with rules of its own after the common ones.
pub(crate) fn styled_page(title: &str, style: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>{STYLE}{style}</style>\n<main>\n{body}</main>\n</html>\n"
    )
}

/// Names with their values, in a line.
pub(crate) fn facts(facts: &[(&str, String)]) -> String {
    let items = facts
        .iter()
        .map(|(name, value)| format!("<div><dt>{name}</dt><dd>{}</dd></div>", escape(value)));
    format!("<dl class=\"facts\">{}</dl>\n", items.collect::<String>())
}

/// A table's head, a column's class after its name.
pub(crate) fn head(columns: &[(&str, &str)]) -> String {
    let cells = columns
        .iter()
        .map(|(name, class)| format!("<th class=\"{class}\">{name}</th>"));
    format!("<thead><tr>{}</tr></thead>", cells.collect::<String>())
}

/// Text as HTML holds it.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A share of 1.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Digits in groups of three.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number of things, in words: `1 run`, `2 runs`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} {what}{s}")
}

/// Seconds, in the two largest units that they fill.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub(crate) fn duration(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    let (days, hours) = (whole / 86_400, whole / 3_600 % 24);
    let (minutes, rest) = (whole / 60 % 60, whole % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) => format!("{minutes} min {rest} s"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// Bytes, in binary units.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = count as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{count} B")
    } else {
        format!("{size:.1} {}", UNITS[unit])
    }
}

/// A count in few digits: `950`, `12.3 k`.
pub(crate) fn short(count: f64) -> String {
    match count {
        count if count >= 1e9 => format!("{:.1} G", count / 1e9),
        count if count >= 1e6 => format!("{:.1} M", count / 1e6),
        count if count >= 1e4 => format!("{:.1} k", count / 1e3),
        count => format!("{count:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_have_their_units() {
        assert_eq!(duration(59.6), "1 min 0 s");
        assert_eq!(duration(7_265.0), "2 h 1 min");
        assert_eq!(duration(200_000.0), "2 d 7 h");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(3 << 29), "1.5 GiB");
        assert_eq!(short(12_345.0), "12.3 k");
        assert_eq!(thousands(1_234_567), "1\u{202f}234\u{202f}567");
    }
}
