//! A built-in template as Jinja, for other tools.

use super::builtin::{BuiltIn, Piece};
use super::{IMAGE_MARK, Kind, Template};

impl Template {
    /// The Jinja text of a built-in template, which transformers' `apply_chat_template` writes the
    /// same prompts with, whether a message's `content` is a text or a list of parts. Nothing for a
    /// model's own template: its folder has it.
    #[must_use]
    pub fn to_jinja(&self) -> Option<String> {
        match &self.0 {
            Kind::BuiltIn(template) => Some(source(template)),
            Kind::Jinja(_) => None,
        }
    }
}

fn source(template: &BuiltIn) -> String {
    let text = |pieces: &[Piece]| {
        let texts = pieces.iter().map(|piece| match piece {
            Piece::Given(text) | Piece::Learned(text) => *text,
        });
        literal(&texts.collect::<String>())
    };
    let (opening, human) = (text(template.opening), text(template.human));
    let (header, tail) = (text(template.header), text(template.tail));
    let (lead, end) = (literal(template.lead), literal(template.end));
    let image = literal(&format!("{IMAGE_MARK}\n"));
    let shown = if template.drops_human_text {
        format!(
            "{{{{- {} if content is string and {} in content -}}}}",
            literal(IMAGE_MARK),
            literal(IMAGE_MARK)
        )
    } else {
        "{{- content -}}".to_owned()
    };
    format!(
        "{{%- macro said(content) -%}}\
         {{%- if content is string -%}}{shown}\
         {{%- else -%}}\
         {{%- for part in content if part['type'] == 'image' -%}}{{{{- {image} -}}}}{{%- endfor -%}}\
         {{%- for part in content if part['type'] == 'text' -%}}{{{{- part['text'] -}}}}{{%- endfor -%}}\
         {{%- endif -%}}\
         {{%- endmacro -%}}\
         {{%- for message in messages -%}}\
         {{%- if message['role'] == 'user' -%}}\
         {{{{- {opening} if loop.first else {human} -}}}}{{{{- said(message['content']) -}}}}\
         {{%- if not loop.last or add_generation_prompt -%}}{{{{- {header} -}}}}{{%- endif -%}}\
         {{%- elif message['role'] == 'assistant' -%}}\
         {{{{- {lead} -}}}}{{{{- said(message['content']) -}}}}{{{{- {end} -}}}}\
         {{%- if loop.last -%}}{{{{- {tail} -}}}}{{%- endif -%}}\
         {{%- endif -%}}\
         {{%- endfor -%}}"
    )
}

/// A text as Jinja writes it.
fn literal(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}
