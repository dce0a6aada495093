//! Work done ahead by threads, results in order.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

type Results<T> = Receiver<(usize, std::thread::Result<T>)>;

/// An iterator whose items are made by worker threads ahead of their use, and come in the order of
/// their jobs whatever the number of threads.
///
/// No more than two jobs a thread are ahead, which bounds the memory. Without threads each item is
/// made when it is asked for. Dropping it waits for the jobs that the threads
/// have in hand and begins no other.
pub struct Prefetch<J, T> {
    work: Arc<dyn Fn(J) -> T + Send + Sync>,
    jobs: Box<dyn ExactSizeIterator<Item = J> + Send>,
    threads: Option<Threads<J, T>>,
    given: usize,
    taken: usize,
}

struct Threads<J, T> {
    jobs: Option<Sender<(usize, J)>>,
    results: Results<T>,
    early: BTreeMap<usize, std::thread::Result<T>>,
    handles: Vec<JoinHandle<()>>,
}

impl<J: Send + 'static, T: Send + 'static> Prefetch<J, T> {
    /// Starts `workers` threads on `jobs`, which are asked for as they are handed out.
    pub fn new(
        jobs: impl IntoIterator<Item = J, IntoIter: ExactSizeIterator + Send + 'static>,
        workers: usize,
        work: impl Fn(J) -> T + Send + Sync + 'static,
    ) -> Self {
        let work: Arc<dyn Fn(J) -> T + Send + Sync> = Arc::new(work);
        let threads = (workers > 0).then(|| Threads::start(workers, &work));
        let mut prefetch = Self {
            work,
            jobs: Box::new(jobs.into_iter()),
            threads,
            given: 0,
            taken: 0,
        };
        for _ in 0..2 * workers {
            prefetch.give();
        }
        prefetch
    }

    fn give(&mut self) {
        let Some(jobs) = self
            .threads
            .as_ref()
            .and_then(|threads| threads.jobs.as_ref())
        else {
            return;
        };
        if let Some(job) = self.jobs.next() {
            jobs.send((self.given, job))
                .expect("a worker outlives the sender of its jobs");
            self.given += 1;
        }
    }
}

impl<J: Send + 'static, T: Send + 'static> Threads<J, T> {
    fn start(workers: usize, work: &Arc<dyn Fn(J) -> T + Send + Sync>) -> Self {
        let (jobs, queue) = channel::<(usize, J)>();
        let queue = Arc::new(Mutex::new(queue));
        let (done, results) = channel();
        let handles = (0..workers).map(|_| {
            let (queue, done, work) = (Arc::clone(&queue), done.clone(), Arc::clone(work));
            std::thread::spawn(move || {
                loop {
                    let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok((number, job)) = job else { break };
                    let result = catch_unwind(AssertUnwindSafe(|| work(job)));
                    if done.send((number, result)).is_err() {
                        break;
                    }
                }
            })
        });
        Self {
            handles: handles.collect(),
            jobs: Some(jobs),
            results,
            early: BTreeMap::new(),
        }
    }

    fn result(&mut self, number: usize) -> std::thread::Result<T> {
        loop {
            if let Some(result) = self.early.remove(&number) {
                return result;
            }
            let (done, result) = self.results.recv().expect("a worker answers every job");
            self.early.insert(done, result);
        }
    }
}

impl<J: Send + 'static, T: Send + 'static> Iterator for Prefetch<J, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let Some(threads) = &mut self.threads else {
            return self.jobs.next().map(|job| (self.work)(job));
        };
        if self.taken == self.given {
            return None;
        }
        let result = threads.result(self.taken);
        self.taken += 1;
        self.give();
        Some(result.unwrap_or_else(|panic| resume_unwind(panic)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.jobs.len() + self.given - self.taken;
        (left, Some(left))
    }
}

impl<J: Send + 'static, T: Send + 'static> ExactSizeIterator for Prefetch<J, T> {}

impl<J, T> Drop for Prefetch<J, T> {
    fn drop(&mut self) {
        if let Some(mut threads) = self.threads.take() {
            threads.jobs = None;
            // A thread whose result nobody takes leaves the queue alone.
            let (_, none) = channel();
            threads.results = none;
            for handle in threads.handles {
                // A panic was caught and handed on already.
                let _ = handle.join();
            }
        }
    }
}

impl<J, T> std::fmt::Debug for Prefetch<J, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prefetch")
            .field("taken", &self.taken)
            .field("given", &self.given)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[test]
    fn results_come_in_order_whatever_the_number_of_threads() {
        for workers in [0, 1, 4] {
            let slow_first = |job: usize| {
                std::thread::sleep(Duration::from_millis(if job.is_multiple_of(4) {
                    5
                } else {
                    0
                }));
                job * job
            };
            let results = Prefetch::new(0..40, workers, slow_first);
            assert_eq!(results.len(), 40);
            let expected: Vec<usize> = (0..40).map(|job| job * job).collect();
            assert_eq!(results.collect::<Vec<_>>(), expected, "{workers} workers");
        }
    }

    #[test]
    fn no_more_than_two_jobs_a_thread_are_ahead_and_a_drop_ends_them() {
        let begun = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&begun);
        let mut results = Prefetch::new(0..1000, 2, move |job: usize| {
            count.fetch_add(1, Ordering::SeqCst);
            job
        });
        assert_eq!(results.next(), Some(0));
        std::thread::sleep(Duration::from_millis(50));
        drop(results);
        assert!(begun.load(Ordering::SeqCst) <= 5);
        assert_eq!(Arc::strong_count(&begun), 1, "all threads are gone");
    }

    #[test]
    #[should_panic(expected = "job 3")]
    fn a_panic_in_a_thread_is_one_where_its_result_is_taken() {
        let fail = |job: usize| assert!(job != 3, "job {job}");
        Prefetch::new(0..8, 2, fail).for_each(drop);
    }
}
