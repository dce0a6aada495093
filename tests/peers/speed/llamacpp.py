"""The work in llama.cpp, by llama-cpp-python's bindings of its C interface. See `runner.py`.

A prompt is text alone, with as many tokens as image and text have together: the work of the blocks is the same, and at
the end of an image llama.cpp would cut it in two. Attention, the size of a batch and the numbers of the cache (f16) are
its defaults.
"""

import ctypes
import json
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import llama_cpp
import runner
from llama_cpp import mtmd_cpp as mtmd


def silent(_level: int, _text: bytes, _data: ctypes.c_void_p) -> None:
    """In place of llama.cpp's own log."""


SILENT = llama_cpp.llama_log_callback(silent)
# A context is a multiple of so many tokens.
BLOCK = 256


class LlamaCpp(runner.Inference):
    def __init__(self, folder: Path, dtype: str) -> None:
        llama_cpp.llama_log_set(SILENT, None)
        mtmd.mtmd_helper_log_set(SILENT, None)
        llama_cpp.llama_backend_init()
        self.folder = folder
        file = str(folder / f"{dtype}.gguf").encode()
        self.model = llama_cpp.llama_model_load_from_file(file, llama_cpp.llama_model_default_params())
        if not self.model:
            raise SystemExit(f"llama.cpp does not load {file.decode()}")
        self.context = self.encoder = None

    def version(self) -> str:
        return f"llama.cpp of llama-cpp-python {version('llama_cpp_python')}"

    def encode(self) -> None:
        encoder, image = self.encoder or self.load_encoder()
        if mtmd.mtmd_encode_chunk(encoder, image) != 0:
            raise SystemExit("llama.cpp does not encode the image")

    def load_encoder(self) -> tuple:
        """The encoder and an image, prepared for it."""
        settings = mtmd.mtmd_context_params_default()
        settings.use_gpu, settings.warmup, settings.n_threads = False, False, os.cpu_count()
        encoder = mtmd.mtmd_init_from_file(str(self.folder / "mmproj.gguf").encode(), self.model, settings)
        side = json.loads((self.folder / "hf/config.json").read_text())["vision_config"]["image_size"]
        pixels = (ctypes.c_uint8 * (3 * side * side))(*os.urandom(3 * side * side))
        bitmap = mtmd.mtmd_bitmap_init(side, side, pixels)
        marker = mtmd.mtmd_default_marker()
        text = mtmd.mtmd_input_text(marker, len(marker), False, True)
        chunks = mtmd.mtmd_input_chunks_init()
        bitmaps = (mtmd.mtmd_bitmap_p_ctypes * 1)(bitmap)
        if mtmd.mtmd_tokenize(encoder, chunks, ctypes.byref(text), bitmaps, 1) != 0:
            raise SystemExit("llama.cpp does not prepare the image")
        count = mtmd.mtmd_input_chunks_size(chunks)
        all_chunks = [mtmd.mtmd_input_chunks_get(chunks, number) for number in range(count)]
        kind = mtmd.MTMD_INPUT_CHUNK_TYPE_IMAGE
        image = next(chunk for chunk in all_chunks if mtmd.mtmd_input_chunk_get_type(chunk) == kind)
        self.encoder = encoder, image
        return self.encoder

    def prefill(self, tokens: int, rows: int) -> Callable[[], None]:
        if self.context:
            llama_cpp.llama_free(self.context)
        settings = llama_cpp.llama_context_default_params()
        room = tokens + runner.WARM_UP + runner.STEPS
        settings.n_ctx = rows * (-(-room // BLOCK) * BLOCK)
        settings.n_seq_max = rows
        settings.n_batch = max(tokens, rows)
        settings.n_threads = settings.n_threads_batch = os.cpu_count()
        self.context = llama_cpp.llama_init_from_model(self.model, settings)
        for row in range(rows):
            self.decode([(row, position) for position in range(tokens)], 1)
        reached = tokens

        def step() -> None:
            nonlocal reached
            self.decode([(row, reached) for row in range(rows)], rows)
            reached += 1

        return step

    def decode(self, places: list[tuple[int, int]], outputs: int) -> None:
        """Words at these rows and positions, up to the logits of the last `outputs`."""
        count = len(places)
        batch = llama_cpp.llama_batch_init(count, 0, 1)
        batch.n_tokens = count
        for slot, (row, position) in enumerate(places):
            batch.token[slot] = runner.WORD
            batch.pos[slot] = position
            batch.n_seq_id[slot] = 1
            batch.seq_id[slot][0] = row
            batch.logits[slot] = slot >= count - outputs
        if llama_cpp.llama_decode(self.context, batch) != 0:
            raise SystemExit("llama.cpp does not compute the batch")
        llama_cpp.llama_get_logits_ith(self.context, count - 1)
        llama_cpp.llama_batch_free(batch)


if __name__ == "__main__":
    runner.main(LlamaCpp)
