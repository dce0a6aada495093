"""Whether transformers takes a folder of the layout `hf`, and computes what our trace of it says.

Usage: python transformers_loads.py FOLDER [--trace FILE] [--image FILE]
"""

import argparse
import os
import sys
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
from compare import Report, read_trace
from PIL import Image
from transformers import AutoImageProcessor, AutoProcessor, LlavaForConditionalGeneration

IMAGE = -200  # an image's place in a trace's `input_ids`


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trace", type=Path, help="what `menagerie trace` wrote for this folder")
    parser.add_argument("--image", type=Path, help="the image of the trace, to compare its pixels too")
    arguments = parser.parse_args()
    if not arguments.folder.is_dir():
        parser.error(f"{arguments.folder} is no folder")

    report = Report()
    processor = AutoProcessor.from_pretrained(arguments.folder)
    model, info = LlavaForConditionalGeneration.from_pretrained(
        arguments.folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
    )
    model.eval()
    for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs"):
        report.none_of(kind.replace("_", " "), sorted(info.get(kind) or []))
    check_processor(report, processor, model)
    if arguments.trace is not None:
        compare(report, model, read_trace(arguments.trace))
        if arguments.image is not None:
            # transformers' own torchvision processors differ from its PIL ones by up to 1/255.
            images = AutoImageProcessor.from_pretrained(arguments.folder, backend="pil")
            pixels = images(Image.open(arguments.image).convert("RGB"), return_tensors="pt")
            report.close("pixel_values", read_trace(arguments.trace)["pixel_values"], pixels["pixel_values"])
    return report.finish()


def check_processor(report: Report, processor: AutoProcessor, model: LlavaForConditionalGeneration) -> None:
    """The processor writes as many placeholders as the model makes visual tokens, with the model's id."""
    inputs = processor(images=Image.new("RGB", (80, 50)), text=processor.image_token, return_tensors="pt")
    places = int((inputs["input_ids"] == model.config.image_token_id).sum())
    with torch.no_grad():
        tokens = model.model.multi_modal_projector(features(model, inputs["pixel_values"])).shape[1]
    report.check("placeholders", places == tokens, f"{places} by the processor, {tokens} visual tokens")


def features(model: LlavaForConditionalGeneration, pixels: torch.Tensor) -> torch.Tensor:
    """The hidden states that the configuration selects, beside one another if it selects several."""
    states = model.model.vision_tower(pixels, output_hidden_states=True).hidden_states
    layers = model.config.vision_feature_layer
    without_cls = model.config.vision_feature_select_strategy == "default"
    chosen = [states[layer] for layer in ([layers] if isinstance(layers, int) else layers)]
    return torch.cat([state[:, 1:] if without_cls else state for state in chosen], dim=-1)


@torch.no_grad()
def compare(report: Report, model: LlavaForConditionalGeneration, trace: dict[str, torch.Tensor]) -> None:
    pixels = trace["pixel_values"]
    selected = features(model, pixels)
    projected = model.model.multi_modal_projector(selected)
    report.close("features", trace["features"], selected)
    report.close("projected", trace["projected"], projected)

    placeholders = [model.config.image_token_id] * projected.shape[1]
    ids = [t for token in trace["input_ids"][0].tolist() for t in (placeholders if token == IMAGE else [token])]
    inputs = {
        "input_ids": torch.tensor([ids]),
        "attention_mask": torch.ones(1, len(ids), dtype=torch.int64),
        "pixel_values": pixels,
    }
    logits = model(**inputs, use_cache=False).logits
    # transformers' vocabulary may be padded, and has the placeholder.
    rows = min(logits.shape[-1], trace["logits"].shape[-1])
    report.close("logits", trace["logits"][..., :rows], logits[..., :rows])
    if "generated" in trace:
        ours = trace["generated"].flatten().tolist()
        theirs = model.generate(**inputs, do_sample=False, max_new_tokens=len(ours))
        report.same("greedy tokens", ours, theirs[0, len(ids) :].tolist())


if __name__ == "__main__":
    sys.exit(main())
