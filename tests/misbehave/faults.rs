//! Faults by a seeded script.

use std::hash::{DefaultHasher, Hash, Hasher};

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Behaviour, Received};

/// What goes wrong and may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 429, with `Retry-After: 0`.
    TooMany,
    /// 500 with a page of HTML.
    Broken,
    /// 503 in OpenAI's form.
    Overloaded,
    Hang,
    CutHeaders,
    CutBody,
    /// A body that is no JSON.
    NoJson,
    /// JSON that is no completion.
    WrongShape,
    Drip,
    TooShort,
    TooLong,
}

impl Fault {
    /// All that do not make the client wait for its timeout.
    pub const QUICK: &[Self] = &[
        Self::TooMany,
        Self::Broken,
        Self::Overloaded,
        Self::CutHeaders,
        Self::CutBody,
        Self::NoJson,
        Self::WrongShape,
        Self::TooShort,
    ];

    /// Those that do.
    pub const SLOW: &[Self] = &[Self::Hang, Self::Drip, Self::TooLong];

    /// The fault in place of a good answer.
    pub fn of(self, good: Behaviour) -> Behaviour {
        match self {
            Self::TooMany => Behaviour::error(429, "rate_limit_exceeded").with("Retry-After", "0"),
            Self::Broken => Behaviour::status(500, "<html><h1>500</h1></html>"),
            Self::Overloaded => Behaviour::error(503, "overloaded"),
            Self::Hang => Behaviour::Hang,
            Self::CutHeaders => Behaviour::CutHeaders,
            Self::CutBody => good.cut(),
            Self::NoJson => Behaviour::status(200, r#"{"choices": [{"message": {"cont"#),
            Self::WrongShape => Behaviour::status(200, r#"{"choices": [{"text": "old"}]}"#),
            Self::Drip => Behaviour::Drip,
            Self::TooShort => good.off_by(-7),
            Self::TooLong => good.off_by(7),
        }
    }
}

/// A good server that has one of `faults` in a share of its answers: which ones, and what it is,
/// follows from the seed, the request's body and how often it came.
pub fn faulty(
    seed: u64,
    share: f64,
    faults: &'static [Fault],
    good: impl Fn(&Received) -> Behaviour + Send + Sync + 'static,
) -> impl Fn(&Received) -> Behaviour + Send + Sync + 'static {
    move |request| {
        let mut hasher = DefaultHasher::new();
        (seed, request.body.to_string(), request.attempt).hash(&mut hasher);
        let mut random = ChaCha8Rng::seed_from_u64(hasher.finish());
        let good = good(request);
        if random.random_bool(share) {
            let fault = faults.choose(&mut random).expect("a fault");
            return fault.of(good);
        }
        good
    }
}
