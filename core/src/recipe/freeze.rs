//! Targets of `freeze`: named groups of parameters.

use std::collections::BTreeSet;
use std::fmt::{Display, Formatter};
use std::ops::Range;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;

use crate::component::Component;
use crate::error::nearest;

/// A dotted prefix of parameter paths, beginning with a component: `vision`, `llm.embed_tokens`.
/// A segment may be `*` (any one) or a half-open range of numbers (`vision.layers.0..20`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreezePattern {
    text: String,
    segments: Vec<Segment>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Name(String),
    Any,
    Range(Range<usize>),
}

/// A `freeze` target that cannot be read, or does not fit the model.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FreezeError {
    /// Not a dotted prefix of a parameter path.
    #[error("`{pattern}`: {message}")]
    Syntax {
        /// The target.
        pattern: String,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// No parameter's path begins so.
    #[error("`{pattern}` matches no parameter; there are: {}{}", .allowed.join(", "), nearest(.pattern, .allowed))]
    Unmatched {
        /// The target.
        pattern: String,
        /// The groups at the level where it stops matching.
        allowed: Vec<String>,
    },
    /// Every parameter is frozen.
    #[error("every parameter is frozen, so the stage would learn nothing; leave out a target")]
    Everything,
}

impl FreezePattern {
    /// Reads a target.
    ///
    /// # Errors
    /// A first segment that is no component, an empty segment, or a range that is empty.
    pub fn parse(text: &str) -> Result<Self, FreezeError> {
        let syntax = |message: String| FreezeError::Syntax {
            pattern: text.to_owned(),
            message,
        };
        let parts: Vec<&str> = text.split('.').collect();
        let components = Component::ALL.map(Component::name);
        if !components.contains(&parts[0]) {
            let hint = nearest(parts[0], &components);
            let list = components.join(", ");
            return Err(syntax(format!("it must begin with one of: {list}{hint}")));
        }
        let mut segments = Vec::new();
        let mut rest = &parts[..];
        while let [first, tail @ ..] = rest {
            // `0..20` was cut into `0`, ``, `20`.
            if let ["", end, tail @ ..] = tail {
                let bounds = first.parse().ok().zip(end.parse().ok());
                let range = bounds.map(|(start, end)| start..end);
                let range = range.filter(|range| !range.is_empty()).ok_or_else(|| {
                    syntax("a range is two numbers, the second excluded, as in `0..20`".to_owned())
                })?;
                segments.push(Segment::Range(range));
                rest = tail;
            } else {
                segments.push(match *first {
                    "" => return Err(syntax("a segment between dots is empty".to_owned())),
                    "*" => Segment::Any,
                    name => Segment::Name(name.to_owned()),
                });
                rest = tail;
            }
        }
        Ok(Self {
            text: text.to_owned(),
            segments,
        })
    }

    /// Whether the parameter at `path` (`llm.layers.3.attention.query.weight`) belongs to it.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        self.matched(path) == self.segments.len()
    }

    /// The target as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The component it lies in.
    #[must_use]
    pub fn component(&self) -> Component {
        let named = |component: &Component| matches!(&self.segments[0], Segment::Name(name) if name == component.name());
        let found = Component::ALL.into_iter().find(named);
        found.expect("the first segment is a component")
    }

    /// Whether it is a whole component.
    #[must_use]
    pub fn is_component(&self) -> bool {
        self.segments.len() == 1
    }

    /// Checks that it names something.
    ///
    /// # Errors
    /// None of the paths belongs to it.
    pub(super) fn check_matches(&self, paths: &[&str]) -> Result<(), FreezeError> {
        if paths.iter().any(|path| self.matches(path)) {
            return Ok(());
        }
        Err(FreezeError::Unmatched {
            pattern: self.text.clone(),
            allowed: groups_near(self, paths),
        })
    }

    /// Leading segments that match `path`.
    fn matched(&self, path: &str) -> usize {
        let pairs = self.segments.iter().zip(path.split('.'));
        pairs
            .take_while(|(segment, name)| segment.matches(name))
            .count()
    }
}

impl Segment {
    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Name(expected) => expected == name,
            Self::Any => true,
            Self::Range(range) => name.parse().is_ok_and(|number| range.contains(&number)),
        }
    }
}

/// Checks `freeze` against the paths of all parameters of the model.
///
/// # Errors
/// A target that matches none, or no parameter left to learn.
pub fn check_freeze<'a>(
    patterns: &[FreezePattern],
    paths: impl Iterator<Item = &'a str>,
) -> Result<(), FreezeError> {
    let paths: Vec<&str> = paths.collect();
    check_matched(patterns, &paths)?;
    let frozen = |path: &&str| patterns.iter().any(|pattern| pattern.matches(path));
    if !paths.is_empty() && paths.iter().all(frozen) {
        return Err(FreezeError::Everything);
    }
    Ok(())
}

/// Whether every pattern matches one of the `paths`.
pub(super) fn check_matched(patterns: &[FreezePattern], paths: &[&str]) -> Result<(), FreezeError> {
    patterns
        .iter()
        .try_for_each(|pattern| pattern.check_matches(paths))
}

/// The groups at the level where `pattern` stops matching; numbered ones as a range.
fn groups_near(pattern: &FreezePattern, paths: &[&str]) -> Vec<String> {
    let deepest = paths.iter().map(|path| pattern.matched(path)).max();
    let deepest = deepest.unwrap_or(0);
    let mut names = BTreeSet::new();
    let mut count = None;
    let mut prefix = String::new();
    for path in paths.iter().filter(|path| pattern.matched(path) == deepest) {
        let mut segments = path.split('.');
        let before: Vec<&str> = segments.by_ref().take(deepest).collect();
        prefix = before.join(".");
        let Some(next) = segments.next() else {
            continue;
        };
        match next.parse::<usize>() {
            Ok(number) => count = count.max(Some(number + 1)),
            Err(_) => drop(names.insert(super::origin::join(&prefix, next))),
        }
    }
    let numbered = count.map(|count| format!("{prefix}.0..{count}"));
    names.into_iter().chain(numbered).collect()
}

impl Display for FreezePattern {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for FreezePattern {
    type Err = FreezeError;

    fn from_str(text: &str) -> Result<Self, FreezeError> {
        Self::parse(text)
    }
}

impl Serialize for FreezePattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for FreezePattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(de::Error::custom)
    }
}

impl JsonSchema for FreezePattern {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FreezePattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": r"^(vision|projector|llm)(\..+)?$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: [&str; 7] = [
        "vision.layers.0.attention.query.weight",
        "vision.layers.19.attention.query.weight",
        "vision.layers.20.attention.query.weight",
        "vision.norm.gamma",
        "projector.linear.weight",
        "llm.embed_tokens.weight",
        "llm.layers.3.attention.query.weight",
    ];

    fn matched(pattern: &str) -> Vec<&'static str> {
        let pattern = FreezePattern::parse(pattern).unwrap();
        PATHS
            .into_iter()
            .filter(|path| pattern.matches(path))
            .collect()
    }

    fn check(patterns: &[&str]) -> String {
        let patterns: Vec<_> = patterns.iter().map(|p| p.parse().unwrap()).collect();
        check_freeze(&patterns, PATHS.into_iter()).map_or_else(|e| e.to_string(), |()| "ok".into())
    }

    #[test]
    fn a_target_is_a_prefix_of_whole_segments() {
        assert_eq!(matched("vision").len(), 4);
        assert_eq!(matched("llm.embed_tokens"), [PATHS[5]]);
        assert!(matched("llm.embed").is_empty());
    }

    #[test]
    fn a_range_leaves_out_its_end() {
        assert_eq!(matched("vision.layers.0..20"), PATHS[..2]);
        assert_eq!(matched("vision.layers.0..20.attention"), PATHS[..2]);
    }

    #[test]
    fn a_star_is_one_segment() {
        assert_eq!(matched("vision.layers.*.attention"), PATHS[..3]);
        assert!(matched("vision.*.attention").is_empty());
    }

    #[test]
    fn bad_targets_say_what_is_allowed() {
        let message = |text| FreezePattern::parse(text).unwrap_err().to_string();
        assert_eq!(
            message("vison.layers"),
            "`vison.layers`: it must begin with one of: vision, projector, llm (did you mean `vision`?)"
        );
        assert!(message("vision.layers.20..3").contains("as in `0..20`"));
        assert!(message("vision.layers.5..").contains("as in `0..20`"));
        assert!(message("vision.").contains("empty"));
    }

    #[test]
    fn an_unmatched_target_names_the_groups_beside_it() {
        assert_eq!(check(&["vision", "llm"]), "ok");
        assert_eq!(
            check(&["llm.embed_token"]),
            "`llm.embed_token` matches no parameter; there are: llm.embed_tokens, llm.layers (did you mean `llm.embed_tokens`?)"
        );
        assert_eq!(
            check(&["vision.layers.40..44"]),
            "`vision.layers.40..44` matches no parameter; there are: vision.layers.0..21 (did you mean `vision.layers.0..21`?)"
        );
    }

    #[test]
    fn freezing_all_parameters_is_an_error() {
        let message = check(&["vision", "projector", "llm.layers", "llm.embed_tokens"]);
        assert!(
            message.starts_with("every parameter is frozen"),
            "{message}"
        );
    }
}
