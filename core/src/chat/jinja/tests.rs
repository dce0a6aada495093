use std::path::Path;
use std::time::{Duration, Instant};

use super::super::Template;
use super::*;

/// ChatML with a system prompt, `content` a text.
const CHATML: &str = "\
{% for message in messages %}
    {% if loop.first and message['role'] != 'system' %}
        {{- '<|im_start|>system\\nBe brief.<|im_end|>\\n' }}
    {%- endif %}
    {{- '<|im_start|>' + message.role + '\\n' + message.content.strip() + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}";

/// As LLaVA's port to Hugging Face has it: images first, `content` a list of parts.
const PARTS: &str = "\
{% for message in messages %}
{{ message['role'].upper() + ': ' }}
{%- for part in message['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\\n' }}{% endfor %}
{%- for part in message['content'] | selectattr('type', 'equalto', 'text') %}
{% generation %}{{ part['text'] + ' ' }}{% endgeneration %}
{% endfor %}
{%- endfor %}
{%- if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}";

fn jinja(source: &str) -> Template {
    let tokens = [("bos_token", "<s>"), ("eos_token", "</s>")];
    let tokens = tokens.map(|(name, text)| (name.to_owned(), text.to_owned()));
    Template::jinja(source, tokens.into()).expect("a template")
}

fn two_rounds() -> [Turn; 4] {
    [
        Turn::human("<image>\nHow many?"),
        Turn::assistant("Three."),
        Turn::human("Why?"),
        Turn::assistant("It is a trip."),
    ]
}

fn parts_of(rendered: &Rendered, spans: &[Range<usize>]) -> Vec<String> {
    let text = |span: &Range<usize>| rendered.text[span.clone()].to_owned();
    spans.iter().map(text).collect()
}

#[derive(serde::Deserialize)]
struct Expected {
    tokens: BTreeMap<String, String>,
    conversations: Vec<Vec<String>>,
    texts: BTreeMap<String, Vec<String>>,
}

#[test]
fn transformers_writes_the_same() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/chat");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("the fixture");
    let expected: Expected = serde_json::from_str(&read("expected.json")).expect("expected texts");
    assert_eq!(expected.texts.len(), 4);
    for (name, texts) in &expected.texts {
        let template = Template::jinja(&read(name), expected.tokens.clone()).expect("a template");
        for (conversation, text) in expected.conversations.iter().zip(texts) {
            let sides = [Turn::human as fn(_) -> _, Turn::assistant]
                .into_iter()
                .cycle();
            let turns = sides
                .zip(conversation)
                .map(|(turn, text)| turn(text.clone()));
            let turns: Vec<Turn> = turns.collect();
            let prompt = template.render_prompt(&turns).expect("a conversation");
            assert_eq!(&prompt.text, text, "{name}");
            let whole = template.render(&turns).expect("a conversation");
            assert_eq!(&whole.text, text, "{name}");
            assert_eq!(whole.supervised.len(), turns.len() / 2, "{name}");
        }
    }
}

#[test]
fn an_answer_and_its_end_mark_are_learned_and_the_space_after_it_is_not() {
    let rendered = jinja(CHATML).render(&two_rounds()).expect("a conversation");
    assert_eq!(
        rendered.text,
        "<|im_start|>system\nBe brief.<|im_end|>\n\
         <|im_start|>user\n<image>\nHow many?<|im_end|>\n\
         <|im_start|>assistant\nThree.<|im_end|>\n\
         <|im_start|>user\nWhy?<|im_end|>\n\
         <|im_start|>assistant\nIt is a trip.<|im_end|>\n"
    );
    assert_eq!(
        parts_of(&rendered, &rendered.supervised),
        ["Three.<|im_end|>", "It is a trip.<|im_end|>"]
    );
    assert_eq!(parts_of(&rendered, &rendered.images), ["<image>"]);
    let typed = rendered.typed.clone().expect("nothing is rewritten");
    assert_eq!(
        parts_of(&rendered, &typed),
        ["How many?", "Three.", "Why?", "It is a trip."]
    );
}

#[test]
fn a_template_that_reads_parts_writes_the_images_itself() {
    let template = jinja(PARTS);
    assert_eq!((template.lead(), template.end()), (" ", " "));
    let rendered = template.render(&two_rounds()).expect("a conversation");
    assert_eq!(
        rendered.text,
        "USER: <image>\nHow many? ASSISTANT: Three. USER: Why? ASSISTANT: It is a trip. "
    );
    assert_eq!(
        parts_of(&rendered, &rendered.supervised),
        [" Three. ", " It is a trip. "]
    );
    let two_images = [Turn::human("<image>\n<image>\nWhich?\n<image>")];
    let prompt = template.render_prompt(&two_images).expect("a prompt");
    assert_eq!(
        prompt.text,
        "USER: <image>\n<image>\n<image>\nWhich? ASSISTANT:"
    );
    assert_eq!(prompt.images.len(), 3);
}

#[test]
fn a_template_that_writes_an_earlier_answer_in_another_way_is_not_learned_from() {
    // As in templates of reasoning models: the last answer alone has a place for thoughts.
    let thinking = "{% for m in messages %}[{{ m.role }}]\
        {% if loop.last and m.role == 'assistant' %}<think></think>{% endif %}{{ m.content }}\
        {% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
    let template = jinja(thinking);
    assert_eq!(template.lead(), "<think></think>");
    let error = template.render(&two_rounds()).expect_err("it changes");
    assert!(
        error
            .to_string()
            .contains("up to turn 2 changes once the conversation goes on"),
        "{error}"
    );
    template
        .render(&two_rounds()[..2])
        .expect("one round is stable");
    template
        .render_prompt(&two_rounds()[..3])
        .expect("a prompt");

    let no_header = "{% for m in messages %}{{ m.role }} {{ m.content }}\n{% endfor %}\
        {% if add_generation_prompt %}assistant:{% endif %}";
    let error = jinja(no_header)
        .render(&two_rounds())
        .expect_err("no prefix");
    assert!(error.to_string().contains("once it is answered"), "{error}");

    let shortened = "{% for m in messages %}{{ m.role }}:{{ m.content[:10] }}\n\
        {% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
    let turns = [Turn::human("Why?"), Turn::assistant("Because it is so.")];
    let error = jinja(shortened).render(&turns).expect_err("cut short");
    assert_eq!(error, RenderError::Rewritten { number: 2 });

    let blind = "{% for m in messages %}{{ m.role }}:{{ m.content | replace('<image>', '') }}\n\
        {% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
    let error = jinja(blind).render_prompt(&two_rounds()[..1]);
    let (images, written) = (1, 0);
    assert_eq!(error, Err(RenderError::Images { images, written }));
}

#[test]
fn a_template_says_why_it_fails() {
    let failure = |source| {
        Template::jinja(source, BTreeMap::new())
            .expect_err("fails")
            .to_string()
    };
    let raised = failure("{{ raise_exception('Only tools may speak') }}");
    assert!(raised.contains("Only tools may speak"), "{raised}");
    let broken = failure("{% for m in messages %}");
    assert!(
        broken.starts_with("the chat template failed: syntax error"),
        "{broken}"
    );
    let nothing = failure("{{ bos_token }}");
    assert!(nothing.contains("writes no message"), "{nothing}");
    let long = failure(&"x".repeat(100_000));
    assert!(
        long.contains("100000 bytes long, and 65536 is the limit"),
        "{long}"
    );
}

#[test]
fn json_is_written_as_python_writes_it() {
    let template = jinja(
        "{{ {'a': [1, 'é<', none], 'b': true} | tojson }}{{ [1] | tojson(indent=2) }}\
         {% for m in messages %}{{ m.content }}{% endfor %}",
    );
    let text = template
        .render_prompt(&[Turn::human("Why?")])
        .expect("a prompt")
        .text;
    assert_eq!(text, "{\"a\": [1, \"é<\", null], \"b\": true}[\n  1\n]Why?");
}

/// Each is tried on conversations as it is read.
#[test]
fn a_hostile_template_ends_in_an_error_at_once() {
    let grown = "{% set n = namespace(s='aaaaaaaaaaaaaaaa', x=[1]) %}";
    let long = "{% set s = 'a' * 300000 %}{% set t = 'a' * 300000 %}";
    let chain = |start: &str, link: &str, end: &str, size: usize| {
        format!("{start}{}{end}", link.repeat(size / link.len()))
    };
    let hostile = [
        "{% for i in range(100000000) %}{% endfor %}".to_owned(),
        "{% for i in range(9999) %}{% for j in range(9999) %}{% for k in range(9999) %}x\
         {% endfor %}{% endfor %}{% endfor %}"
            .to_owned(),
        "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}".to_owned(),
        "{% for x in [1] recursive %}{{ loop([1, 2]) }}{% endfor %}".to_owned(),
        "{{ 'a' * 100000000000 }}".to_owned(),
        "{{ range(90000) | join('a' * 90000) }}".to_owned(),
        "{{ '%1000000000d' | format(1) }}{{ '{:1000000000}'.format(1) }}".to_owned(),
        format!(
            "{grown}{{% for i in range(64) %}}{{% set n.s = n.s ~ n.s %}}{{% endfor %}}{{{{ n.s }}}}"
        ),
        format!(
            "{grown}{{% for i in range(64) %}}{{% set n.s = n.s.replace('a', n.s) %}}{{% endfor %}}"
        ),
        format!(
            "{grown}{{% for i in range(64) %}}{{% set n.x = [n.x, n.x] %}}{{% endfor %}}{{{{ n.x }}}}"
        ),
        format!(
            "{grown}{{% for i in range(64) %}}{{% set n.x = [n.x, n.x] %}}{{% endfor %}}{{{{ n.x | tojson }}}}"
        ),
        format!(
            "{grown}{{% for i in range(9999) %}}{{% set n.x = [n.x] %}}{{% endfor %}}{{{{ n.x }}}}"
        ),
        format!("{grown}{{% set n.n = n %}}{{{{ n }}}}"),
        format!("{long}{{% for i in range(9999) %}}{{% if s == t %}}{{% endif %}}{{% endfor %}}"),
        format!("{long}{{% for i in range(9999) %}}{{% set x = s.count('b') %}}{{% endfor %}}"),
        format!("{long}{{% for i in range(9999) %}}{{% set x = s[299999:] %}}{{% endfor %}}"),
        chain("{{ ", "(", "", 65_000),
        chain("{{ ", "not ", "1 }}", 65_000),
        chain("{{ a", ".a", " }}", 65_000),
        chain("{{ a", "~a", " }}", 65_000),
        chain("{{ 2", "**2", " }}", 65_000),
        chain("{{ a", "~a", " }}", 4000).repeat(16),
        chain("{{ a", "~a", " }}", 4000) + "{{ 'a' * 100000000000 }}",
        chain("{{ a", "|e", " }}", 65_000),
        chain("{% if x %}", "{% elif x %}", "{% endif %}", 65_000),
        chain("", "{% if x %}", "", 65_000),
    ];
    for source in hostile {
        let begun = Instant::now();
        let read = Template::jinja(&source, BTreeMap::new());
        let taken = begun.elapsed();
        let start: String = source.chars().take(120).collect();
        assert!(read.is_err(), "{start}");
        // By its limits, which take a tenth of a second at most on a machine with nothing else to do,
        // and not by the deadline of five that ends what they do not.
        assert!(taken < Duration::from_secs(3), "{taken:?} for {start}");
    }
}
