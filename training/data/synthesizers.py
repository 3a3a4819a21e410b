"""More speakers, cheaply: flite's and espeak-ng's voices say numbers, orders and small talk of the domain (training only).

    python -m training.data.synthesizers [count]

Needs flite and espeak-ng on the PATH (Debian packages of those names); writes $MOSS_RUNS/domain-synth (FLAC 16 kHz, manifest.jsonl). Resumes.
"""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr

from ..folders import runs_folder
from .corpora import manifest_rows
from .domain import Domain

FLITE_VOICES = ("kal", "slt", "rms", "awb")
ESPEAK_VARIANTS = ("", "+m1", "+m3", "+m5", "+m7", "+f1", "+f2", "+f4")
SHARES = {"number": 0.35, "digits": 0.05, "home": 0.45, "talk": 0.15}


def flite(text: str, voice: str, stretch: float) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "say.wav"
        subprocess.run(["flite", "-voice", voice, "--setf", f"duration_stretch={stretch}", "-t", text, "-o", str(path)], check=True)
        return _to_16k(path.read_bytes())


def espeak(text: str, voice: str, rate: int, pitch: int) -> np.ndarray:
    done = subprocess.run(["espeak-ng", "-v", voice, "-s", str(rate), "-p", str(pitch), "--stdout"], input=text.encode(), capture_output=True, check=True)  # fmt: skip
    return _to_16k(done.stdout)


def _to_16k(wav: bytes) -> np.ndarray:
    samples, rate = soundfile.read(io.BytesIO(wav), dtype="float32")
    return soxr.resample(samples, rate, 16000) if rate != 16000 else samples


def main(count: int) -> None:
    folder = runs_folder() / "domain-synth"
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "manifest.jsonl"
    done = {row["id"] for row in manifest_rows(folder)}
    rng = random.Random(20254)
    domain = Domain("train", SHARES)
    made = 0
    for i in range(count):
        lang = "zh" if i % 3 == 2 else "en"
        item = domain.sample(rng, lang)
        stretch, rate, pitch = rng.uniform(0.8, 1.25), rng.randint(130, 190), rng.randint(25, 75)
        fliting = lang == "en" and rng.random() < 0.6
        voice = rng.choice(FLITE_VOICES) if fliting else ("cmn" if lang == "zh" else rng.choice(("en-us", "en-gb"))) + rng.choice(ESPEAK_VARIANTS)
        clip = f"s{i:05d}"
        if clip in done:
            continue
        audio = flite(item.user, voice, stretch) if fliting else espeak(item.user, voice, rate, pitch)
        if len(audio) < 1600:  # a voice that could not read it
            continue
        soundfile.write(folder / f"{clip}.flac", np.clip(audio, -1, 1), 16000, subtype="PCM_16")
        row = {
            "id": clip, "lang": lang, "speaker": f"{'flite' if fliting else 'espeak'}-{voice}", "text": item.user, "file": f"{clip}.flac",
            "seconds": round(len(audio) / 16000, 3), "meta": {"kind": item.kind, "reply": item.reply, "slots": item.slots},
        }  # fmt: skip
        with open(manifest, "a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        made += 1
    print(f"{made} clips made")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4500)
