//! Work for an endpoint, handed out request by request.

use super::error::ChatError;
use super::reply::ChatReply;
use super::request::ChatRequest;

/// Requests to be made, and what becomes of the replies. Both methods are called on the thread that
/// drives the endpoint, one after the other, so a journal has one writer.
pub trait Work {
    /// Why a reply could not be kept.
    type Error: std::error::Error + 'static;

    /// The next request, under a number of the caller's by which it comes back. `None` means that
    /// there is none now: while others are in flight, it is asked again after each of them, so what
    /// is rejected may be asked once more.
    fn next(&mut self) -> Option<(u64, ChatRequest)>;

    /// A request's outcome. Each ticket comes back once at most; after
    /// [`Ended::Finished`] each one has. A ticket that has not come back when all else ends was not
    /// answered, and can be asked another time: so it is with those that were waiting for a retry,
    /// and with the ones that a fatal error hit.
    ///
    /// # Errors
    /// The reply cannot be kept. All work ends, and nothing more is asked of it.
    fn done(
        &mut self,
        ticket: u64,
        outcome: Result<ChatReply, ChatError>,
    ) -> Result<(), Self::Error>;
}

/// How work came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// There is nothing more to ask.
    Finished,
    /// The next request might exceed the budget.
    OutOfBudget,
    /// Someone asked to stop.
    Interrupted,
}
