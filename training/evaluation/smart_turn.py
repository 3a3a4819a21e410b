"""Smart Turn v3.2 (pipecat-ai, BSD-2-Clause) in onnxruntime, with which nano's decision about the end of a turn is compared. No part of any release.

    pip download pipecat-ai==1.14.0 --no-deps       # its wheel holds smart-turn-v3.2-cpu.onnx

Its input are the log mel spectra of Whisper of the last 8 s, with zeros before a shorter turn.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import onnxruntime
from transformers import WhisperFeatureExtractor

SECONDS = 8
PRE_ROLL = 0.5  # seconds before the speech that it hears
WAITS = 3.0  # seconds of silence that end a turn in any case, as its authors have it
FILE = "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"


class SmartTurn:
    def __init__(self, wheel: Path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        with zipfile.ZipFile(wheel) as files:
            self.session = onnxruntime.InferenceSession(files.read(FILE), options, providers=["CPUExecutionProvider"])
        self.features = WhisperFeatureExtractor(chunk_length=SECONDS)

    def complete(self, wave: np.ndarray) -> float:
        """The probability that a turn, 16 kHz up to now, is complete."""
        length = SECONDS * 16000
        heard = np.pad(wave[-length:], (max(0, length - len(wave)), 0))
        inputs = self.features(heard, sampling_rate=16000, return_tensors="np", padding="max_length", max_length=length, truncation=True, do_normalize=True)
        return float(self.session.run(None, {"input_features": inputs.input_features.astype(np.float32)})[0].item())
