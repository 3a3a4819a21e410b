"""What nano is asked: recordings of people whom it never heard, and the stored questions (data/question_sets.py), spoken and typed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

from ..data.corpora import Record, question_records, records
from ..data.domain import LANGUAGES, Item
from ..data.question_sets import questions
from ..data.units import ids_to_text
from ..encoder.examples import spoken
from ..lm.examples import item_of

KINDS = {"number": "other", "talk": "other"}  # sets are named by kind but for these
STRATA = ("verb", "order", "lead", "tail", "question", "string")  # what is new in a question: the first of these that is


@dataclass(frozen=True)
class Question:
    id: str
    item: Item  # question and right answer
    path: str = ""  # of the recording; '' for a typed question
    said: str = ""  # the recording's units
    new: tuple[str, ...] = ()  # see question_sets; empty for recordings of people: the speaker is
    trained: str = ""  # of v0: why training had it

    @property
    def right_units(self) -> str:
        """What must be heard in the reply: phonemes and tones, without stress, pauses and word borders."""
        return spoken(self.item.reply_units)

    @property
    def stratum(self) -> str:
        return next((what for what in STRATA if what in self.new), "")

    def job(self, output: str = "both") -> dict[str, str]:
        return {"id": self.id, "output": output, **({"speech": str(Path(self.path).resolve())} if self.path else {"text": self.item.user})}


def spread(items: list, limit: int, key) -> list:
    """At most `limit` of them, drawn by checksum: always the same ones. 0 takes all."""
    chosen = sorted(items, key=lambda item: crc32(key(item).encode()))
    return chosen[:limit] if limit else chosen


def _stored(row: dict[str, Any], record: Record | None = None) -> Question:
    item = Item(row["lang"], row["text"], row["reply"], row["kind"], row["slots"])
    heard = (record.path, spoken(ids_to_text(record.ids))) if record else ("", "")
    return Question(record.id if record else row["id"], item, *heard, tuple(row["new"]), row.get("trained", ""))


def _of_people(corpus: str) -> list[Question]:
    found = ((r, item_of({"text": "", "meta": {}, **r.to_json()})) for r in records((corpus,)) if r.split == "test")
    return [Question(r.id, item, r.path, spoken(ids_to_text(r.ids))) for r, item in found if item is not None]


def spoken_sets(version: str, limit: int) -> dict[str, list[Question]]:
    """By name: `digits` and `words.en` of people, and by the teacher's test voices `home.en`, `home.zh`, `other.…`, `repeat.…`; `bare.…`: numbers in no words."""
    by_id = {row["id"]: row for row in questions(version)}
    asked = [_stored(by_id[r.id.split("/")[1]], r) for r in question_records(version)]
    sets = {"digits": _of_people("en-digits"), "words.en": _of_people("en-words")}
    for lang in LANGUAGES:
        for name in ("home", "other", "repeat", "bare"):
            sets[f"{name}.{lang}"] = [q for q in asked if q.item.lang == lang and set_of(q) == name]
    return {name: spread(found, limit, lambda q: q.id) for name, found in sets.items()}


def set_of(question: Question) -> str:
    return KINDS.get(question.item.kind, question.item.kind) if question.new else "bare"


def typed_sets(version: str, limit: int) -> dict[str, list[Question]]:
    """`typed.en`, `typed.zh`: phrasings of every kind, `limit` (0: all) a language."""
    found = {f"typed.{lang}": [_stored(row) for row in questions(version) if row["set"] == f"typed.{lang}"] for lang in LANGUAGES}
    return {name: asked[:limit] if limit else asked for name, asked in found.items()}


def typed_repeats(version: str, limit: int) -> dict[str, list[Question]]:
    """What is to be said again, `limit` (0: all) of each: `en.numbers`, `en.words`, `en.trained sentences`, `en.new sentences`, `zh.numbers` …"""
    found: dict[str, list[Question]] = {}
    for row in questions(version):
        if row["set"].startswith("repeat."):
            found.setdefault(row["set"].removeprefix("repeat."), []).append(_stored(row))
    return {name: asked[:limit] if limit else asked for name, asked in found.items()}


def human_mandarin(speaker: str, limit: int) -> list[Record]:
    """The recordings of one of the two human Mandarin speakers, at most four syllables each."""
    corpus = {"chenwang": "zh-syllables", "yuetan": "zh-words"}[speaker]
    return spread([r for r in records((corpus,)) if r.speaker == speaker and 1 <= len(r.pinyin.split()) <= 4], limit, lambda r: r.id)
