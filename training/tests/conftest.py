"""A few seconds of synthetic corpora, in folders of their own: $MOSS_DATA and $MOSS_RUNS point there while a test that wants them runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from training.data import speakers
from training.data.g2p import to_phonemes

RATE = 24_000
FRAME = 600  # samples of the teacher's durations


def voiced(samples: int, f0: float, rng: np.random.Generator) -> np.ndarray:
    """A buzzing tone in noise."""
    phase = 2 * np.pi * f0 * np.arange(samples) / RATE
    wave = sum(np.sin(k * phase) / k for k in range(1, 8)) * (0.6 + 0.4 * np.sin(np.arange(samples) / 3000))
    return (0.1 * wave + 0.005 * rng.standard_normal(samples)).astype(np.float32)


def write_clip(folder: Path, row: dict, samples: int, f0: float, rng: np.random.Generator) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / row["file"], voiced(samples, f0, rng), RATE, subtype="PCM_16")
    with open(folder / "manifest.jsonl", "a", encoding="utf-8") as manifest:
        manifest.write(json.dumps(row, ensure_ascii=False) + "\n")


def teacher_clips(data: Path, clips: list[tuple[str, str, str]]) -> None:
    """(voice, language, text) as the teacher's corpus has them: phonemes, durations, pitch and energy."""
    rng, arrays = np.random.default_rng(1), {}
    for i, (voice, lang, text) in enumerate(clips):
        phonemes = to_phonemes(text, lang)
        durations = [6, *(int(n) for n in rng.integers(2, 7, len(phonemes))), 6]
        frames = 2 * sum(durations)
        row = {"id": f"c{i}", "lang": lang, "voice": voice, "speed": 1.0, "text": text, "phonemes": phonemes, "durations": durations, "file": f"c{i}.flac"}
        write_clip(data / "teacher", row, sum(durations) * FRAME, 120 + 20 * i, rng)
        arrays[f"c{i}_f0"] = np.full(frames, 120.0 + 20 * i, np.float32)
        arrays[f"c{i}_energy"] = rng.normal(2.1, 6.7, frames).astype(np.float32)
    np.savez(data / "teacher" / "f0-energy.npz", **arrays)


def people(data: Path, corpus: str, rows: list[dict]) -> None:
    rng = np.random.default_rng(2)
    for i, row in enumerate(rows):
        write_clip(data / corpus, {"id": f"p{i}", "lang": "en", "file": f"p{i}.flac", **row}, RATE, 100 + 30 * i, rng)


@pytest.fixture
def corpora(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """(data, runs): two voices of the teacher, and four people who say digits, of whom two may be trained."""
    data, runs = tmp_path / "data", tmp_path / "runs"
    monkeypatch.setenv("MOSS_DATA", str(data))
    monkeypatch.setenv("MOSS_RUNS", str(runs))
    voices = np.random.default_rng(3)
    (data / "voices").mkdir(parents=True)
    for name in speakers.voices("train"):
        voices.standard_normal((510, 256)).astype("<f4").tofile(data / "voices" / f"{name}.bin")
    teacher_clips(data, [("af_heart", "en", "The weather is nice today."), ("af_bella", "en", "We walked along the river."), ("zf_xiaoxiao", "zh", "今天天气很好。"), ("zm_yunxi", "zh", "我们去公园吧。")])
    people(data, "en-digits", [{"speaker": who, "text": text} for who in ("jackson", "lucas", "theo", "nicolas") for text in ("seven", "two")])
    return data, runs
