"""The sentences that nano's voices are judged by (sentences.tsv): 40 a language, replies of its domain and everyday ones, none of which its voice was trained with.

`kind` is `reply`, `sentence`, `question`, `number`, `date` or `word` (said alone). The first SHORT of a language have some of every kind.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ..data.held_out import folded
from ..folders import runs_folder

FILE = Path(__file__).with_name("sentences.tsv")
MANIFEST = Path("voice-features") / "manifest.jsonl"  # in the runs: what the voice was trained with
SHORT = 12


class Sentence(NamedTuple):
    lang: str
    kind: str
    text: str


def sentences(lang: str, limit: int | None = None) -> list[Sentence]:
    rows = (Sentence(*line.split("\t")) for line in FILE.read_text(encoding="utf-8").splitlines())
    return [row for row in rows if row.lang == lang][:limit]


def shared(chosen: Iterable[Sentence], texts: Iterable[str]) -> list[str]:
    """Those that are among `texts`, but for case, spaces and punctuation."""
    said = set(map(folded, texts))
    return [sentence.text for sentence in chosen if folded(sentence.text) in said]


def check_new() -> int:
    """How many texts the voice was trained with. Raises ValueError where one of them is a sentence that judges it, FileNotFoundError where nobody kept them."""
    rows = [json.loads(line) for line in (runs_folder() / MANIFEST).read_text(encoding="utf-8").splitlines()]
    if known := shared(sentences("en") + sentences("zh"), (row["text"] for row in rows)):
        raise ValueError(f"the voice was trained with {', '.join(known)}")
    return len(rows)
