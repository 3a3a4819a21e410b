"""Tones of human Mandarin recordings, by a model that never trained on their speaker."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ..data.corpora import Record
from ..data.template import TOKENIZER, Template
from ..encoder.speech_encoder import load_encoder
from ..encoder.train import FOLDS
from ..export.bundle import Bundle, write
from ..export.pack_checkpoints import FOLDER as PUBLISHED
from ..folders import runs_folder
from ..lm.train import Speaker
from ..loop import checkpoint
from .judging import tones_right
from .turns import Library


def fold_encoder(fold: str) -> Path | None:
    """The newest of a fold: the run's, or the published one."""
    return next((path for path in (runs_folder() / f"encoder-{fold}" / "model.pt", PUBLISHED / f"encoder-{fold}.pt") if path.exists()), None)


def bundle_of(encoder: Path, to: Path) -> None:
    """An encoder's checkpoint and the published language model (which the tones do not depend on, only whether what was written down is Mandarin), so that the library can hear with it."""
    bundle = Bundle(tokenizer=TOKENIZER)
    speaker = Speaker(Template())
    speaker.load_grown(checkpoint.load(PUBLISHED / "lm.pt")["model"])
    for part, name in ((load_encoder(encoder), encoder.name), (speaker, "lm.pt")):
        bundle.add_saved(part.export(), name)
    write(bundle, to, "q8_0")


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
