//! Answers go to a judge: each is asked about once, and every reply is on the disk before it counts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::AtomicBool;

use menagerie_core::benchmark::Review;
use menagerie_core::hex::hex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::about::JudgeAbout;
use super::answers::Kept;
use super::error::BenchError;
use super::exam::Exam;
use super::folder::BenchFolder;
use super::run::Watch;
use crate::endpoint::{
    Budget, ChatError, ChatReply, ChatRequest, Ended, Endpoint, FinishReason, Spent, Work,
};
use crate::journal::Journal;
use crate::json::json_line;

/// A model behind an endpoint that judges answers.
#[derive(Debug)]
pub struct Judge {
    /// Where it is; its name is that of the endpoint's settings.
    pub endpoint: Endpoint,
    /// What it may cost.
    pub budget: Budget,
}

/// How the judging went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Judged {
    /// Replies that are there.
    pub replies: usize,
    /// Answers that the judge did not see to, by reason.
    pub missing: BTreeMap<String, usize>,
    /// Replies that were cut at their longest.
    pub cut: usize,
    /// Replies that are refusals.
    pub refused: usize,
    /// The models that replied, as they call themselves.
    pub models: Vec<String>,
    /// What the replies cost.
    pub spent: Spent,
}

/// What the judge said of each answer, by the place of its question.
pub(super) struct Reviews {
    pub texts: BTreeMap<usize, String>,
    pub judged: Judged,
    /// Why the first of the missing ones is missing.
    pub first: Option<String>,
}

/// A line of `reviews.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    /// The question's place in the data, from 0.
    number: usize,
    question_id: String,
    /// SHA-256 of what the judge was asked.
    prompt_sha256: String,
    /// What the judge said.
    content: String,
    /// All that the server sent.
    raw: Value,
}

impl Judge {
    /// What a score says of its judge.
    pub(super) fn about(&self, exam: &Exam) -> JudgeAbout {
        // An answer of no words, and one of a word: a benchmark may ask about neither.
        let probes = ["", "?"];
        let mut hasher = Sha256::new();
        for question in exam.questions() {
            let question = question.question();
            for probe in probes {
                let review = exam.benchmark.review(&question, probe);
                hasher.update(review.as_ref().map_or_else(Vec::new, told));
            }
        }
        let config = self.endpoint.config();
        JudgeAbout {
            model: config.model.clone(),
            url: config.base_url.clone(),
            prompts_sha256: hex(&hasher.finalize()),
        }
    }

    /// Asks about all answers that it has not been asked about. `given` are reviews that came with the
    /// answers.
    pub(super) fn review(
        &self,
        exam: &Exam,
        folder: &BenchFolder,
        answers: &[Kept],
        given: BTreeMap<usize, String>,
        watch: &mut dyn Watch,
        stop: &AtomicBool,
    ) -> Result<Reviews, BenchError> {
        let path = folder.path().join("reviews.jsonl");
        let (journal, lines) = Journal::whole::<Line>(&path)?;
        let mut work = Reviewing {
            exam,
            journal,
            queue: VecDeque::new(),
            asked: BTreeMap::new(),
            total: 0,
            reviews: Reviews {
                texts: given,
                judged: Judged {
                    replies: 0,
                    missing: BTreeMap::new(),
                    cut: 0,
                    refused: 0,
                    models: Vec::new(),
                    spent: Spent::default(),
                },
                first: None,
            },
            watch,
        };
        let mut spent = Spent::default();
        let broken = |line: usize, reason: String| BenchError::Broken {
            path: path.clone(),
            line,
            reason,
        };
        let mut before = BTreeMap::new();
        for (place, line) in (1..).zip(lines) {
            let reply = ChatReply::from_raw(line.raw.clone());
            let reply = reply.map_err(|error| broken(place, error.to_string()))?;
            spent.add(&reply, self.budget.prices.as_ref());
            before.insert(line.number, (place, line, reply));
        }
        for answer in answers {
            if work.reviews.texts.contains_key(&answer.number) {
                continue;
            }
            let question = exam.data.sample(answer.number).question();
            let Some(review) = exam.benchmark.review(&question, &answer.answer) else {
                continue;
            };
            work.total += 1;
            match before.remove(&answer.number) {
                None => work.queue.push_back((answer.number, review)),
                Some((place, line, reply)) => {
                    if line.prompt_sha256 != hex(&Sha256::digest(told(&review))) {
                        let reason = format!(
                            "the judge was asked something else about question `{}`",
                            line.question_id
                        );
                        return Err(broken(place, reason));
                    }
                    work.take(answer.number, &reply);
                }
            }
        }
        let ended = if work.queue.is_empty() {
            Ended::Finished
        } else {
            let work = &mut work;
            work.report();
            self.endpoint.drive(work, &self.budget, &mut spent, stop)?
        };
        let (done, total) = (work.reviews.judged.replies, work.total);
        match ended {
            Ended::Finished => {}
            Ended::OutOfBudget => return Err(BenchError::OutOfBudget { done, total }),
            Ended::Interrupted => {
                let what = "reviews";
                return Err(BenchError::Interrupted { done, total, what });
            }
        }
        work.reviews.judged.spent = spent;
        Ok(work.reviews)
    }
}

/// A request as its hash sees it.
fn told(review: &Review) -> Vec<u8> {
    json_line(&json!([
        review.messages,
        review.temperature,
        review.max_tokens
    ]))
}

/// Reviews that are being asked for.
struct Reviewing<'a> {
    exam: &'a Exam,
    journal: Journal,
    queue: VecDeque<(usize, Review)>,
    /// The hashes of what is in flight.
    asked: BTreeMap<usize, String>,
    /// Reviews there are to be.
    total: usize,
    reviews: Reviews,
    watch: &'a mut dyn Watch,
}

impl Reviewing<'_> {
    /// Counts a reply. A refusal stands in place of a text where there is none.
    fn take(&mut self, number: usize, reply: &ChatReply) {
        let judged = &mut self.reviews.judged;
        judged.replies += 1;
        judged.cut += usize::from(reply.finish == FinishReason::Length);
        let refused = reply.refusal.is_some() || reply.finish == FinishReason::ContentFilter;
        judged.refused += usize::from(refused);
        if !reply.model.is_empty() && !judged.models.contains(&reply.model) {
            judged.models.push(reply.model.clone());
        }
        self.reviews.texts.insert(number, said(reply).to_owned());
    }

    fn report(&mut self) {
        let done = self.reviews.judged.replies;
        self.watch.progress("judging", done, self.total);
    }
}

fn said(reply: &ChatReply) -> &str {
    match &reply.refusal {
        Some(refusal) if reply.text.is_empty() => refusal,
        _ => &reply.text,
    }
}

impl Work for Reviewing<'_> {
    type Error = BenchError;

    fn next(&mut self) -> Option<(u64, ChatRequest)> {
        let (number, review) = self.queue.pop_front()?;
        let hash = hex(&Sha256::digest(told(&review)));
        self.asked.insert(number, hash);
        let request = ChatRequest {
            temperature: Some(review.temperature),
            max_tokens: Some(review.max_tokens),
            ..ChatRequest::new(review.messages)
        };
        Some((number as u64, request))
    }

    fn done(
        &mut self,
        ticket: u64,
        outcome: Result<ChatReply, ChatError>,
    ) -> Result<(), BenchError> {
        let number = usize::try_from(ticket).expect("a place in the data");
        let prompt_sha256 = self.asked.remove(&number).unwrap_or_default();
        let question_id = self.exam.data.sample(number).id.clone();
        match outcome {
            Ok(reply) => {
                self.journal.append(&[Line {
                    number,
                    question_id,
                    prompt_sha256,
                    content: said(&reply).to_owned(),
                    raw: reply.raw.clone(),
                }])?;
                self.take(number, &reply);
                self.report();
            }
            Err(error) => {
                let missing = &mut self.reviews.judged.missing;
                *missing.entry(error.reason().to_owned()).or_default() += 1;
                self.reviews
                    .first
                    .get_or_insert_with(|| format!("of question `{question_id}`: {error}"));
            }
        }
        Ok(())
    }
}
