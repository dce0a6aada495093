//! Whether one more request fits in a budget.

use super::budget::{Budget, Prices, Spent};
use super::reply::{ChatReply, Usage};

/// What a budget still allows.
#[derive(Debug)]
pub(super) struct Allowance {
    tokens: Option<u64>,
    money: Option<(f64, Prices)>,
    /// Tokens and money of the dearest reply so far; none before the first one.
    dearest: Option<(u64, f64)>,
}

impl Allowance {
    /// Of a sound budget of which something may be spent already.
    pub(super) fn new(budget: &Budget, spent: &Spent) -> Self {
        let mut allowance = Self {
            tokens: budget.tokens,
            money: budget.money.zip(budget.prices),
            dearest: None,
        };
        // An earlier run's replies are known by their mean alone.
        let counted = spent.replies.saturating_sub(spent.uncounted);
        if counted > 0 {
            allowance.note(Usage {
                prompt_tokens: spent.usage.prompt_tokens.div_ceil(counted),
                completion_tokens: spent.usage.completion_tokens.div_ceil(counted),
            });
        }
        allowance
    }

    /// Whether one more may be sent, beside those in flight.
    pub(super) fn allows(&self, spent: &Spent, flying: usize) -> bool {
        if !self.is_limited() {
            return true;
        }
        let Some((tokens, money)) = self.dearest else {
            return flying == 0 && self.fits(spent, 0, 0.0);
        };
        let count = flying as u64 + 1;
        self.fits(spent, count.saturating_mul(tokens), count as f64 * money)
    }

    fn fits(&self, spent: &Spent, tokens: u64, money: f64) -> bool {
        let used = spent.usage.total().saturating_add(tokens);
        let in_tokens = self.tokens.is_none_or(|most| used <= most);
        let in_money = self
            .money
            .as_ref()
            .is_none_or(|(most, prices)| prices.of(spent.usage) + money <= *most);
        in_tokens && in_money
    }

    /// Notes what a reply cost. It is false if there is a budget and the server did not count.
    pub(super) fn count(&mut self, reply: &ChatReply) -> bool {
        match reply.usage {
            Some(usage) => self.note(usage),
            None => return !self.is_limited(),
        }
        true
    }

    fn note(&mut self, usage: Usage) {
        let money = self.money.map_or(0.0, |(_, prices)| prices.of(usage));
        let (tokens_before, money_before) = self.dearest.unwrap_or_default();
        self.dearest = Some((usage.total().max(tokens_before), money.max(money_before)));
    }

    fn is_limited(&self) -> bool {
        self.tokens.is_some() || self.money.is_some()
    }
}
