//! Many requests at once: what is handed out, what is waited for, and when all ends.

use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, Scope};
use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::Endpoint;
use super::allowance::Allowance;
use super::budget::{Budget, Spent};
use super::error::{ChatError, DriveError};
use super::reply::ChatReply;
use super::request::ChatRequest;
use super::retry;
use super::work::{Ended, Work};

/// How often an endpoint is tried that nobody has answered at yet.
const FIRST_TRIES: u32 = 3;

type Outcome = Result<ChatReply, ChatError>;

/// A request that is over.
struct Landed {
    ticket: u64,
    /// How often it was sent.
    sent: u32,
    /// What came of it; none if it was given up while it waited.
    outcome: Option<Outcome>,
}

/// What the requests in flight share.
struct Flight<'a> {
    /// Set by someone else: to stop.
    stop: &'a AtomicBool,
    /// Set here, once there is no use in going on.
    ending: AtomicBool,
    /// Whether anything has answered there.
    heard: AtomicBool,
    /// Nothing is sent before: a server's wish holds for all requests.
    not_before: Mutex<Duration>,
}

impl Flight<'_> {
    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.ending.load(Ordering::Relaxed)
    }

    /// Whether the endpoint may be none at all: a wrong address, or a server that was never started.
    fn is_dead(&self, error: &ChatError) -> bool {
        matches!(error, ChatError::Unreachable { .. }) && !self.heard.load(Ordering::Relaxed)
    }

    fn end(&self) {
        self.ending.store(true, Ordering::Relaxed);
    }

    fn hold_until(&self, moment: Duration) {
        let mut not_before = self.not_before.lock().expect("nobody panics with it");
        *not_before = moment.max(*not_before);
    }

    fn not_before(&self) -> Duration {
        *self.not_before.lock().expect("nobody panics with it")
    }
}

impl Endpoint {
    /// Makes all requests of `work`, several at a time, and counts in `spent` what they cost: what
    /// stands there already counts too.
    ///
    /// A failure that may pass is tried again: 408, 409, 425, 429 and 5xx, a broken connection, a
    /// reply that is late or not understood. Before that it waits as long as the server asks
    /// (`Retry-After`), and so do all others, or else a random part of a time that doubles. Where
    /// nobody has answered yet, three tries are all: a wrong address is told at once.
    ///
    /// Once `stop` is set, nothing more is sent. What is in flight is paid for: it is waited for,
    /// and handed to `work`. So it is when the budget is spent, and when an error ends all.
    ///
    /// A request is sent if what was spent, and for it and each one in flight the dearest reply so
    /// far, fit in the budget. So the budget is exceeded by no more than replies are dearer than
    /// every one before them. Until the first reply there is one request at a time.
    ///
    /// # Errors
    /// An error that every request would meet ([`ChatError::is_fatal`]), many in a row that failed,
    /// a budget with a server that does not count, or a reply that `work` could not keep.
    pub fn drive<W: Work>(
        &self,
        work: &mut W,
        budget: &Budget,
        spent: &mut Spent,
        stop: &AtomicBool,
    ) -> Result<Ended, DriveError<W::Error>> {
        budget.check().map_err(DriveError::Budget)?;
        let allowance = Allowance::new(budget, spent);
        let flight = Flight {
            stop,
            ending: AtomicBool::new(false),
            heard: AtomicBool::new(false),
            not_before: Mutex::default(),
        };
        thread::scope(|scope| {
            let (sender, landed) = channel();
            let mut drive = Drive {
                endpoint: self,
                flight: &flight,
                budget,
                spent,
                allowance,
                sender,
                landed,
                flying: 0,
                failed_in_a_row: 0,
            };
            drive.run(work, scope)
        })
    }

    /// Sends a request until it is answered or there is no use in it.
    fn ask(&self, ticket: u64, request: &ChatRequest, flight: &Flight<'_>) -> Landed {
        let config = &self.config;
        let body = request.body(&config.model, config.token_limit);
        let body = serde_json::to_vec(&body).expect("JSON serialises");
        let mut random = ChaCha8Rng::seed_from_u64(config.seed ^ ticket);
        let mut sent = 0;
        let outcome = loop {
            self.wait_until(flight.not_before(), flight);
            if flight.is_over() {
                break None;
            }
            sent += 1;
            let outcome = self.http.post(&body, self.clock.as_ref());
            if !matches!(outcome, Err(ChatError::Unreachable { .. })) {
                flight.heard.store(true, Ordering::Relaxed);
            }
            match outcome {
                Err(error) if flight.is_dead(&error) && sent >= FIRST_TRIES => {
                    break Some(Err(error));
                }
                Err(error) if error.is_transient() && sent <= config.retries => {
                    let asked = error.after();
                    let now = self.clock.now();
                    if let Some(asked) = asked {
                        flight.hold_until(now.saturating_add(asked));
                    }
                    let wait = retry::wait(sent - 1, config.backoff, asked, &mut random);
                    self.wait_until(now.saturating_add(wait), flight);
                }
                outcome => break Some(outcome),
            }
        };
        Landed {
            ticket,
            sent,
            outcome,
        }
    }

    fn wait_until(&self, moment: Duration, flight: &Flight<'_>) {
        let left = moment.saturating_sub(self.clock.now());
        if !left.is_zero() {
            self.clock.wait(left, &|| flight.is_over());
        }
    }
}

/// All work on an endpoint, on the caller's thread.
struct Drive<'a> {
    endpoint: &'a Endpoint,
    flight: &'a Flight<'a>,
    budget: &'a Budget,
    spent: &'a mut Spent,
    allowance: Allowance,
    sender: Sender<thread::Result<Landed>>,
    landed: Receiver<thread::Result<Landed>>,
    flying: usize,
    failed_in_a_row: usize,
}

impl Drop for Drive<'_> {
    /// However it ends, nobody goes on waiting for a retry.
    fn drop(&mut self) {
        self.flight.end();
    }
}

impl<'a> Drive<'a> {
    fn run<'scope, W: Work>(
        &mut self,
        work: &mut W,
        scope: &'scope Scope<'scope, 'a>,
    ) -> Result<Ended, DriveError<W::Error>> {
        // A request that the budget does not allow yet.
        let mut held = None;
        let mut failure = None;
        loop {
            while failure.is_none() && self.has_room() {
                let Some(next) = held.take().or_else(|| work.next()) else {
                    break;
                };
                if !self.allowance.allows(self.spent, self.flying) {
                    held = Some(next);
                    break;
                }
                if let Err(error) = self.send(next, scope) {
                    failure = Some(DriveError::Thread(error));
                    self.flight.end();
                }
            }
            if self.flying == 0 {
                break;
            }
            let landed = self.landed.recv().expect("the sender is kept here");
            self.flying -= 1;
            let landed = landed.unwrap_or_else(|panic| panic::resume_unwind(panic));
            if let Err(error) = self.land(landed, work) {
                let unrecorded = matches!(error, DriveError::Work(_));
                failure.get_or_insert(error);
                self.flight.end();
                if unrecorded {
                    // Nothing that comes could be kept.
                    break;
                }
            }
        }
        match failure {
            Some(error) => Err(error),
            None if self.flight.is_over() => Ok(Ended::Interrupted),
            None if held.is_some() => Ok(Ended::OutOfBudget),
            None => Ok(Ended::Finished),
        }
    }

    fn has_room(&self) -> bool {
        self.flying < self.endpoint.config.in_flight && !self.flight.is_over()
    }

    fn send<'scope>(
        &mut self,
        (ticket, request): (u64, ChatRequest),
        scope: &'scope Scope<'scope, 'a>,
    ) -> std::io::Result<()> {
        let (endpoint, flight) = (self.endpoint, self.flight);
        let sender = self.sender.clone();
        let ask = move || {
            let landed = AssertUnwindSafe(|| endpoint.ask(ticket, &request, flight));
            // Nobody hears it if all has ended meanwhile.
            let _ = sender.send(panic::catch_unwind(landed));
        };
        thread::Builder::new().spawn_scoped(scope, ask)?;
        self.flying += 1;
        Ok(())
    }

    /// Counts what a request cost and hands it over.
    fn land<W: Work>(&mut self, landed: Landed, work: &mut W) -> Result<(), DriveError<W::Error>> {
        self.spent.requests += u64::from(landed.sent);
        let Some(outcome) = landed.outcome else {
            return Ok(());
        };
        let failure = self.judge(&outcome);
        // What a fatal error hits is nobody's outcome: mended, the request may be answered.
        if !matches!(failure, Some(DriveError::Fatal(_))) {
            work.done(landed.ticket, outcome)
                .map_err(DriveError::Work)?;
        }
        failure.map_or(Ok(()), Err)
    }

    /// Counts an outcome, and says whether all must end with it.
    fn judge<E: std::error::Error + 'static>(
        &mut self,
        outcome: &Outcome,
    ) -> Option<DriveError<E>> {
        let error = match outcome {
            Ok(reply) => {
                self.failed_in_a_row = 0;
                self.spent.add(reply, self.budget.prices.as_ref());
                let counted = self.allowance.count(reply);
                return (!counted).then_some(DriveError::NoUsage);
            }
            Err(error) => error,
        };
        if error.is_fatal() || self.flight.is_dead(error) {
            return Some(DriveError::Fatal(error.clone()));
        }
        if error.is_of_the_request() {
            return None;
        }
        self.failed_in_a_row += 1;
        let count = self.failed_in_a_row;
        (count >= self.endpoint.config.failures_in_a_row).then(|| DriveError::Failing {
            count,
            last: error.clone(),
        })
    }
}
