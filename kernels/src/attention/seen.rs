//! Who sees what.

use std::ops::Range;

/// Which keys a query sees.
#[derive(Debug, Clone, Copy)]
pub enum Seen<'a> {
    /// All of them.
    Everything,
    /// A span of them.
    Spans {
        /// `[batch or 1, query]`: the first key and the one after the last. Causal attention, padding on either side
        /// and sliding windows are spans. An empty one gives zeros.
        spans: &'a [Range<u32>],
        /// The segments of packed samples: of the span only keys of the query's own segment count.
        segments: Option<Segments<'a>>,
    },
}

/// To which sample of a packed row each token belongs.
#[derive(Debug, Clone, Copy)]
pub struct Segments<'a> {
    /// `[batch, query]`
    pub queries: &'a [u32],
    /// `[batch, key]`
    pub keys: &'a [u32],
}

impl<'a> Seen<'a> {
    /// The same, of any span's keys.
    pub(crate) fn check(self, batch: usize, queries: usize, keys: usize) {
        assert!(i32::try_from(keys).is_ok(), "{keys} keys");
        let Self::Spans { spans, segments } = self else {
            return;
        };
        assert!(
            spans.len() == queries || spans.len() == batch * queries,
            "{} spans for {batch} rows of {queries} queries",
            spans.len()
        );
        for span in spans {
            assert!(
                span.is_empty() || span.end as usize <= keys,
                "a span {span:?} of {keys} keys"
            );
        }
        if let Some(segments) = segments {
            assert_eq!(
                segments.queries.len(),
                batch * queries,
                "segments of queries"
            );
            assert_eq!(segments.keys.len(), batch * keys, "segments of keys");
        }
    }

    /// The first key that a query sees, and the one after the last.
    pub(crate) fn span(
        self,
        (batch, query): (usize, usize),
        queries: usize,
        keys: usize,
    ) -> [u32; 2] {
        match self {
            // `check` has found the number to be below 2³¹.
            #[allow(clippy::cast_possible_truncation)]
            Self::Everything => [0, keys as u32],
            Self::Spans { spans, .. } => {
                let row = if spans.len() == queries { 0 } else { batch };
                let span = &spans[row * queries + query];
                if span.is_empty() {
                    [0, 0]
                } else {
                    [span.start, span.end]
                }
            }
        }
    }

    /// The segments of a row's queries and keys.
    pub(crate) fn segments(
        self,
        batch: usize,
        queries: usize,
        keys: usize,
    ) -> Option<(&'a [u32], &'a [u32])> {
        match self {
            Self::Spans {
                segments: Some(segments),
                ..
            } => Some((
                &segments.queries[batch * queries..][..queries],
                &segments.keys[batch * keys..][..keys],
            )),
            _ => None,
        }
    }
}
