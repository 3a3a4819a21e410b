"""Writes docs/listening.md's recordings and spectrograms: six sentences by the teacher and by bundles of nano.

    python -m training.evaluation.listening --bundle "nano v0=old.gguf" --bundle nano=models/nano.gguf

The page's own words stay; what stands between its markers, and the files in docs/listening, are made anew. Each picture has the speakers one above
the other, on the same axes and the same scale of decibels.
"""

from __future__ import annotations

import argparse
import re
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from ..data.voices import DEFAULT_VOICE
from .recordings import Recording, judge, levels, spoken_by_bundle, spoken_by_teacher
from .report import write_card
from .sentences import Sentence, sentences
from .speech import named_bundle, table
from .turns import ROOT

CHOSEN = {"en": (0, 2, 8), "zh": (0, 9, 5)}  # a reply, a question, and digits or a single word
PAGE = ROOT / "docs" / "listening.md"
WINDOW, HOP = 0.025, 0.005  # seconds
HIGHEST = 12  # kHz
DECIBELS = (-105, -25)  # of full scale, black to white
COLOURS = 48  # of a picture's palette


def spectrogram(audio: np.ndarray, rate: int) -> np.ndarray:
    """Decibels of full scale, [frequencies, frames]."""
    size, hop = round(WINDOW * rate), round(HOP * rate)
    window = np.hanning(size)
    padded = np.pad(audio, size // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop] * window
    return 20 * np.log10(np.abs(np.fft.rfft(frames)).T * 2 / window.sum() + 1e-9)


def draw(recordings: list[Recording], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from PIL import Image

    longest = max(len(audio) / rate for audio, rate in (r.audio for r in recordings))
    figure, axes = pyplot.subplots(len(recordings), 1, sharex=True, sharey=True, figsize=(9, 2 * len(recordings)), layout="constrained")
    for axis, recording in zip(axes, recordings):
        audio, rate = recording.audio
        axis.imshow(spectrogram(audio, rate), origin="lower", aspect="auto", cmap="magma", vmin=DECIBELS[0], vmax=DECIBELS[1], extent=(0, len(audio) / rate, 0, rate / 2000))
        axis.set(facecolor="0.85", xlim=(0, longest), ylim=(0, HIGHEST), ylabel="kHz")
        axis.set_title(f"{recording.speaker}, distillmos {recording.mos:.2f}", loc="left", fontsize=9)
    axes[-1].set_xlabel("seconds")
    figure.savefig(path, dpi=80)
    pyplot.close(figure)
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def section(sentence: Sentence, recordings: list[Recording], name: str) -> str:
    """A sentence's recordings as Markdown; writes its files."""
    folder = PAGE.with_suffix("")
    lines = []
    for recording in recordings:
        audio, rate = recording.audio
        file = folder / f"{name}-{re.sub(r'[^a-z0-9]+', '-', recording.speaker.lower())}.wav"
        soundfile.write(file, audio, rate, subtype="PCM_16")
        level, (wrong, all_) = levels(audio, rate), recording.errors
        lines.append([f"[{recording.speaker}]({folder.name}/{file.name})", f"{recording.mos:.2f}", recording.heard or "–", f"{wrong} of {all_}", f"{level.seconds:.2f}", f"{level.speech:.1f}", f"{level.peak:.1f}"])
    draw(recordings, folder / f"{name}.png")
    header = ("recording", "distillmos", "whisper-base reads", "wrong", "seconds", "speech, dBFS", "peak, dBFS")
    picture = f"![Spectrograms: {', '.join(r.speaker for r in recordings)}]({folder.name}/{name}.png)"
    return f"### {sentence.text}\n\n{DEFAULT_VOICE[sentence.lang]}, {sentence.kind}\n\n{table(header, lines)}\n\n{picture}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="evaluation.listening", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=named_bundle, action="append", required=True, metavar="NAME=FILE", help="in the order of the pictures, below the teacher")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    asked = [(sentences(lang)[i], DEFAULT_VOICE[lang]) for lang, chosen in CHOSEN.items() for i in chosen]
    folder = PAGE.with_suffix("")
    folder.mkdir(exist_ok=True)
    for old in (*folder.glob("*.wav"), *folder.glob("*.png")):
        old.unlink()
    with tempfile.TemporaryDirectory() as wavs:
        spoken = [spoken_by_teacher(asked, args.threads)]
        spoken += [spoken_by_bundle(name, path, asked, Path(wavs) / str(i), args.threads) for i, (name, path) in enumerate(args.bundle)]
        judge([recording for recordings in spoken for recording in recordings])
        parts = [section(sentence, list(recordings), f"{sentence.lang}-{sentence.kind}") for (sentence, _), *recordings in zip(asked, *spoken)]
    write_card(PAGE, {"recordings": lambda _: "\n\n".join(parts)})
    size = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{PAGE}: {len(parts)} sentences, {size / 1e6:.2f} MB of recordings and pictures")


if __name__ == "__main__":
    main()
