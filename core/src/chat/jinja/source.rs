//! A template's source, before the engine reads it.

/// The engine takes time by the square of an expression's length. The sum of the squares may be
/// that of one of 4 kB, which takes tens of milliseconds; well-known models' have a tenth of it.
const WORK_LIMIT: usize = 1 << 24;

/// Whether reading the expressions of a template takes too long.
pub(super) fn is_too_complex(source: &str) -> bool {
    let mut work = 0;
    let mut rest = source;
    while let Some(place) = rest.find(['{']) {
        rest = &rest[place + 1..];
        let end = match rest.as_bytes().first() {
            Some(b'{') => b"}}",
            Some(b'%') => b"%}",
            _ => continue,
        };
        let (code, read) = expression(rest.as_bytes(), end);
        work += code * code;
        rest = rest.get(read..).unwrap_or_default();
    }
    work > WORK_LIMIT
}

/// How many bytes of code, texts apart, there are up to `end`, and how many bytes in all.
fn expression(source: &[u8], end: &[u8]) -> (usize, usize) {
    let mut code = 0;
    let mut quote = None;
    let mut place = 1;
    while place < source.len() {
        match (quote, source[place]) {
            (None, _) if source[place..].starts_with(end) => return (code, place),
            (None, mark @ (b'"' | b'\'')) => quote = Some(mark),
            (None, _) => code += 1,
            (Some(_), b'\\') => place += 1,
            (Some(open), mark) if mark == open => quote = None,
            (Some(_), _) => {}
        }
        place += 1;
    }
    (code, place)
}

/// `{% generation %}` … `{% endgeneration %}` as a block that changes nothing. Transformers marks
/// answers with it; here rendering finds them.
pub(super) fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(place) = rest.find("{%") {
        let (before, tag) = rest.split_at(place + 2);
        out.push_str(before);
        let inside = tag.trim_start_matches(['-', '+']).trim_start();
        let name_at = tag.len() - inside.len();
        let name_len = inside
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(inside.len());
        let instead = match &inside[..name_len] {
            "generation" => "if true",
            "endgeneration" => "endif",
            name => name,
        };
        out.push_str(&tag[..name_at]);
        out.push_str(instead);
        rest = &inside[name_len..];
    }
    out.push_str(rest);
    out
}
