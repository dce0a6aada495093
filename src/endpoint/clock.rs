//! Time, as an endpoint sees it.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// How often a wait looks whether it is over.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Time, as an endpoint sees it: a test may have its own.
pub trait Clock: Send + Sync {
    /// Time since some moment, never going back.
    fn now(&self) -> Duration;

    /// The date, which a server's `Retry-After` may be.
    fn date(&self) -> SystemTime;

    /// Waits so long, or until `over` says that there is nothing to wait for.
    fn wait(&self, time: Duration, over: &dyn Fn() -> bool);
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    begun: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn date(&self) -> SystemTime {
        SystemTime::now()
    }

    fn wait(&self, time: Duration, over: &dyn Fn() -> bool) {
        let end = self.now().saturating_add(time);
        while !over() {
            let left = end.saturating_sub(self.now());
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(LOOK_EVERY));
        }
    }
}
