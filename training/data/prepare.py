"""Decodes every corpus once to 16 kHz mono int16 in one file, so that training reads memory maps. Run again to append what is new.

    python -m training.data.prepare [corpus …]

Writes to $MOSS_RUNS: audio16k.i16 (samples), audio16k.f0.f32 and audio16k.energy.f32 (one value per 12.5 ms = 200 samples, where the
corpus has them; 0 Hz is unvoiced), audio16k.json (the records with their offsets).
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np
import soundfile
import soxr

from ..folders import runs_folder
from .corpora import prosody, records, split_of
from .units import UNITS

SAMPLE_RATE = 16000


class AudioStore:
    """The prepared audio: `records` are dicts (see corpora.Record) with `offset` and `samples`, and `prosody` where there is F0."""

    def __init__(self, folder: Path | None = None, where: Callable[[dict[str, Any]], bool] | None = None):
        folder = folder or runs_folder()
        index = json.loads((folder / "audio16k.json").read_text(encoding="utf-8"))
        if index["units"] != UNITS:
            raise ValueError("audio16k.json was made with another unit inventory: delete audio16k.* and prepare again")
        for record in index["records"]:  # by the lists of today: the file may be older than they are
            record["split"] = split_of(record)
        self.records: list[dict[str, Any]] = [r for r in index["records"] if where is None or where(r)]
        self.samples = np.memmap(folder / "audio16k.i16", dtype=np.int16, mode="r")
        self._f0 = np.memmap(folder / "audio16k.f0.f32", dtype=np.float32, mode="r")
        self._energy = np.memmap(folder / "audio16k.energy.f32", dtype=np.float32, mode="r")

    def __len__(self) -> int:
        return len(self.records)

    def audio(self, i: int) -> np.ndarray:
        """[samples] float32 in [-1, 1)."""
        r = self.records[i]
        return self.samples[r["offset"] : r["offset"] + r["samples"]].astype(np.float32) / 32768.0

    def f0(self, i: int) -> np.ndarray | None:
        """[frames] Hz per 12.5 ms, 0 where unvoiced; None where the corpus has none."""
        r = self.records[i]
        return np.array(self._f0[r["prosody"] : r["prosody"] + r["prosody_frames"]]) if "prosody" in r else None

    def energy(self, i: int) -> np.ndarray | None:
        """[frames] the teacher's energy per 12.5 ms."""
        r = self.records[i]
        return np.array(self._energy[r["prosody"] : r["prosody"] + r["prosody_frames"]]) if "prosody" in r else None


def decode(path: str) -> np.ndarray:
    """[samples] float32 at 16 kHz, channels averaged."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = samples.mean(axis=1)
    return mono if rate == SAMPLE_RATE else soxr.resample(mono, rate, SAMPLE_RATE)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Two processes must not append at once."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        raise RuntimeError(f"{path} exists: another prepare is running (delete it if none is)") from None
    try:
        yield
    finally:
        path.unlink()


def append(corpora: tuple[str, ...] | None) -> None:
    """Adds the clips of the named corpora (default: all) that are not in the store yet."""
    folder = runs_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder / "audio16k.lock"):
        _append(folder, corpora)


def _append(folder: Path, corpora: tuple[str, ...] | None) -> None:
    index_path = folder / "audio16k.json"
    index = json.loads(index_path.read_text(encoding="utf-8")) if index_path.exists() else {"units": UNITS, "records": []}
    if index["units"] != UNITS:
        raise SystemExit("another unit inventory: delete audio16k.* first")
    done = {r["id"] for r in index["records"]}
    last = index["records"][-1] if index["records"] else None
    at = last["offset"] + last["samples"] if last else 0
    prosody_at = max((r["prosody"] + r["prosody_frames"] for r in index["records"] if "prosody" in r), default=0)
    files = [open(folder / name, "r+b" if (folder / name).exists() else "w+b") for name in ("audio16k.i16", "audio16k.f0.f32", "audio16k.energy.f32")]  # fmt: skip
    for file, size in zip(files, (at * 2, prosody_at * 4, prosody_at * 4)):  # what an interrupted run left is overwritten
        file.seek(size)
        file.truncate()
    readers: dict[str, Any] = {}
    started, added = time.time(), 0

    def save() -> None:
        for file in files:
            file.flush()
        temporary = index_path.with_suffix(".tmp")
        temporary.write_text(json.dumps(index, ensure_ascii=False), encoding="utf-8")
        temporary.replace(index_path)

    for record in records(corpora):
        if record.id in done:
            continue
        audio = decode(record.path)
        if record.durations is not None:  # codecs pad: the labels know the length
            length = 400 * (record.lead + sum(record.durations) + record.tail)
            audio = np.pad(audio[:length], (0, max(0, length - len(audio))))
        np.round(np.clip(audio * 32768.0, -32768, 32767)).astype(np.int16).tofile(files[0])
        row = record.to_json() | {"offset": at, "samples": len(audio)}
        at += len(audio)
        if record.corpus not in readers:
            readers[record.corpus] = prosody(record.corpus)
        found = readers[record.corpus](record.id) if record.durations is not None else None
        if found is not None:
            f0 = np.where(found[0] < 50, 0, found[0]).astype(np.float32)
            f0.tofile(files[1])
            found[1].astype(np.float32).tofile(files[2])
            row |= {"prosody": prosody_at, "prosody_frames": len(f0)}
            prosody_at += len(f0)
        index["records"].append(row)
        added += 1
        if added % 2000 == 0:
            save()
            print(f"{added} clips, {at / SAMPLE_RATE / 3600:.2f} h in the file, {time.time() - started:.0f} s", flush=True)
    save()
    for file in files:
        file.close()
    print(f"{added} clips added, {len(index['records'])} in all, {at / SAMPLE_RATE / 3600:.2f} h, {time.time() - started:.0f} s")


if __name__ == "__main__":
    append(tuple(sys.argv[1:]) or None)
