"""Tones of human Mandarin recordings, by a model that never trained on their speaker."""

from __future__ import annotations

from pathlib import Path

import torch

from .. import checkpoint
from ..data import mandarin
from ..data.corpora import Record
from ..data.prepare import decode
from ..data.units import TONES, ids_to_text
from ..encode import encode
from ..speech_encoder import load_encoder
from ..train_encoder import FOLDS
from .judging import tones_right
from .turns import Library


def _heard_by_twin(path: Path, found: list[Record]) -> list[str]:
    torch.set_num_threads(1)
    heard = dict(encode(load_encoder(path), [decode(r.path) for r in found], bf16=True))
    units = [ids_to_text(u.unit for u in heard[i].units) for i in range(len(found))]
    return [" ".join(mandarin.units_to_pinyin(u)) if set(TONES) & set(u) else "" for u in units]  # as the library: no tone, no Mandarin


def _heard_by_library(path: Path, found: list[Record]) -> list[str]:
    with Library(path, 1) as library:
        turns = library.run([{"id": r.id, "job": "transcribe", "speech": str(Path(r.path).resolve())} for r in found], "tones")
    return [turns[r.id].heard.get("pinyin", "") for r in found]


def score(path: Path, speaker: str, found: list[Record]) -> tuple[int, int, dict[str, str]]:
    """(right, all) tones, and what was heard of each recording. `path` is an encoder checkpoint or a bundle (.gguf).

    Raises ValueError for a checkpoint that was trained on this speaker; a bundle does not tell.
    """
    if path.suffix != ".gguf":
        fold = checkpoint.load(path).get("fold")
        if speaker in FOLDS.get(fold, {speaker}):
            raise ValueError(f"{path} is fold {fold}: not known to be untrained on {speaker}")
    heard = (_heard_by_library if path.suffix == ".gguf" else _heard_by_twin)(path, found)
    scores = [tones_right(r.pinyin, h, r.text) for r, h in zip(found, heard)]
    return sum(a for a, _ in scores), sum(n for _, n in scores), {r.id: h for r, h in zip(found, heard)}
