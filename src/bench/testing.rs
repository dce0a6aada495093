//! Answers to questions, for the tests of benchmarks.

use std::collections::{BTreeMap, HashMap};

use menagerie_core::benchmark::{Answer, Benchmark, Figure, Item, Marked, Prediction, Question};

/// Questions with what was said to each.
pub(super) struct Said {
    pub items: Vec<Item>,
    texts: Vec<String>,
}

impl Said {
    /// By the questions' ids. Every question must have an answer, and every answer a question.
    pub(super) fn new(items: Vec<Item>, predictions: Vec<Prediction>) -> Self {
        let mut by_id: HashMap<_, _> = predictions
            .into_iter()
            .map(|prediction| (prediction.id, prediction.answer))
            .collect();
        let text = |item: &Item| {
            by_id
                .remove(&item.id)
                .unwrap_or_else(|| panic!("no {}", item.id))
        };
        let texts = items.iter().map(text).collect();
        assert!(by_id.is_empty(), "answers without a question: {by_id:?}");
        Self { items, texts }
    }

    /// Marked by a benchmark.
    pub(super) fn marked(&self, benchmark: &impl Benchmark) -> Vec<Marked<'_>> {
        let marked = self.items.iter().zip(&self.texts).map(|(item, text)| {
            let question =
                Question::new(&item.id, &item.turns, &item.truth).with_fields(&item.fields);
            let answer = Answer::new(text);
            let mark = benchmark.mark(&question, &answer);
            Marked::new(question, answer, mark, benchmark.fault(&question, &answer))
        });
        marked.collect()
    }
}

/// Of answers in the questions' order.
pub(super) fn answers(items: Vec<Item>, texts: &[&str]) -> Said {
    assert_eq!(items.len(), texts.len());
    let texts = texts.iter().map(|text| (*text).to_owned()).collect();
    Said { items, texts }
}

/// Figures by their names.
pub(super) fn values(figures: Vec<Figure>) -> BTreeMap<String, f64> {
    figures
        .into_iter()
        .map(|figure| (figure.name, figure.value))
        .collect()
}
