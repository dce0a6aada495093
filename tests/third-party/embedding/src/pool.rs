//! Threads that answer questions with one model.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use menagerie::model::{Request, RequestError};
use menagerie::{Completion, GenerationConfig, Model};

/// Threads that share a model. Dropped, it answers what was asked and ends.
pub struct Pool {
    /// Taken when the pool ends.
    questions: Option<Sender<Question>>,
    threads: Vec<JoinHandle<()>>,
}

struct Question {
    request: Request,
    config: GenerationConfig,
    news: Sender<News>,
    cancelled: Arc<AtomicBool>,
}

/// What is heard of a question.
#[derive(Debug)]
pub enum News {
    /// More of the answer.
    Text(String),
    /// The whole answer; nothing follows.
    Done(Result<Completion, Failure>),
}

/// No answer.
#[derive(Debug)]
pub enum Failure {
    /// The question was withdrawn before its turn.
    Withdrawn,
    /// It cannot be answered.
    Request(RequestError),
    /// The thread that had it is gone.
    Lost,
}

impl Pool {
    /// As many `threads` as may answer at a time.
    pub fn new(model: Arc<Model>, threads: usize) -> Self {
        let (questions, queue) = channel();
        let queue = Arc::new(Mutex::new(queue));
        let thread = |_| {
            let (model, queue) = (Arc::clone(&model), Arc::clone(&queue));
            thread::spawn(move || {
                while let Some(question) = next(&queue) {
                    answer(&model, question);
                }
            })
        };
        Self {
            questions: Some(questions),
            threads: (0..threads).map(thread).collect(),
        }
    }

    /// Asks, and does not wait.
    pub fn ask(&self, request: Request, config: GenerationConfig) -> Ticket {
        let (news, heard) = channel();
        let cancelled = Arc::new(AtomicBool::new(false));
        let question = Question {
            request,
            config,
            news,
            cancelled: Arc::clone(&cancelled),
        };
        if let Some(questions) = &self.questions {
            // Without a thread nobody takes it, and its ticket says that it is lost.
            let _ = questions.send(question);
        }
        Ticket { heard, cancelled }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.questions = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn next(queue: &Mutex<Receiver<Question>>) -> Option<Question> {
    let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
    queue.recv().ok()
}

fn answer(model: &Model, question: Question) {
    let Question {
        request,
        config,
        news,
        cancelled,
    } = question;
    let done = if cancelled.load(Ordering::Relaxed) {
        Err(Failure::Withdrawn)
    } else {
        let said = model.generate(&request, &config, |text| {
            let heard = news.send(News::Text(text.to_owned())).is_ok();
            if heard && !cancelled.load(Ordering::Relaxed) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        });
        said.map_err(Failure::Request)
    };
    // Nobody may be waiting any more.
    let _ = news.send(News::Done(done));
}

/// A question that was asked. Dropped, it is withdrawn.
pub struct Ticket {
    heard: Receiver<News>,
    cancelled: Arc<AtomicBool>,
}

impl Ticket {
    /// Breaks the answer off at its next piece of text; one that has not begun never does.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Waits for the next news.
    pub fn next(&self) -> News {
        let news = self.heard.recv();
        news.unwrap_or(News::Done(Err(Failure::Lost)))
    }

    /// Waits for the whole answer.
    ///
    /// # Errors
    /// There is none.
    pub fn wait(&self) -> Result<Completion, Failure> {
        loop {
            if let News::Done(done) = self.next() {
                return done;
            }
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.cancel();
    }
}
