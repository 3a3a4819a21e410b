"""Single digits by many voices, cut close, as people record them: the human digits have four speakers, two of them to train on.

    python -m training.data.digits [--rounds 110] [--synthesized 2500]

A round is the ten digits in one breath by one blend of the teacher's voices, of all its languages (that is where accents come from), cut apart by its
durations. flite and espeak-ng say the rest. Half of the clips are 8 kHz recordings. Writes $MOSS_RUNS/domain-digits (FLAC, manifest.jsonl). Resumes.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
from pathlib import Path

import numpy as np
import soundfile
import soxr

from ..folders import runs_folder
from . import speakers
from .corpora import manifest_rows
from .domain import number_reply
from .g2p import number_to_english, to_phonemes
from .synthesizers import FLITE_VOICES, espeak, flite
from .teacher import ENGLISH_VOICES, SAMPLE_RATE, Teacher
from .voices import WATCHED_ACCENTS

FOREIGN = tuple("efhijpz")  # first letter of a voice's name: Spanish, French, Hindi, Italian, Japanese, Portuguese, Mandarin
ENGLISH = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-029", "en-us-nyc")
UNNATURAL = re.compile("robo|Robo|Demon|Announcement|whisper|croak|fast_test|Tweaky")
FRAME = 600  # samples of the teacher's durations
DIGITS = [number_to_english(n) for n in range(10)]


def _blend(rng: random.Random, foreign: list[str]) -> str:
    names = rng.sample(ENGLISH_VOICES, 2) if rng.random() < 0.4 else [rng.choice(ENGLISH_VOICES), rng.choice(foreign)]
    weight = rng.choice((0.2, 0.35, 0.5, 0.65, 0.8))
    blend = f"{names[0]}*{weight}+{names[1]}*{round(1 - weight, 2)}"
    return rng.choice((names[1], blend, blend))


class Clips:
    """The folder that is filled."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.manifest = folder, folder / "manifest.jsonl"
        self.done = {row["id"] for row in manifest_rows(folder)}

    def add(self, clip: str, audio: np.ndarray, rate: int, speaker: str, digit: int, narrow: bool, **labels) -> None:
        if narrow:
            audio, rate = soxr.resample(audio, rate, 8000), 8000
        soundfile.write(self.folder / f"{clip}.flac", np.clip(audio, -1, 1), rate, subtype="PCM_16")
        meta = {"kind": "number", "reply": number_reply(digit, "en"), "slots": {}}
        row = {"id": clip, "lang": "en", "speaker": speaker, "text": DIGITS[digit], "file": f"{clip}.flac", "meta": meta, **labels}
        with open(self.manifest, "a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def by_teacher(clips: Clips, rounds: int) -> None:
    rng, teacher = random.Random(20255), Teacher()
    foreign = [name for name in speakers.voices("train") if name.startswith(FOREIGN) and name not in WATCHED_ACCENTS]
    for number in range(-len(WATCHED_ACCENTS), rounds):
        voice = WATCHED_ACCENTS[number] if number < 0 else _blend(rng, foreign)
        speed, order = rng.choice((0.75, 0.9, 1.0, 1.1, 1.25, 1.4)), rng.sample(range(10), 10)
        stops = [rng.choice((".", ".", ",", "?")) for _ in order]
        draws = [(rng.randint(0, 3), rng.randint(0, 3), rng.random() < 0.5) for _ in order]
        if f"k{number}.9" in clips.done:
            continue
        words = [to_phonemes(DIGITS[digit], "en", british=voice[0] == "b") for digit in order]
        phonemes = " ".join(word + stop for word, stop in zip(words, stops))
        said = teacher.speak(phonemes, voice, speed)
        edges = np.cumsum([0, *said.durations])  # of symbol i: edges[i + 1] to edges[i + 2]
        at = 0
        for place, (digit, word, (lead, tail, narrow)) in enumerate(zip(order, words, draws)):
            low, high = edges[at + 1], edges[at + len(word) + 1]
            lead, tail = min(lead, low), min(tail, edges[-1] - high)
            durations = [int(lead), *said.durations[at + 1 : at + len(word) + 1], int(tail)]
            audio = said.audio[(low - lead) * FRAME : (high + tail) * FRAME]
            clips.add(f"k{number}.{place}", audio, SAMPLE_RATE, voice, digit, narrow, phonemes=word, durations=durations)
            at += len(word) + 2
        if number % 25 == 0:
            print(f"{number} rounds", flush=True)


def close_cut(audio: np.ndarray, rng: random.Random, floor: float = 0.01, margin: int = 1280) -> np.ndarray:
    """Without the silence around, below `floor` of the peak, but for up to `margin` samples."""
    level = np.abs(audio)
    loud = np.flatnonzero(level > floor * level.max())
    return audio[max(0, loud[0] - rng.randint(0, margin)) : loud[-1] + 1 + rng.randint(0, margin)]


def by_synthesizers(clips: Clips, count: int) -> None:
    rng = random.Random(20256)
    listed = subprocess.run(["espeak-ng", "--voices=variant"], capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    variants = sorted(name for name in (line.split("!v/")[1].strip() for line in listed) if not UNNATURAL.search(name))
    for i in range(count):
        digit, narrow, fliting = rng.randrange(10), rng.random() < 0.5, rng.random() < 0.25
        voice = rng.choice(FLITE_VOICES) if fliting else f"{rng.choice(ENGLISH)}+{rng.choice(variants)}"
        stretch, rate, pitch = rng.uniform(0.7, 1.3), rng.randint(110, 230), rng.randint(15, 85)
        if f"s{i}" in clips.done:
            continue
        audio = flite(DIGITS[digit], voice, stretch) if fliting else espeak(DIGITS[digit], voice, rate, pitch)
        if len(audio) > 1600 and np.abs(audio).max() > 0.01:
            clips.add(f"s{i}", close_cut(audio, rng), 16000, f"{'flite' if fliting else 'espeak'}-{voice}", digit, narrow)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=110)
    parser.add_argument("--synthesized", type=int, default=2500)
    args = parser.parse_args()
    clips = Clips(runs_folder() / "domain-digits")
    by_synthesizers(clips, args.synthesized)
    by_teacher(clips, args.rounds)


if __name__ == "__main__":
    main()
