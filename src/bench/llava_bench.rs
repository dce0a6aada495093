//! LLaVA-Bench, COCO and In the Wild: a judge gives the model's answer and a reference answer from
//! 1 to 10 points each, and the score is the ratio of their means.
//!
//! Source: arXiv 2304.08485, section 5.1, and `llava/eval` of haotian-liu/LLaVA at c121f04.

mod context;
mod judge;
mod read;
mod review;
mod reviews;
mod rule;
mod score;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use menagerie_core::benchmark::{
    Answer, Benchmark, Example, Figure, Files, FilesError, Item, Marked, Prediction, Question,
    Review, Submission,
};
use menagerie_core::schemars::JsonSchema;
use serde::Deserialize;

use read::Known;

/// LLaVA-Bench (COCO): 90 questions about 30 images, in three categories. A judge gives the model's
/// answer and GPT-4's 1 to 10 points each; the score is the ratio of the means, in percent.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "menagerie_core::schemars")]
pub struct LlavaBenchCoco {
    /// The judge's roles and rules: a file in the form of the original's `rule.json`. Default: that
    /// file itself. Figures under other texts bear their hash in their names, as they are not to be
    /// compared.
    pub rule: Option<PathBuf>,
}

/// LLaVA-Bench (In the Wild): 60 questions about 24 images, in three categories. A judge gives the
/// model's answer and GPT-4's 1 to 10 points each; the score is the ratio of the means, in percent.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(crate = "menagerie_core::schemars")]
pub struct LlavaBenchWild {
    /// The judge's roles and rules: a file in the form of the original's `rule.json`. Default: that
    /// file itself. Figures under other texts bear their hash in their names, as they are not to be
    /// compared.
    pub rule: Option<PathBuf>,
}

/// What the two differ in.
#[derive(Debug)]
struct Edition {
    name: &'static str,
    /// The names of the published files.
    questions: &'static str,
    references: &'static str,
    contexts: &'static str,
    /// Folders of images beside the questions.
    images: &'static [&'static str],
    /// What stands before a category's name in the rules and the reviews.
    prefix: &'static str,
    /// The texts that the judge reads in place of the images.
    read_contexts: fn(&Path) -> Result<context::Contexts, FilesError>,
}

const COCO: Edition = Edition {
    name: "llava-bench-coco",
    questions: "qa90_questions.jsonl",
    references: "qa90_gpt4_answer.jsonl",
    contexts: "caps_boxes_coco2014_val_80.jsonl",
    images: &["val2014", "images"],
    prefix: "",
    read_contexts: context::captions_and_boxes,
};

const WILD: Edition = Edition {
    name: "llava-bench-wild",
    questions: "questions.jsonl",
    references: "answers_gpt4.jsonl",
    contexts: "context.jsonl",
    images: &["images"],
    prefix: "llava_bench_",
    read_contexts: context::caption,
};

macro_rules! benchmark {
    ($type:ty, $edition:expr) => {
        impl Benchmark for $type {
            const NAME: &'static str = $edition.name;

            fn example() -> Example {
                example(&$edition)
            }

            fn read(&self, files: &Files<'_>) -> Option<Result<Vec<Item>, FilesError>> {
                Some(read::items(&$edition, self.rule.as_deref(), files))
            }

            /// `model_vqa.py` has 1,024.
            fn max_new_tokens(&self) -> usize {
                1024
            }

            fn judged(&self) -> bool {
                true
            }

            fn review(&self, question: &Question<'_>, answer: &str) -> Option<Review> {
                judge::review(question, answer)
            }

            fn mark(&self, _: &Question<'_>, answer: &Answer<'_>) -> f64 {
                review::scores(answer.review).map_or(0.0, |scores| scores.model / review::MOST)
            }

            fn fault(&self, _: &Question<'_>, answer: &Answer<'_>) -> Option<&'static str> {
                review::scores(answer.review).err()
            }

            fn total(&self, answers: &[Marked<'_>]) -> f64 {
                score::total(answers)
            }

            fn figures(&self, answers: &[Marked<'_>]) -> Vec<Figure> {
                score::figures(answers)
            }

            fn submission(&self, answers: &[Marked<'_>]) -> Vec<Submission> {
                reviews::submission(answers)
            }

            fn predictions(&self, path: &Path) -> Result<Vec<Prediction>, FilesError> {
                reviews::predictions(&$edition, path)
            }
        }

        menagerie_core::register_benchmark!($type);
    };
}

benchmark!(LlavaBenchCoco, COCO);
benchmark!(LlavaBenchWild, WILD);

fn example(edition: &Edition) -> Example {
    let rules = rule::Rules::published();
    let category = "conv";
    let known = Known {
        question_id: 0.into(),
        answer1_id: 0.into(),
        text: "What color is the dog?",
        context: "A brown dog.",
        category,
        rule: rules
            .get(edition, category)
            .expect("it is one of the rules"),
        other_rule: None,
    };
    let question = format!("<image>\n{}", known.text);
    let mut example = Example::new(question, "The dog is brown.", "It is a cat.")
        .with_reviews("8 10\nBoth are right.", "8,2\nThe second sees a cat.");
    example.fields = known.fields(edition);
    example
}
