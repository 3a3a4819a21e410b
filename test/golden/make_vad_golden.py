"""Makes what the C++ tests of the voice activity network compare with.

    python test/golden/make_vad_golden.py silero_vad_16k_op15.onnx     # of pip silero-vad 6.2.3; needs training/requirements.txt

vad.gguf          a tiny network of its kind with random weights
vad.golden.gguf   samples and the twin's stages of it; and a recorded question (test/audio/questions) with the probabilities that Silero's own
                  network gives it in onnxruntime, for the one in models/nano.gguf
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile
import soxr
import torch

FOLDER = Path(__file__).parent
sys.path[:0] = [str(FOLDER), str(FOLDER.parents[1])]

from make_golden import randomize, save_golden, voice_like  # noqa: E402
from training.export.bundle import Bundle, write  # noqa: E402
from training.networks.config import VadConfig  # noqa: E402
from training.networks.vad import Vad  # noqa: E402

CONFIG = VadConfig(window_length=128, context_length=16, fft_length=64, hop_length=32, channels=[16, 8, 8, 16], strides=[1, 2, 2, 1], hidden=16)
QUESTION = FOLDER.parent / "audio" / "questions" / "en-home-02.opus"


def silero(path: str, samples: np.ndarray) -> np.ndarray:
    """Probabilities of whole windows, each with the 64 samples before it."""
    session = onnxruntime.InferenceSession(path)
    samples = np.concatenate([np.zeros(64, np.float32), samples])
    state, probabilities = np.zeros((2, 1, 128), np.float32), []
    for begin in range(0, len(samples) - 575, 512):
        inputs = {"input": samples[None, begin : begin + 576], "state": state, "sr": np.array(16000)}
        probability, state = session.run(None, inputs)
        probabilities.append(probability.reshape(()))
    return np.stack(probabilities)


@torch.no_grad()
def main() -> None:
    vad = randomize(Vad(CONFIG), 1)
    bundle = Bundle(name="vad", description="Random weights, for tests.")
    bundle.add("vad", CONFIG, vad.state_dict())
    write(bundle, FOLDER / "vad.gguf", "f32")
    stages: dict[str, torch.Tensor] = {}
    samples = voice_like(128 * 70 + 50, 2)[0]  # more than two graphs, and a last window that is filled
    vad(samples, stages)
    recorded, rate = soundfile.read(QUESTION, dtype="float32")
    recorded = soxr.resample(recorded, rate, 16000).astype(np.float32)
    recorded = recorded[: len(recorded) // 512 * 512]
    stages["input.samples"] = samples[None]
    stages["silero.samples"] = torch.from_numpy(recorded)[None]
    stages["silero.probability"] = torch.from_numpy(silero(sys.argv[1], recorded))[None]
    save_golden(FOLDER / "vad.golden.gguf", stages, {})


if __name__ == "__main__":
    main()
