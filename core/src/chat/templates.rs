//! The templates, as the original repository (haotian-liu/LLaVA, `llava/conversation.py` and
//! `llava/train/train.py`) and its ports write them.

use super::builtin::{
    BuiltIn,
    Piece::{Given, Learned},
};

/// The system prompt of `v1`.
const USER_SYSTEM: &str = "A chat between a curious user and an artificial intelligence assistant. \
    The assistant gives helpful, detailed, and polite answers to the user's questions.";
/// The system prompt of `v0` and `llava_v1`.
const HUMAN_SYSTEM: &str = "A chat between a curious human and an artificial intelligence assistant. \
    The assistant gives helpful, detailed, and polite answers to the human's questions.";
const LLAMA_2_SYSTEM: &str = "You are a helpful language and vision assistant. \
    You are able to understand the visual content that the user provides, \
    and assist the user with a variety of tasks using natural language.";
const MPT_SYSTEM: &str = "A conversation between a user and an LLM-based AI assistant. \
    The assistant gives helpful and honest answers.";

/// `{system} USER: {q} ASSISTANT: {a}</s>USER: …`
const VICUNA: BuiltIn = BuiltIn {
    name: "v1",
    opening: &[Given(USER_SYSTEM), Given(" USER: ")],
    human: &[Given("USER: ")],
    header: &[Given(" ASSISTANT:")],
    lead: " ",
    end: "</s>",
    tail: &[],
    drops_human_text: false,
    stop: "</s>",
    controls: &["</s>"],
};

/// `<|im_start|>system\n{system}<|im_end|><|im_start|>user\n{q}<|im_end|>…`: nothing between one
/// message and the next.
const MPT: BuiltIn = BuiltIn {
    name: "mpt",
    opening: &[
        Given("<|im_start|>system\n"),
        Given(MPT_SYSTEM),
        Given("<|im_end|><|im_start|>user\n"),
    ],
    human: &[Given("<|im_start|>user\n")],
    header: &[Given("<|im_end|><|im_start|>assistant\n")],
    lead: "",
    end: "<|im_end|>",
    tail: &[],
    drops_human_text: false,
    stop: "<|im_end|>",
    controls: &["<|im_start|>", "<|im_end|>"],
};

/// ChatML as Qwen writes it: a line feed after each `<|im_end|>`, which is not learned.
const CHATML: BuiltIn = BuiltIn {
    name: "chatml",
    opening: &[
        Given("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"),
        Given("<|im_start|>user\n"),
    ],
    human: &[Given("\n<|im_start|>user\n")],
    header: &[Given("<|im_end|>\n<|im_start|>assistant\n")],
    tail: &[Given("\n")],
    ..MPT
};

pub(super) static ALL: &[BuiltIn] = &[
    // The first release's own format, `{system}\n\n### Human: {q}\n### Assistant: {a}\n### `. Its
    // code masks a human turn from its third token on, so the first two, which in LLaMA's
    // vocabulary are `##` and `#`, stay supervised, and so do the assistant's role and the final
    // `### `. They are what makes the model write its stop string. Reproduced as it is.
    BuiltIn {
        name: "v0",
        opening: &[
            Given(HUMAN_SYSTEM),
            Given("\n\n"),
            Learned("###"),
            Given(" Human: "),
        ],
        human: &[Learned("###"), Given(" Human: ")],
        header: &[Given("\n"), Learned("### Assistant:")],
        lead: " ",
        end: "\n",
        tail: &[Learned("### ")],
        drops_human_text: false,
        stop: "###",
        controls: &[],
    },
    VICUNA,
    BuiltIn {
        name: "llava_v1",
        opening: &[Given(HUMAN_SYSTEM), Given(" USER: ")],
        ..VICUNA
    },
    // How the original's code asks a `v0` model: as `conversation.py` writes it, which is not quite
    // what it trained on.
    BuiltIn {
        name: "llava_v0",
        opening: &[Given(HUMAN_SYSTEM), Given("###Human: ")],
        human: &[Given("Human: ")],
        header: &[Given("###Assistant:")],
        lead: " ",
        end: "###",
        tail: &[],
        drops_human_text: false,
        stop: "###",
        controls: &[],
    },
    // Stage 1: `<image>{caption}\n`.
    BuiltIn {
        name: "plain",
        opening: &[],
        human: &[],
        header: &[],
        lead: "",
        end: "\n",
        tail: &[],
        drops_human_text: true,
        stop: "\n",
        controls: &[],
    },
    // `[INST] <<SYS>>\n{system}\n<</SYS>>\n\n{q} [/INST] {a} </s><s>[INST] …`; the first `<s>` is
    // the tokenizer's.
    BuiltIn {
        name: "llava_llama_2",
        opening: &[
            Given("[INST] <<SYS>>\n"),
            Given(LLAMA_2_SYSTEM),
            Given("\n<</SYS>>\n\n"),
        ],
        human: &[Given("<s>[INST] ")],
        header: &[Given(" [/INST]")],
        lead: " ",
        end: " </s>",
        tail: &[],
        drops_human_text: false,
        stop: "</s>",
        controls: &["<s>", "</s>"],
    },
    MPT,
    CHATML,
    // Qwen1.5 and Qwen2, whose own template is this ChatML.
    BuiltIn {
        name: "qwen",
        ..CHATML
    },
    // Llama 3: no system prompt; `<|begin_of_text|>` is the tokenizer's.
    BuiltIn {
        name: "llama3",
        opening: &[Given("<|start_header_id|>user<|end_header_id|>\n\n")],
        human: &[Given("<|start_header_id|>user<|end_header_id|>\n\n")],
        header: &[Given(
            "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n",
        )],
        lead: "",
        end: "<|eot_id|>",
        tail: &[],
        drops_human_text: false,
        stop: "<|eot_id|>",
        controls: &["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
    },
    // LLaVA-1.5 as ported to Hugging Face: `v1` without its system prompt.
    BuiltIn {
        name: "hf-llava",
        opening: &[Given("USER: ")],
        ..VICUNA
    },
];
