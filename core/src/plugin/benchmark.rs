//! Benchmarks linked in, found by their exact name as the other plugins are.

use schemars::Schema;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::benchmark::{AnyBenchmark, Benchmark, Example};
use crate::error::nearest;

/// A registered benchmark.
#[derive(Debug)]
#[non_exhaustive]
pub struct BenchmarkPlugin {
    /// The name in `[eval] benchmark = "…"`.
    pub name: &'static str,
    /// The crate that registers it.
    pub crate_name: &'static str,
    /// That crate's version.
    pub crate_version: &'static str,
    schema: fn() -> Schema,
    example: fn() -> Example,
    build: fn(Value) -> Result<Box<dyn AnyBenchmark>, String>,
}

inventory::collect!(BenchmarkPlugin);

impl BenchmarkPlugin {
    /// The entry of one benchmark; used by the registration macro.
    #[must_use]
    pub const fn new<B: Benchmark>(crate_name: &'static str, crate_version: &'static str) -> Self {
        Self {
            name: B::NAME,
            crate_name,
            crate_version,
            schema: || schemars::schema_for!(B),
            example: B::example,
            build: build::<B>,
        }
    }

    /// What it says of itself: the docs of its type.
    #[must_use]
    pub fn description(&self) -> String {
        let schema = self.schema();
        let text = schema.get("description").and_then(|text| text.as_str());
        text.unwrap_or_default().replace('\n', " ")
    }

    /// See [`Benchmark::example`].
    #[must_use]
    pub fn example(&self) -> Example {
        (self.example)()
    }

    /// Its options: names, types, docs and defaults.
    #[must_use]
    pub fn schema(&self) -> Schema {
        (self.schema)()
    }

    /// The benchmark with those options, ready to ask; an empty map leaves all at their defaults.
    ///
    /// # Errors
    /// An option that it does not have, or of another kind.
    pub fn build(
        &self,
        options: Map<String, Value>,
    ) -> Result<Box<dyn AnyBenchmark>, BenchmarkError> {
        (self.build)(Value::Object(options)).map_err(|reason| BenchmarkError::Options {
            name: self.name.to_owned(),
            reason,
        })
    }
}

fn build<B: Benchmark>(options: Value) -> Result<Box<dyn AnyBenchmark>, String> {
    let built: B = serde_path_to_error::deserialize(options).map_err(|error| error.to_string())?;
    Ok(Box::new(built))
}

/// Registers the type of one benchmark, beside its definition.
#[macro_export]
macro_rules! register_benchmark {
    ($type:ty) => {
        $crate::inventory::submit! {
            $crate::plugin::BenchmarkPlugin::new::<$type>(
                env!("CARGO_PKG_NAME"),
                env!("CARGO_PKG_VERSION"),
            )
        }
    };
}

/// A benchmark that cannot be found.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BenchmarkError {
    /// None of that name is linked in.
    #[error("no benchmark is called `{name}`; there are: {}{}", .allowed.join(", "), nearest(.name, .allowed))]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are, sorted.
        allowed: Vec<String>,
    },

    /// Options that it does not take.
    #[error("the benchmark `{name}`: {reason}; `menagerie plugins {name}` lists its options")]
    Options {
        /// The benchmark.
        name: String,
        /// What is wrong with which of them.
        reason: String,
    },

    /// Two crates register the same name.
    #[error(
        "the benchmark `{name}` is registered by two crates, `{first}` and `{second}`; link only one of them, or rename one benchmark"
    )]
    Duplicate {
        /// The name registered twice.
        name: String,
        /// One crate.
        first: String,
        /// The other.
        second: String,
    },
}

/// Every benchmark linked in, sorted by name.
///
/// # Errors
/// Two of one name.
pub fn benchmarks() -> Result<Vec<&'static BenchmarkPlugin>, BenchmarkError> {
    let mut all: Vec<_> = inventory::iter::<BenchmarkPlugin>.into_iter().collect();
    all.sort_unstable_by_key(|plugin| (plugin.name, plugin.crate_name));
    match all.windows(2).find(|pair| pair[0].name == pair[1].name) {
        None => Ok(all),
        Some(pair) => Err(BenchmarkError::Duplicate {
            name: pair[0].name.to_owned(),
            first: pair[0].crate_name.to_owned(),
            second: pair[1].crate_name.to_owned(),
        }),
    }
}

/// The benchmark of that exact name.
///
/// # Errors
/// None of that name, or two of one name.
pub fn benchmark(name: &str) -> Result<&'static BenchmarkPlugin, BenchmarkError> {
    let all = benchmarks()?;
    let found = all.iter().find(|plugin| plugin.name == name);
    found.copied().ok_or_else(|| BenchmarkError::Unknown {
        name: name.to_owned(),
        allowed: all.iter().map(|plugin| plugin.name.to_owned()).collect(),
    })
}
