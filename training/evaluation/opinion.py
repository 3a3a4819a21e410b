"""distillmos predicts the mean opinion score (1 to 5) of recordings: the judge of scripts/say-mos.mjs, and of nano's voices.

As a program, reads {"voices": [{"sentences": [{"wav"}, …]}, …]} from standard input, the same sentences for each voice, and prints the same with the
"mos" of each sentence and voice and, against the first voice, the mean "difference", its 95 % interval and the one that is farthest from 0.
distillmos carries its weights. Needs training/requirements.txt.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from types import ModuleType

import numpy as np
import soundfile
import soxr
import torch

from .judging import error_interval


def judge() -> Callable[[np.ndarray, int], float]:
    """Loads the judge: (audio, its rate) -> the score."""
    # distillmos reads files with torchaudio, which we do not need and which refuses to load beside a torch of another CUDA version.
    sys.modules.setdefault("torchaudio", ModuleType("torchaudio"))
    from distillmos import ConvTransformerSQAModel

    with redirect_stdout(sys.stderr):  # it prints where its weights are
        model = ConvTransformerSQAModel().eval()

    @torch.inference_mode()
    def score(audio: np.ndarray, rate: int) -> float:
        return model(torch.from_numpy(soxr.resample(audio, rate, 16000).astype(np.float32))[None]).item()

    return score


def main() -> None:
    voices = json.load(sys.stdin)["voices"]
    score = judge()
    reference = voices[0]["sentences"]
    for voice in voices:
        for sentence in voice["sentences"]:
            sentence["mos"] = score(*soundfile.read(sentence["wav"], dtype="float32"))
        differences = [ours["mos"] - theirs["mos"] for ours, theirs in zip(voice["sentences"], reference, strict=True)]
        n = len(differences)
        voice["mos"] = sum(sentence["mos"] for sentence in voice["sentences"]) / n
        voice["difference"] = sum(differences) / n
        voice["interval"] = error_interval([(d, 1) for d in differences])  # of a mean: each sentence counts once
        voice["farthest"] = max(differences, key=abs)
    json.dump({"voices": voices}, sys.stdout)


if __name__ == "__main__":
    main()
