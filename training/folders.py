"""Where things lie. Kept apart from the checkpoints, so that preparing data needs no PyTorch."""

from __future__ import annotations

import os
from pathlib import Path


def runs_folder() -> Path:
    """Runs, caches, synthesized sets and checkpoints: $MOSS_RUNS, or `runs/` under the working directory."""
    return Path(os.environ.get("MOSS_RUNS", "runs")).expanduser()


def data_folder() -> Path:
    """The corpora, unpacked: $MOSS_DATA, or `data/` under the working directory."""
    return Path(os.environ.get("MOSS_DATA", "data")).expanduser()
