"""Words that nobody said: chenwang's single syllables, quickened, lowered one after the other and joined, as connected speech is.

    python -m training.data.joined [count]

A model that knows a human voice by single syllables only takes the falling pitch of a word's later syllables for low tones. Writes
$MOSS_RUNS/zh-joined (FLAC 16 kHz, manifest.jsonl); needs ffmpeg on the PATH.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from ..folders import runs_folder
from .augment import SAMPLE_RATE, resample
from .corpora import records
from .digits import close_cut
from .prepare import decode

TEMPOS = (1.0, 1.25, 1.55, 1.9, 2.3)
GAP = SAMPLE_RATE // 10  # between the syllables on the tape
LOWEST, HIGHEST = 0.14, 0.36  # seconds of a syllable in a word


def quickened(syllables: list[np.ndarray], tempo: float) -> list[np.ndarray]:
    """The same at another tempo and the same pitch: one tape through ffmpeg."""
    if tempo == 1:
        return syllables
    starts = np.cumsum([GAP, *(len(s) + GAP for s in syllables)])
    tape = np.zeros(starts[-1], np.float32)
    for start, s in zip(starts, syllables):
        tape[start : start + len(s)] = s
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before.wav", Path(folder) / "after.wav"
        soundfile.write(before, tape, SAMPLE_RATE, subtype="FLOAT")
        subprocess.run(["ffmpeg", "-v", "error", "-i", before, "-af", f"atempo={tempo}", "-c:a", "pcm_f32le", after], check=True)
        tape = soundfile.read(after, dtype="float32")[0]
    return [tape[int(start / tempo) : int((start + len(s)) / tempo)] for start, s in zip(starts, syllables)]


def faded(wave: np.ndarray, seconds: float = 0.012) -> np.ndarray:
    ramp = np.linspace(0, 1, min(len(wave) // 2, int(seconds * SAMPLE_RATE)), dtype=np.float32)
    wave = wave.copy()
    wave[: len(ramp)] *= ramp
    wave[len(wave) - len(ramp) :] *= ramp[::-1]
    return wave


def word(picks: list[int], tones: list[int], tapes: list[list[np.ndarray]], rng: random.Random) -> np.ndarray:
    out, pitch, level = np.zeros(0, np.float32), 1.0, 1.0
    for place, i in enumerate(picks):
        if place:
            pitch *= 2 ** (-rng.uniform(0, 2.5) / 12)
            level *= 10 ** (-rng.uniform(0, 5) / 20)
        last = place + 1 == len(picks)
        target = rng.uniform(LOWEST, HIGHEST) * (1.3 if last else 1.0)
        length = len(tapes[0][i]) / SAMPLE_RATE / pitch
        tape = tapes[int(np.argmin([abs(length / tempo - target) for tempo in TEMPOS]))][i]
        if tones[place] == 3 and not last:
            tape = tape[: int(len(tape) * rng.uniform(0.5, 0.7))]  # before another syllable a third tone does not rise
        piece = faded(resample(tape, pitch)) * np.float32(level)
        overlap = int(rng.uniform(-0.03, 0.03) * SAMPLE_RATE) if place else 0  # below 0: a gap
        joined = np.zeros(len(out) - overlap + len(piece), np.float32)
        joined[: len(out)] = out
        joined[len(joined) - len(piece) :] += piece
        out = joined
    return out


def main(count: int) -> None:
    folder = runs_folder() / "zh-joined"
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(20257)
    known = [r for r in records(("zh-syllables",)) if r.split == "train" and r.pinyin[-1] in "1234"]
    cut = [close_cut(decode(r.path), rng, 0.02, 0) for r in known]
    tapes = [quickened(cut, tempo) for tempo in TEMPOS]
    tones = [int(r.pinyin[-1]) for r in known]
    rows = []
    for n in range(count):
        length = rng.choices((1, 2, 3, 4), (1, 6, 2, 1))[0]
        while True:
            picks = [rng.randrange(len(known)) for _ in range(length)]
            spoken = [tones[i] for i in picks]
            if all((a, b) != (3, 3) for a, b in zip(spoken, spoken[1:])):  # the first would be spoken as a second
                break
        wave = word(picks, spoken, tapes, rng)
        lead, tail = rng.randint(0, 3200), rng.randint(0, 3200)
        soundfile.write(folder / f"w{n}.flac", np.clip(np.pad(wave, (lead, tail)), -1, 1), SAMPLE_RATE, subtype="PCM_16")
        pinyin = " ".join(known[i].pinyin for i in picks)
        rows.append({"id": f"w{n}", "lang": "zh", "speaker": known[0].speaker, "file": f"w{n}.flac", "pinyin": pinyin})
    (folder / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
