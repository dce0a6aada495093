//! What a judge's reply says.

/// The range of a score, which the rule tells the judge.
pub(super) const LEAST: f64 = 1.0;
pub(super) const MOST: f64 = 10.0;

/// What a judge gives two answers, from [`LEAST`] to [`MOST`] points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scores {
    /// `[Assistant 1]`, the reference.
    pub reference: f64,
    /// `[Assistant 2]`, the model.
    pub model: f64,
}

/// The scores in a judge's reply, or why there are none.
pub(super) fn scores(review: Option<&str>) -> Result<Scores, &'static str> {
    let review = review.ok_or("no review")?;
    if review.trim().is_empty() {
        return Err("empty review");
    }
    let [reference, model] = first_line(review).ok_or("review without two scores")?;
    let range = LEAST..=MOST;
    if range.contains(&reference) && range.contains(&model) {
        Ok(Scores { reference, model })
    } else {
        Err("review with scores out of range")
    }
}

/// The two numbers of the first line, as `parse_score` of the original's `eval_gpt_review_bench.py`
/// finds them: commas are spaces, and one space, no more, parts the two. Where it gives `[-1, -1]`,
/// this gives `None`.
pub(super) fn first_line(review: &str) -> Option<[f64; 2]> {
    let line = review.split('\n').next()?.replace(',', " ");
    let mut words = line.split(' ');
    let pair = [words.next()?, words.next()?];
    if words.next().is_some() {
        return None;
    }
    let [first, second] = pair.map(float);
    Some([first?, second?])
}

/// A number as Python's `float` reads it; of digits, ASCII's alone.
fn float(word: &str) -> Option<f64> {
    let word = word.trim();
    let bytes = word.as_bytes();
    let digit = |place: Option<usize>| {
        let byte = place.and_then(|place| bytes.get(place));
        byte.is_some_and(u8::is_ascii_digit)
    };
    let mut underscores = (0..bytes.len()).filter(|&place| bytes[place] == b'_');
    let between = underscores.all(|place| digit(place.checked_sub(1)) && digit(Some(place + 1)));
    between.then(|| word.replace('_', "").parse().ok())?
}
