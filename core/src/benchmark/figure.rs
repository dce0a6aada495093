//! Numbers that a benchmark reports.

use serde::{Deserialize, Serialize};

/// What a figure's value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Unit {
    /// Hundredths.
    Percent,
    /// Points of the benchmark's own scale.
    Points,
}

/// A number that a benchmark reports of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Figure {
    /// What it is of: `accuracy`, `perception`, `subject: social science`.
    pub name: String,
    /// Its value in its unit.
    pub value: f64,
    /// Its unit.
    pub unit: Unit,
    /// How many answers it is of.
    pub count: usize,
    /// An interval that holds it with 95 % confidence, in its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

impl Figure {
    /// A share, given from 0 to 1 and reported in percent.
    pub fn percent(name: impl Into<String>, share: f64, count: usize) -> Self {
        Self {
            name: name.into(),
            value: 100.0 * share,
            unit: Unit::Percent,
            count,
            interval: None,
        }
    }

    /// Points of the benchmark's own scale.
    pub fn points(name: impl Into<String>, value: f64, count: usize) -> Self {
        Self {
            name: name.into(),
            value,
            unit: Unit::Points,
            count,
            interval: None,
        }
    }

    /// With an interval in the figure's unit.
    #[must_use]
    pub fn within(self, low: f64, high: f64) -> Self {
        Self {
            interval: Some([low, high]),
            ..self
        }
    }
}
