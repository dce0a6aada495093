"""Whether the original LLaVA takes a folder of the layout `original`, and computes what our trace of it says.

Usage: python original_loads.py FOLDER [--tower DIR] [--trace FILE] [--image FILE]

The folder goes through the original's own `load_pretrained_model`, on the CPU and in f32 instead of f16. That reads the
tower from the path that `mm_vision_tower` names (relative to FOLDER, or DIR), not from the folder's weights, unless
`config.json` says `unfreeze_mm_vision_tower`.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from compare import Report, read_trace
from llava.mm_utils import process_images
from llava.model import builder
from llava.model.language_model.llava_llama import LlavaConfig, LlavaLlamaForCausalLM
from PIL import Image

INSIDE = "model.vision_tower.vision_tower."


class Loader(LlavaLlamaForCausalLM):
    """Keeps the list of keys that did not fit."""

    tower: str | None = None
    info: dict[str, list] = {}

    @classmethod
    def from_pretrained(cls, folder: str, **options: object) -> LlavaLlamaForCausalLM:
        config = LlavaConfig.from_pretrained(folder)
        config.mm_vision_tower = cls.tower or config.mm_vision_tower
        options |= {"config": config, "torch_dtype": torch.float32, "output_loading_info": True}
        model, cls.info = LlavaLlamaForCausalLM.from_pretrained(folder, **options)
        return model


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tower", type=Path, help="a CLIP folder, instead of the one that `mm_vision_tower` names")
    parser.add_argument("--trace", type=Path, help="what `menagerie trace` wrote for this folder")
    parser.add_argument("--image", type=Path, help="the image of the trace, to compare its pixels too")
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        parser.error(f"{arguments.folder} is no folder")

    trace = None if arguments.trace is None else read_trace(arguments.trace)
    image = None if arguments.image is None else Image.open(arguments.image).convert("RGB")
    Loader.tower = None if arguments.tower is None else str(arguments.tower.resolve())
    os.chdir(arguments.folder)
    builder.LlavaLlamaForCausalLM = Loader
    tokenizer, model, image_processor, _ = builder.load_pretrained_model(".", None, "llava", device="cpu")
    model.float().eval()

    report = Report()
    check_keys(report)
    rows, pieces = LlavaConfig.from_pretrained(".").vocab_size, len(tokenizer)
    report.check("vocabulary", rows == pieces, f"{rows} rows, {pieces} pieces: the loader makes the rows as the pieces")
    if trace is not None:
        compare(report, model, tokenizer.bos_token_id, trace)
        if image is not None:
            pixels = process_images([image], image_processor, model.config)
            report.close("pixel_values", trace["pixel_values"], pixels)
    return report.finish()


def check_keys(report: Report) -> None:
    unexpected = Loader.info["unexpected_keys"]
    inside = [key for key in unexpected if key.startswith(INSIDE)]
    report.none_of("missing keys", Loader.info["missing_keys"])
    report.none_of("unexpected keys", [key for key in unexpected if key not in inside])
    report.none_of("mismatched keys", Loader.info["mismatched_keys"])
    if inside:
        print(f"note: the original ignores the tower inside the folder ({len(inside)} tensors) and reads it elsewhere")


@torch.no_grad()
def compare(report: Report, model: LlavaLlamaForCausalLM, bos: int, trace: dict[str, torch.Tensor]) -> None:
    ids, pixels = trace["input_ids"], trace["pixel_values"]
    features = model.get_vision_tower()(pixels)
    report.close("features", trace["features"], features)
    report.close("projected", trace["projected"], model.get_model().mm_projector(features))
    report.close("logits", trace["logits"], model(input_ids=ids, images=pixels, use_cache=False).logits)
    if "generated" in trace:
        ours = trace["generated"].flatten().tolist()
        theirs = model.generate(ids, images=pixels, do_sample=False, max_new_tokens=len(ours))[0].tolist()
        # transformers puts a BOS in front where the prompt is embeddings.
        report.same("greedy tokens", ours, theirs[1:] if theirs[0] == bos else theirs)


if __name__ == "__main__":
    sys.exit(main())
