"""Whether a voice is understood: `moss-speech say` reads sentences aloud, whisper-base writes them down.

    python -m training.evaluation.voice_read_back joe.gguf [-n 20] [--phonemizer espeak-ng] [--text prompts.txt] [--wavs folder]

Prints a line a sentence, then the word error rate with its interval and n. Needs training/requirements.txt, Node and a built package.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

import soundfile
import soxr

from ..asr_judge import Judge, normalise
from ..data.edit_distance import distance
from .judging import error_interval

ROOT = Path(__file__).parents[2]
COMMAND = ROOT / "dist" / "bin" / "moss-speech.js"
SENTENCES = [
    "The birch canoe slid on the smooth planks.", "Glue the sheet to the dark blue background.", "It is easy to tell the depth of a well.",
    "These days a chicken leg is a rare dish.", "Rice is often served in round bowls.", "The juice of lemons makes fine punch.",
    "The box was thrown beside the parked truck.", "The hogs were fed chopped corn and garbage.", "Four hours of steady work faced us.",
    "A large size in stockings is hard to sell.", "The boy was there when the sun rose.", "A rod is used to catch pink salmon.",
    "The source of the huge river is the clear spring.", "Kick the ball straight and follow through.", "Help the woman get back to her feet.",
    "A pot of tea helps to pass the evening.", "Smoky fires lack flame and heat.", "The soft cushion broke the man's fall.",
    "The salt breeze came across from the sea.", "The girl at the booth sold fifty bonds.",
]  # fmt: skip
"""IEEE Recommended Practice for Speech Quality Measurements (1969), lists 1 and 2: the Harvard sentences."""


def say(voice: str, text: str, wav: Path, extra: list[str]) -> None:
    subprocess.run(["node", COMMAND, "say", "--voice", voice, text, "-o", wav, "--seed", "1", *extra], check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("voice", help="a voice file (GGUF)")
    parser.add_argument("-n", type=int, default=len(SENTENCES), help="sentences")
    parser.add_argument("--text", type=Path, help="sentences of your own, one a line")
    parser.add_argument("--phonemizer", choices=["auto", "builtin", "espeak-ng"], default="auto")
    parser.add_argument("--wavs", type=Path, help="keep the recordings here")
    args = parser.parse_args()
    lines = args.text.read_text().splitlines() if args.text else SENTENCES
    sentences = [line.strip() for line in lines if line.strip()][: args.n]
    judge = Judge()
    pairs = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.wavs or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for i, sentence in enumerate(sentences):
            wav = folder / f"{i:03}.wav"
            say(args.voice, sentence, wav, ["--phonemizer", args.phonemizer])
            audio, rate = soundfile.read(wav, dtype="float32")
            heard = judge.read(soxr.resample(audio, rate, 16000), "en")
            want, got = normalise(sentence, "en"), normalise(heard, "en")
            pairs.append((distance(want, got), len(want)))
            print(f"{pairs[-1][0]}/{pairs[-1][1]}  {sentence}  |  {heard}", flush=True)
    wrong, words = (sum(column) for column in zip(*pairs))
    low, high = error_interval(pairs)
    print(f"WER {100 * wrong / words:.1f} % (95 %: {100 * low:.1f} to {100 * high:.1f}), {words} words in {len(pairs)} sentences, phonemizer {args.phonemizer}")


if __name__ == "__main__":
    main()
