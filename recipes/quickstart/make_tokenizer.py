#!/usr/bin/env python3
"""Train the quickstart's tokenizer from its text-only training data.

    make_tokenizer.py DATA_DIR OUT

DATA_DIR holds the `text.json` that make_data.py writes; OUT is the `tokenizer.json` to write.
Needs the Python package `tokenizers` (0.20 or newer).

A byte-level BPE: any text can be encoded and nothing is ever <unk>. Every text starts with <s>.
The words of the quickstart become single tokens, the roles of the `hf-llava` template among them.
"""
import json
import pathlib
import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers

SPECIAL = ["<unk>", "<s>", "</s>", "<pad>"]  # ids 0, 1, 2, 3
VOCABULARY = 512  # an upper bound: 256 bytes, the special tokens and the merges that the text offers


def texts(path):
    """Each sample as the template `hf-llava` would show it."""
    for sample in json.loads(path.read_text()):
        turns = sample["conversations"]
        for human, gpt in zip(turns[::2], turns[1::2]):
            yield f"USER: {human['value']} ASSISTANT: {gpt['value']}"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    tokenizer = Tokenizer(models.BPE(unk_token=None))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(pathlib.Path(sys.argv[1]) / "text.json"), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", SPECIAL.index("<s>"))]
    )
    tokenizer.save(sys.argv[2])


if __name__ == "__main__":
    main()
