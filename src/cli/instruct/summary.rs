//! What is said of instruction data that is being made.

use std::fmt::{Display, Write};

use indicatif::HumanCount;

use crate::instruct::{BatchRead, Estimate, Made, PerType, Progress};

/// How asking goes, in a few words.
pub(super) fn message(now: &Progress) -> String {
    let mut text = format!("{} accepted", HumanCount(now.accepted));
    let mut say = |count: u64, what: &str| {
        if count > 0 {
            write!(text, ", {} {what}", HumanCount(count)).expect("a string takes any text");
        }
    };
    say(now.rejected, "rejected");
    say(now.unanswered, "unanswered");
    say(now.usage.total(), "tokens");
    text
}

/// What was made so far.
pub(super) fn text(made: &Made) -> String {
    let count = |number: u64| HumanCount(number);
    let total = made.accepted.total() + made.given_up.total() + made.open.total();
    let mut text = format!(
        "made {} of {} samples: {}; {} replies",
        count(made.accepted.total()),
        count(total),
        of_types(&made.accepted),
        count(made.replies),
    );
    let all: u64 = made.rejects.values().sum();
    if all > 0 {
        let reasons = made.rejects.iter();
        let reasons =
            reasons.map(|(reason, number)| format!("{} {}", count(*number), reason.name()));
        let reasons: Vec<String> = reasons.collect();
        add(
            &mut text,
            format!("{} rejected ({})", count(all), reasons.join(", ")),
        );
    }
    if made.given_up.total() > 0 {
        add(
            &mut text,
            format!("{} samples given up", count(made.given_up.total())),
        );
    }
    if made.open.total() > 0 {
        add(
            &mut text,
            format!("{} still to be made", count(made.open.total())),
        );
    }
    for (kind, number) in &made.flags {
        add(&mut text, format!("{} flags {kind}", count(*number)));
    }
    let usage = made.usage;
    let tokens = format!(
        "\n{} tokens of requests, {} of replies",
        count(usage.prompt_tokens),
        count(usage.completion_tokens)
    );
    text.push_str(&tokens);
    if made.uncounted > 0 {
        add(
            &mut text,
            format!("{} replies uncounted", count(made.uncounted)),
        );
    }
    if let Some(money) = made.money {
        add(&mut text, format!("cost {money:.2}"));
    }
    text
}

fn add(text: &mut String, more: impl Display) {
    write!(text, "; {more}").expect("a string takes any text");
}

/// What was in a batch's output.
pub(super) fn batch_read(read: &BatchRead) -> String {
    let mut text = format!(
        "{} replies accepted, {} rejected",
        HumanCount(read.accepted),
        HumanCount(read.rejected)
    );
    if read.known > 0 {
        add(
            &mut text,
            format!("{} known already", HumanCount(read.known)),
        );
    }
    if read.unanswered > 0 {
        add(
            &mut text,
            format!("{} requests unanswered", HumanCount(read.unanswered)),
        );
    }
    text
}

/// What will be asked, and what it will cost.
pub(super) fn plan(estimate: &Estimate, money: Option<f64>) -> String {
    let usage = estimate.usage;
    let mut text = format!(
        "requests  {}: {}\ntokens    about {} of requests, {} of replies\n",
        HumanCount(estimate.requests.total()),
        of_types(&estimate.requests),
        HumanCount(usage.prompt_tokens),
        HumanCount(usage.completion_tokens),
    );
    match money {
        Some(money) => writeln!(
            text,
            "cost      about {money:.2}, in the currency of the prices"
        ),
        None => writeln!(text, "cost      unknown: state --price-in and --price-out"),
    }
    .expect("a string takes any text");
    text.push_str("replies that are rejected and asked for again come on top\n");
    text
}

fn of_types(counts: &PerType<u64>) -> String {
    format!(
        "{} conversations, {} descriptions, {} reasonings",
        HumanCount(counts.conversation),
        HumanCount(counts.detail),
        HumanCount(counts.reasoning)
    )
}
