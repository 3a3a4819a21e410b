"""wav2vec2 in transformers and in onnxruntime (FP32 and INT8), for bench/encoder.mjs: one JSON request a line, one answer a line.

    {"make": FOLDER, "size": "base" | "large"}      a checkpoint of random weights, model.onnx and model.int8.onnx there
    {"load": FOLDER, "threads": N, "engines": [...]} -> {"loaded": [...]}
    {"run": ENGINE, "wave": FILE, "out"?: FILE}      raw F32, 16 kHz -> {"ms", "cpuMs", "frames": T, "channels": C};
                                                     `out` gets the last hidden states as raw F32 [T, C]
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.modules.setdefault("torchaudio", None)  # transformers would import it for nothing, and fails where it is not torch's own

LARGE = {
    "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096, "feat_extract_norm": "layer",
    "do_stable_layer_norm": True, "conv_bias": True,
}  # fmt: skip


class Hidden(torch.nn.Module):
    """The last hidden states alone, which is what is exported."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, wave):
        return self.model(wave).last_hidden_state


def make(folder: Path, size: str) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(0)
    model = Wav2Vec2Model(Wav2Vec2Config(**(LARGE if size == "large" else {}), attn_implementation="eager")).eval()
    model.save_pretrained(folder)
    torch.onnx.export(
        Hidden(model), (torch.randn(1, 16000 * 3),), folder / "model.onnx", input_names=["wave"], output_names=["hidden"],
        dynamic_axes={"wave": {1: "samples"}, "hidden": {1: "frames"}}, opset_version=17, dynamo=False,
    )  # fmt: skip
    quantize_dynamic(folder / "model.onnx", folder / "model.int8.onnx", weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul"])


def load(folder: Path, threads: int, engines: list[str]) -> dict:
    loaded = {}
    for engine in engines:
        if engine == "transformers":
            from transformers import Wav2Vec2Model

            torch.set_num_threads(threads)
            model = Wav2Vec2Model.from_pretrained(folder).eval()
            loaded[engine] = lambda wave, model=model: model(torch.from_numpy(wave)).last_hidden_state.numpy()
        else:
            import onnxruntime

            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
            name = {"onnxruntime": "model.onnx", "onnxruntime-int8": "model.int8.onnx"}[engine]
            session = onnxruntime.InferenceSession(folder / name, options, providers=["CPUExecutionProvider"])
            loaded[engine] = lambda wave, session=session: session.run(None, {"wave": wave})[0]
    return loaded


def main() -> None:
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    engines: dict = {}
    with torch.inference_mode():
        for line in sys.stdin:
            request = json.loads(line)
            if "make" in request:
                with torch.inference_mode(False):
                    make(Path(request["make"]), request["size"])
                answer = {}
            elif "load" in request:
                engines = load(Path(request["load"]), request["threads"], request["engines"])
                answer = {"loaded": list(engines)}
            else:
                wave = np.fromfile(request["wave"], np.float32)[None]
                began, processor = time.perf_counter(), time.process_time()
                hidden = engines[request["run"]](wave)[0]
                answer = {
                    "ms": (time.perf_counter() - began) * 1000, "cpuMs": (time.process_time() - processor) * 1000,
                    "frames": hidden.shape[0], "channels": hidden.shape[1],
                }  # fmt: skip
                if "out" in request:
                    hidden.astype(np.float32).tofile(request["out"])
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
