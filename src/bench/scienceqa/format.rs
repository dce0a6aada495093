//! How a question is put, and how an answer to learn is written.

use menagerie_core::schemars::JsonSchema;
use serde::Deserialize;

use super::problem::Problem;
use super::reading::Letter;

/// A format of question and answer, named as in ScienceQA's and LLaVA's scripts: C for the context, Q
/// for the question, M for the options; A for the answer, L for the lecture, E for the explanation.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[schemars(crate = "menagerie_core::schemars")]
pub enum Format {
    /// LLaVA 1.5's: options on lines of their own, and the answer is a letter.
    #[default]
    #[serde(rename = "CQM-A")]
    CqmA,
    /// The answer alone: `The answer is B.`
    #[serde(rename = "QCM-A")]
    QcmA,
    /// LLaVA's: reasoning first, `{lecture} {solution} The answer is B.`
    #[serde(rename = "QCM-LEA")]
    QcmLea,
    /// The answer first: `The answer is B. BECAUSE: {lecture} {solution}`
    #[serde(rename = "QCM-ALE")]
    QcmAle,
}

/// What LLaVA 1.5 was asked after the options.
const INSTRUCTION: &str = "Answer with the option's letter from the given choices directly.";

impl Format {
    /// The question with its context and options.
    pub(super) fn question(self, problem: &Problem, caption: Option<&str>) -> String {
        let hint = &problem.hint;
        let context = caption.map_or_else(|| hint.clone(), |caption| format!("{hint} {caption}"));
        let context = context.trim();
        let choices = problem.choices.iter().enumerate();
        let choices = choices.filter_map(|(place, text)| Some((Letter::at(place)?, text)));
        if self == Self::CqmA {
            let lines: String = choices
                .map(|(letter, text)| format!("\n{letter}. {text}"))
                .collect();
            let context = match context {
                "" => String::new(),
                context => format!("Context: {context}\n"),
            };
            return format!("{context}{}{lines}", problem.question);
        }
        let options: Vec<String> = choices
            .map(|(letter, text)| format!("({letter}) {text}"))
            .collect();
        let context = if context.is_empty() { "N/A" } else { context };
        let text = format!(
            "{}\nContext: {context}\nOptions: {}",
            problem.question,
            options.join(" ")
        );
        // The original takes the word before the question out wherever it stands.
        clean(&text).replace("Question: ", "")
    }

    /// What is asked of a model after the question.
    pub(super) fn instruction(self) -> Option<&'static str> {
        (self == Self::CqmA).then_some(INSTRUCTION)
    }

    /// The answer that a model is to learn.
    pub(super) fn answer(self, problem: &Problem, letter: Letter) -> String {
        let answer = format!("The answer is {letter}.");
        let [lecture, solution] =
            [&problem.lecture, &problem.solution].map(|text| text.replace("\\n", "\n"));
        let text = match self {
            Self::CqmA => return letter.to_string(),
            Self::QcmA => answer,
            Self::QcmLea => format!("{lecture} {solution} {answer}"),
            Self::QcmAle => format!("{answer} BECAUSE: {lecture} {solution}"),
        };
        let text = format!("Answer: {text}");
        let text = clean(&text).replace("Answer: ", "");
        match text.strip_suffix("BECAUSE:") {
            Some(rest) => rest.replace("BECAUSE:", "").trim().to_owned(),
            None => text,
        }
    }
}

/// Two spaces become one, as in the original.
fn clean(text: &str) -> String {
    text.replace("  ", " ").trim().to_owned()
}
