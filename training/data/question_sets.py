"""The stored test questions, one JSON object a line in `questions/VERSION.jsonl`.

    set     spoken, or the name of a typed set
    id, lang, kind, text, reply, slots    as domain.Item has them
    voice, speed    of spoken ones: who says it (teacher.py)
    new     what of it is held out of training: question, string, sentence, verb, order, lead, tail; empty: the voice alone
    trained of v0: why training had it after all. order: it could draw this very string; number: a trained way to say a number; sentence, word:
            a training recording says what is to be repeated

v0 judged nano while it was made, and too often. v1 is drawn (draw_questions.py) and written by hand before any candidate that it is to judge.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("questions")
HEARING = Path(__file__).parents[2] / "test" / "audio" / "questions" / "manifest.json"  # the recordings that every run of the tests asks
VERSIONS = ("v0", "v1")


@lru_cache(maxsize=None)
def questions(version: str) -> tuple[dict[str, Any], ...]:
    """All questions of a version; none where it is not drawn yet."""
    path = FOLDER / f"{version}.jsonl"
    return tuple(map(json.loads, path.read_text(encoding="utf-8").splitlines())) if path.exists() else ()


def hearing() -> list[tuple[str, str]]:
    """(language, text) of the questions of HEARING; none without the tests."""
    return [(row["lang"], row["text"]) for row in json.loads(HEARING.read_text(encoding="utf-8"))] if HEARING.exists() else []
