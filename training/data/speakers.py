"""Who may be heard in training: lists of speakers by corpus (speakers.json). Whoever stands in none is `unknown`, and never trained on.

So a new corpus, or a new speaker in a known one, teaches nothing until somebody has listed it. A name that ends in `*` stands for all that begin so: the
corpora that name nobody, and the synthesizers, whose voices are no people.
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

PATH = Path(__file__).with_name("speakers.json")
VOICES = "teacher voices"  # the list of the teacher's voices, whichever corpus they speak
SPOKEN_BY_TEACHER = {"teacher", "domain-user", "domain-reply", "domain-words", "domain-digits"}
SPOKEN_BY_SYNTHESIZERS = {"domain-synth", "domain-digits"}
TEST_CORPORA = {"domain-test", "questions-v1"}  # the stored questions: never trained, whoever says them


@lru_cache(maxsize=None)
def _lists() -> dict[str, dict[str, list[str]]]:
    return json.loads(PATH.read_text(encoding="utf-8"))


def voices(split: str) -> list[str]:
    """The teacher's voices of a split, `train` or `test`."""
    return _lists()[VOICES][split]


def _listed(corpus: str, speaker: str) -> str:
    for split, names in _lists().get(corpus, {}).items():
        if any(speaker.startswith(name[:-1]) if name.endswith("*") else speaker == name for name in names):
            return split
    return "unknown"


def blend_split(voice: str) -> str:
    """Of a voice of the teacher's or a blend, `a*0.6+b*0.4`: `test` where one part is a test voice, `train` where all may be trained."""
    parts = [_listed(VOICES, part.split("*")[0]) for part in voice.split("+")]
    return "test" if "test" in parts else "unknown" if "unknown" in parts else "train"


@lru_cache(maxsize=1 << 14)
def split(corpus: str, speaker: str) -> str:
    """`train`, `test` or `unknown`."""
    if corpus in TEST_CORPORA:
        return "test"
    if corpus in SPOKEN_BY_SYNTHESIZERS and speaker.startswith(("flite-", "espeak-")):
        return _listed("domain-synth", speaker)
    return blend_split(speaker) if corpus in SPOKEN_BY_TEACHER else _listed(corpus, speaker)
