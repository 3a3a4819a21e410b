"""What a trained encoder makes of recordings: hidden states for the language model's trainer, and units with times.

    python -m training.encoder.encode --checkpoint runs/encoder/latest.pt one.wav two.flac

prints a JSON object a file.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ..data.units import BLANK_ID, UNITS
from ..folders import runs_folder
from ..loop.precision import autocast
from .speech_encoder import FRAME, SpeechEncoder, load_encoder, padded_length

SAMPLE_RATE = 16000
SECONDS_A_FRAME = FRAME / SAMPLE_RATE


class Unit(NamedTuple):
    unit: int
    start: float  # seconds; when the CTC head says so, which is some 80 ms after the sound
    end: float


class Heard(NamedTuple):
    hidden: np.ndarray  # float32 [T, E], 4 frames an aligner row
    units: list[Unit]
    tones: np.ndarray  # int64 [T], the tone module's best class: 0 none, 1–4, 5 neutral


def best_path(log_probs: np.ndarray) -> list[Unit]:
    """Greedy CTC: log_probs [T, V] → units; repeats merge, blanks go."""
    path = log_probs.argmax(-1)
    edges = np.flatnonzero(np.diff(path, prepend=-1, append=-1))  # where a run begins, and the end
    return [Unit(int(path[a]), a * SECONDS_A_FRAME, b * SECONDS_A_FRAME) for a, b in zip(edges, edges[1:]) if path[a] != BLANK_ID]


@torch.no_grad()
def encode(model: SpeechEncoder, waves: Sequence[np.ndarray], chunk_size: int | None = None, batch_seconds: float | None = None, bf16: bool = False) -> Iterator[tuple[int, Heard]]:
    """Hears 16 kHz mono waves (float32, or int16 as in the memory map), each padded as in live use. Yields (index, Heard) in the order of length.

    `chunk_size` is in frames and defaults to the live one; 0 is full context. `batch_seconds` defaults to what suits the device. `bf16` is about twice as fast and good to 1e-2.
    """
    device = next(model.parameters()).device
    tail = model.configs["frontend"].tail_padding
    chunk_size = model.configs["encoder"].chunk_size if chunk_size is None else chunk_size
    batch_seconds = batch_seconds or (60.0 if device.type == "cpu" else 300.0)
    order = sorted(range(len(waves)), key=lambda i: len(waves[i]))
    while order:
        longest = padded_length(len(waves[order[-1]]), tail)
        size = max(1, int(batch_seconds * SAMPLE_RATE / longest))
        chosen, order = order[-size:], order[:-size]
        batch = np.zeros((len(chosen), longest), np.float32)
        for row, i in enumerate(chosen):
            wave = waves[i]
            batch[row, : len(wave)] = wave.astype(np.float32) / 32768 if wave.dtype == np.int16 else wave
        lengths = torch.tensor([padded_length(len(waves[i]), tail) // FRAME for i in chosen])
        with autocast(device, bf16):
            hidden, tone = model(torch.from_numpy(batch).to(device), lengths.to(device), chunk_size)
            log_probs = model.encoder.ctc(hidden).float().cpu()
        hidden, classes = hidden.float().cpu(), tone["logits"].argmax(-1).cpu()
        for row, i in enumerate(chosen):
            frames = int(lengths[row])
            yield i, Heard(hidden[row, :frames].numpy().copy(), best_path(log_probs[row, :frames].numpy()), classes[row, :frames].numpy())


def read(path: Path) -> np.ndarray:
    """Any file libsndfile reads → 16 kHz mono float32."""
    import soundfile
    from scipy.signal import resample_poly

    wave, rate = soundfile.read(path, dtype="float32", always_2d=True)
    wave = wave.mean(1)
    divisor = int(np.gcd(rate, SAMPLE_RATE))
    return wave if rate == SAMPLE_RATE else resample_poly(wave, SAMPLE_RATE // divisor, rate // divisor).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--checkpoint", type=Path, default=runs_folder() / "encoder" / "latest.pt")
    parser.add_argument("--chunk-size", type=int, help="frames of 20 ms; 0 is full context (default: the live one)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = load_encoder(args.checkpoint)
    for i, heard in encode(model, [read(f) for f in args.files], args.chunk_size):
        units = [{"unit": UNITS[u.unit], "start": round(u.start, 2), "end": round(u.end, 2)} for u in heard.units]
        print(json.dumps({"file": str(args.files[i]), "text": "".join(u["unit"] for u in units), "units": units}, ensure_ascii=False))


if __name__ == "__main__":
    main()
