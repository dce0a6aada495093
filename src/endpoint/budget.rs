//! What replies may cost, and what they did.

use serde::{Deserialize, Serialize};

use super::error::EndpointError;
use super::reply::{ChatReply, Usage};

/// What all replies together may cost. The default is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Budget {
    /// Most tokens, of conversations and replies together.
    pub tokens: Option<u64>,
    /// Most money, in the currency of the prices, which must be known for it.
    pub money: Option<f64>,
    /// What tokens cost.
    pub prices: Option<Prices>,
}

impl Budget {
    /// Checks that its numbers are some, and that there are prices where they are needed.
    ///
    /// # Errors
    /// They are not.
    pub fn check(&self) -> Result<(), EndpointError> {
        let sound = |name, number: Option<f64>| match number {
            Some(number) if !(number.is_finite() && number >= 0.0) => Err(EndpointError::Range {
                name,
                allowed: "a number that is not below 0",
            }),
            _ => Ok(()),
        };
        sound("budget", self.money)?;
        sound("price", self.prices.map(|prices| prices.input))?;
        sound("price", self.prices.map(|prices| prices.output))?;
        if self.money.is_some() && self.prices.is_none() {
            return Err(EndpointError::NoPrices);
        }
        Ok(())
    }
}

/// What a million tokens cost, in any one currency. Rebates on repeated beginnings of conversations
/// are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Prices {
    /// Of the conversation that is sent.
    pub input: f64,
    /// Of the reply.
    pub output: f64,
}

impl Prices {
    /// What a reply, or many, costs.
    #[must_use]
    pub fn of(&self, usage: Usage) -> f64 {
        let of = |tokens: u64, price: f64| tokens as f64 * price / 1e6;
        of(usage.prompt_tokens, self.input) + of(usage.completion_tokens, self.output)
    }
}

/// What replies have cost so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spent {
    /// Requests that were sent, retries included.
    pub requests: u64,
    /// Replies that came.
    pub replies: u64,
    /// Replies whose tokens the server did not count, so that they are in no sum.
    pub uncounted: u64,
    /// Tokens of all others.
    pub usage: Usage,
    /// What these cost; none if no prices are known.
    pub money: Option<f64>,
}

impl Spent {
    /// Counts a reply, one of an earlier run too. `requests` is not changed by it.
    pub fn add(&mut self, reply: &ChatReply, prices: Option<&Prices>) {
        self.replies += 1;
        match reply.usage {
            Some(usage) => self.usage.add(usage),
            None => self.uncounted += 1,
        }
        self.money = prices.map(|prices| prices.of(self.usage));
    }
}
