//! How a run shows: a bar on a terminal, plain lines elsewhere. All of it on stderr.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressStyle};

/// Time between plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// A bar with a message, or lines now and then.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    what: String,
    count: fn(usize) -> String,
    begun: Instant,
    last_line: Option<Instant>,
    /// Whether the message says what time is left.
    timed: bool,
}

impl Progress {
    pub(super) fn new(what: &str, total: usize) -> Self {
        let template = "{prefix:>10} {bar:24} {pos}/{len} {msg} · {eta} left";
        Self::shown(what, total, template, |count| count.to_string())
    }

    /// With a message that says what time is left.
    pub(super) fn timed(what: &str, total: usize) -> Self {
        let template = "{prefix} {bar:16} {pos}/{len} {msg}";
        Self {
            timed: true,
            ..Self::shown(what, total, template, |count| count.to_string())
        }
    }

    /// Counts bytes.
    pub(super) fn bytes(what: &str, total: usize) -> Self {
        let template = "{prefix} {bar:16} {bytes}/{total_bytes} {msg}· {eta} left";
        let count = |count| HumanBytes(count as u64).to_string();
        Self::shown(what, total, template, count)
    }

    fn shown(what: &str, total: usize, template: &str, count: fn(usize) -> String) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(template);
            let bar = ProgressBar::new(total as u64);
            bar.set_style(style.expect("the template is well formed"));
            bar.set_prefix(what.to_owned());
            bar
        });
        Self {
            bar,
            what: what.to_owned(),
            count,
            begun: Instant::now(),
            last_line: None,
            timed: false,
        }
    }

    /// `done` of `total`, with a few words on how it goes.
    pub(super) fn set(&mut self, done: usize, total: usize, message: &str) {
        if let Some(bar) = &self.bar {
            bar.set_position(done as u64);
            bar.set_message(message.to_owned());
            return;
        }
        let due = self
            .last_line
            .is_none_or(|last| last.elapsed() >= LINE_EVERY);
        if due || done == total {
            self.last_line = Some(Instant::now());
            let space = if message.is_empty() { "" } else { " " };
            let left = if self.timed {
                String::new()
            } else {
                let each = self.begun.elapsed().div_f64(done.max(1) as f64);
                let left = each.mul_f64((total - done) as f64);
                format!(", {} left", HumanDuration(left))
            };
            anstream::eprintln!(
                "{} {}/{}{space}{message}{left}",
                self.what,
                (self.count)(done),
                (self.count)(total),
            );
        }
    }

    pub(super) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
