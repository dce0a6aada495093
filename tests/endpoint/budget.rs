//! A budget is kept, and nothing that was paid for is lost.

use std::sync::atomic::AtomicBool;

use menagerie::endpoint::{Budget, DriveError, Ended, Endpoint, Prices, Spent};

use super::misbehave::{Behaviour, Received, Server, completion};
use super::{Full, Questions, config};

/// A request takes 60 tokens and its reply 40.
fn hundred(_: &Received) -> Behaviour {
    Behaviour::json(&completion("yes", Some((60, 40))))
}

fn drive(
    server: &Server,
    budget: &Budget,
    spent: &mut Spent,
) -> (Result<Ended, DriveError<Full>>, Questions) {
    let endpoint = Endpoint::new(config(server)).expect("sound");
    let mut work = Questions::new(1000);
    let stop = AtomicBool::new(false);
    let ended = endpoint.drive(&mut work, budget, spent, &stop);
    (ended, work)
}

fn tokens(tokens: u64) -> Budget {
    Budget {
        tokens: Some(tokens),
        ..Budget::default()
    }
}

#[test]
fn replies_of_one_size_fill_a_budget_and_never_exceed_it() {
    let server = Server::start(hundred);
    let mut spent = Spent::default();
    let (ended, work) = drive(&server, &tokens(1050), &mut spent);
    assert_eq!(ended.expect("no error"), Ended::OutOfBudget);
    assert_eq!((work.replies().len(), server.received().len()), (10, 10));
    assert_eq!(spent.usage.total(), 1000);

    // The next run has the same budget, and what was spent.
    let (ended, work) = drive(&server, &tokens(1050), &mut spent);
    assert_eq!(ended.expect("no error"), Ended::OutOfBudget);
    assert!(work.outcomes.is_empty());
    let (ended, work) = drive(&server, &tokens(1100), &mut spent);
    assert_eq!(ended.expect("no error"), Ended::OutOfBudget);
    assert_eq!(work.outcomes.len(), 1);
    assert_eq!(server.received().len(), 11);
}

#[test]
fn money_is_counted_by_both_prices() {
    let server = Server::start(hundred);
    let budget = Budget {
        money: Some(0.01),
        prices: Some(Prices {
            input: 5.0,
            output: 15.0,
        }),
        ..Budget::default()
    };
    let mut spent = Spent::default();
    let (ended, work) = drive(&server, &budget, &mut spent);
    assert_eq!(ended.expect("no error"), Ended::OutOfBudget);
    // A reply is 60 * 5 + 40 * 15 = 900 millionths.
    assert_eq!(work.outcomes.len(), 11);
    let money = spent.money.expect("prices are known");
    assert!((money - 0.0099).abs() < 1e-12, "{money}");

    let without = Budget {
        prices: None,
        ..budget
    };
    let (ended, _) = drive(&server, &without, &mut Spent::default());
    assert!(matches!(ended, Err(DriveError::Budget(_))));
}

#[test]
fn uneven_replies_exceed_a_budget_by_their_unevenness_at_most() {
    // From 10 to 200 tokens, the dearest late.
    let size = |number: usize| 10 + (number as u64 * 37) % 50 + 150 * u64::from(number % 40 == 39);
    for budget in [500, 2000, 5000] {
        let server = Server::start(move |request| {
            Behaviour::json(&completion("yes", Some((0, size(request.number)))))
        });
        let mut spent = Spent::default();
        let (ended, work) = drive(&server, &tokens(budget), &mut spent);
        assert_eq!(ended.expect("no error"), Ended::OutOfBudget);
        // 8 in flight, each dearer than any before by 200 - 10 at most.
        assert!(spent.usage.total() <= budget + 8 * 190, "{spent:?}");
        assert!(spent.usage.total() > budget - 210, "{spent:?}");
        assert_eq!(work.outcomes.len(), server.received().len());
    }
}

#[test]
fn a_budget_with_a_server_that_does_not_count_ends_after_one_reply() {
    let server = Server::start(|_| Behaviour::json(&completion("yes", None)));
    let mut spent = Spent::default();
    let (ended, work) = drive(&server, &tokens(1_000_000), &mut spent);
    assert!(matches!(ended, Err(DriveError::NoUsage)));
    assert_eq!((work.replies().len(), server.received().len()), (1, 1));

    let mut spent = Spent::default();
    let (ended, _) = drive(&server, &Budget::default(), &mut spent);
    assert_eq!(ended.expect("no error"), Ended::Finished);
    assert_eq!((spent.replies, spent.uncounted), (1000, 1000));
    assert_eq!(spent.usage.total(), 0);
}
