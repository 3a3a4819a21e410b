"""Tones of human Mandarin recordings, by a model that never trained on their speaker."""

from __future__ import annotations

import tempfile
from pathlib import Path

from .. import checkpoint, export_gguf
from ..data.corpora import Record
from ..data.template import TOKENIZER
from ..folders import runs_folder
from ..train_encoder import FOLDS
from .judging import tones_right
from .turns import Library


LANGUAGE_MODEL = runs_folder() / "lm" / "latest.pt"


def bundle_of(encoder: Path, to: Path) -> None:
    """An encoder's checkpoint and the trained language model (which the tones do not depend on, only whether what was written down is Mandarin), so that the library can hear with it."""
    bundle = export_gguf.Bundle(tokenizer=TOKENIZER)
    for path in (encoder, LANGUAGE_MODEL):
        bundle.add_checkpoint(path)
    export_gguf.write(bundle, to, "q8_0")


def score(path: Path, speaker: str, found: list[Record]) -> tuple[int, int, dict[str, str]]:
    """(right, all) tones, and what was heard of each recording. `path` is an encoder checkpoint or a bundle (.gguf).

    Raises ValueError for a checkpoint that was trained on this speaker; a bundle does not tell.
    """
    with tempfile.TemporaryDirectory() as folder:
        if path.suffix != ".gguf":
            fold = checkpoint.load(path).get("fold")
            if speaker in FOLDS.get(fold, {speaker}):
                raise ValueError(f"{path} is fold {fold}: not known to be untrained on {speaker}")
            bundle_of(path, Path(folder) / "fold.gguf")
            path = Path(folder) / "fold.gguf"
        with Library(path, 1) as library:
            turns = library.run([{"id": r.id, "job": "transcribe", "speech": str(Path(r.path).resolve())} for r in found], f"tones of {speaker}")
    heard = {r.id: turns[r.id].heard.get("pinyin", "") for r in found}
    scores = [tones_right(r.pinyin, heard[r.id], r.text) for r in found]
    return sum(a for a, _ in scores), sum(n for _, n in scores), heard
