//! Waits between retries, on a clock of our own.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use menagerie::endpoint::{Budget, ChatError, Clock, DriveError, Endpoint, EndpointConfig, Spent};

use super::misbehave::{Behaviour, Received, Server};
use super::{Full, Questions, config};

/// A clock that waits take no time on.
#[derive(Default)]
struct Quick {
    now: Mutex<Duration>,
    waits: Mutex<Vec<Duration>>,
}

impl Clock for Quick {
    fn now(&self) -> Duration {
        *self.now.lock().expect("the time")
    }

    /// 1994-11-06 08:49:37.
    fn date(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(784_111_777)
    }

    fn wait(&self, time: Duration, _: &dyn Fn() -> bool) {
        *self.now.lock().expect("the time") += time;
        self.waits.lock().expect("the waits").push(time);
    }
}

/// Asks once, and says how long was waited before each retry.
fn waits(
    change: impl Fn(&mut EndpointConfig),
    handler: impl Fn(&Received) -> Behaviour + Send + Sync + 'static,
) -> (Vec<f64>, Result<(), DriveError<Full>>) {
    let server = Server::start(handler);
    let mut config = config(&server);
    config.backoff = Duration::from_secs(1);
    config.seed = 7;
    change(&mut config);
    let clock = Arc::new(Quick::default());
    let endpoint = Endpoint::with_clock(config, clock.clone()).expect("sound");
    let mut work = Questions::new(1);
    let stop = AtomicBool::new(false);
    let ended = endpoint.drive(&mut work, &Budget::default(), &mut Spent::default(), &stop);
    let waits = clock.waits.lock().expect("the waits");
    let waits = waits.iter().map(Duration::as_secs_f64).collect();
    (waits, ended.map(drop))
}

#[test]
fn a_server_is_left_alone_as_long_as_it_asks() {
    for (name, value, seconds) in [
        ("Retry-After", "7", 7.0),
        ("Retry-After", "Sun, 06 Nov 1994 08:50:00 GMT", 23.0),
        ("retry-after-ms", "1500", 1.5),
    ] {
        let (waits, ended) = waits(
            |_| (),
            move |request| match request.attempt {
                1 => Behaviour::error(429, "rate_limit_exceeded").with(name, value),
                2 => Behaviour::error(503, "overloaded").with(name, value),
                _ => Behaviour::says("yes"),
            },
        );
        ended.expect("it ends well");
        assert_eq!(waits.len(), 2, "{waits:?}");
        let right = seconds..seconds + 1.0;
        assert!(waits.iter().all(|wait| right.contains(wait)), "{waits:?}");
    }
}

/// A clock that stands still.
#[derive(Default)]
struct Still(Mutex<Vec<Duration>>);

impl Clock for Still {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn date(&self) -> SystemTime {
        UNIX_EPOCH
    }

    fn wait(&self, time: Duration, _: &dyn Fn() -> bool) {
        self.0.lock().expect("the waits").push(time);
    }
}

#[test]
fn what_the_server_asks_of_one_request_holds_for_all() {
    let server = Server::start(|request| match request.number {
        1 => Behaviour::error(429, "rate_limit_exceeded").with("Retry-After", "30"),
        _ => Behaviour::says("yes"),
    });
    let mut config = config(&server);
    config.in_flight = 1;
    let clock = Arc::new(Still::default());
    let endpoint = Endpoint::with_clock(config, clock.clone()).expect("sound");
    let mut work = Questions::new(5);
    let stop = AtomicBool::new(false);
    let ended = endpoint.drive(&mut work, &Budget::default(), &mut Spent::default(), &stop);
    assert!(ended.is_ok());
    assert_eq!(server.received().len(), 6);
    // The first one's own wait, and each one's before it is sent from then on.
    let waits = clock.0.lock().expect("the waits");
    assert_eq!(*waits, [Duration::from_secs(30); 6]);
}

#[test]
fn waits_of_our_own_choice_grow_and_are_the_same_for_the_same_seed() {
    let broken = |_: &Received| Behaviour::error(500, "broken");
    let few = |config: &mut EndpointConfig| config.retries = 12;
    let (first, ended) = waits(few, broken);
    ended.expect("one request that fails is no end");
    let most = (0..12).map(|retry| f64::from(1 << retry).min(60.0));
    assert_eq!(first.len(), 12);
    assert!(
        first.iter().zip(most).all(|(wait, most)| *wait < most),
        "{first:?}"
    );
    assert!(first.iter().any(|wait| *wait > 1.0), "{first:?}");
    assert_eq!(waits(few, broken).0, first);
}

#[test]
fn who_asks_for_an_hour_is_not_waited_for() {
    let (waits, ended) = waits(
        |_| (),
        |_| Behaviour::error(429, "rate_limit_exceeded").with("Retry-After", "3600"),
    );
    assert!(waits.is_empty());
    let error = ended.expect_err("it takes too long");
    assert!(matches!(
        error,
        DriveError::Fatal(ChatError::ComeBack { .. })
    ));
    assert!(error.to_string().contains("3600 s"), "{error}");
}
