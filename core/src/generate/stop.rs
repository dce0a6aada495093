//! Stop strings, which may begin in one token and end in another.

/// Passes text on until a stop string appears; holds back what may become one.
#[derive(Debug)]
pub(super) struct StopScanner<'a> {
    stops: &'a [String],
    held: String,
    stopped: bool,
}

impl<'a> StopScanner<'a> {
    pub(super) fn new(stops: &'a [String]) -> Self {
        Self {
            stops,
            held: String::new(),
            stopped: false,
        }
    }

    /// Whether a stop string has appeared.
    pub(super) fn stopped(&self) -> bool {
        self.stopped
    }

    /// Takes a piece of text and gives what is certain to come before any stop string.
    pub(super) fn push(&mut self, text: &str) -> String {
        if self.stopped {
            return String::new();
        }
        self.held.push_str(text);
        let first = self
            .stops
            .iter()
            .filter(|stop| !stop.is_empty())
            .filter_map(|stop| self.held.find(stop.as_str()))
            .min();
        if let Some(place) = first {
            self.stopped = true;
            self.held.truncate(place);
            return std::mem::take(&mut self.held);
        }
        let keep = self
            .stops
            .iter()
            .map(|stop| overlap(&self.held, stop))
            .max()
            .unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        std::mem::replace(&mut self.held, rest)
    }

    /// The text held back, once nothing more will come.
    pub(super) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Bytes at the end of `text` that are a beginning of `stop`.
fn overlap(text: &str, stop: &str) -> usize {
    let beginnings = stop.char_indices().map(|(place, _)| &stop[..place]).rev();
    beginnings
        .map(str::len)
        .find(|&len| text.ends_with(&stop[..len]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stops: &[&str], pieces: &[&str]) -> (Vec<String>, bool) {
        let stops: Vec<String> = stops.iter().map(|&stop| stop.to_owned()).collect();
        let mut scanner = StopScanner::new(&stops);
        let mut out: Vec<String> = pieces.iter().map(|piece| scanner.push(piece)).collect();
        out.push(scanner.finish());
        (out, scanner.stopped())
    }

    #[test]
    fn a_stop_string_over_three_pieces_never_shows() {
        let (out, stopped) = run(&["###"], &["red#", "#", "# more"]);
        assert_eq!((out.concat().as_str(), stopped), ("red", true));
    }

    #[test]
    fn what_only_looked_like_one_is_passed_on() {
        let (out, stopped) = run(&["###", "\nUSER:"], &["a##", "b\nUS", "A"]);
        assert_eq!((out.concat().as_str(), stopped), ("a##b\nUSA", false));
        assert_eq!(out[0], "a");
    }

    #[test]
    fn the_first_of_several_counts_and_characters_stay_whole() {
        let (out, _) = run(&["é!", "b"], &["aé", "?ob"]);
        assert_eq!(out.concat(), "aé?o");
    }
}
