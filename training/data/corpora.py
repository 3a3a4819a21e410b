"""One iterator over all corpora: every clip with its units, its speaker and its split.

Splits hold out speakers, never only clips (one exception, marked: sentences of the single-speaker Kathleen set, for the decoder). Only listed
speakers are trained on (speakers.py), and no clip that says a held-out question (held_out.py); `split_of` decides, for every record.
The coffee orders carry no transcript: coffee.py has them written down.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterator
from zlib import crc32

from ..folders import data_folder, runs_folder
from . import g2p, held_out, mandarin, speakers
from .units import BREATH, LAUGH, UNIT_ID, teacher_to_units, text_to_ids

KATHLEEN_VALIDATION_SENTENCES = 40
# In $MOSS_RUNS: made by teacher.py (the first four), synthesizers.py, digits.py and joined.py.
DOMAIN_SETS = ("domain-user", "domain-test", "domain-reply", "domain-words", "domain-synth", "domain-digits", "zh-joined")
SPOKEN_QUESTIONS = {"v0": "domain-test", "v1": "questions-v1"}  # the stored questions (question_sets.py) as teacher.py speaks them
TRAINED = ("train", "valid")  # splits that may be trained on; `valid` are sentences that the decoder leaves out


@dataclass
class Record:
    id: str  # corpus/clip
    path: str
    corpus: str
    lang: str  # en, zh, none
    speaker: str
    text: str
    split: str  # train, valid (sentences left out by the decoder), test (speakers held out), unknown (not listed), held out (says a held-out question)
    ids: list[int]
    pinyin: str = ""  # citation tones, as the corpus gives it
    durations: list[int] | None = None  # one a unit, frames of 25 ms (400 samples at 16 kHz)
    lead: int = 0  # silence before the first and after the last unit, same frames
    tail: int = 0
    emotion: str = ""
    speed: float = 1.0
    meta: dict[str, Any] = field(default_factory=dict)  # of the dialogue domain: kind, reply, slots

    def to_json(self) -> dict[str, Any]:
        return {k: v for k, v in asdict(self).items() if v not in (None, "", {})}


def split_of(record: dict[str, Any]) -> str:
    """The split of a record (as a dictionary), by who speaks and by what is said; `valid` stays where both may be trained."""
    who = speakers.split(record["corpus"], record.get("speaker", ""))
    if who != "train":
        return who
    meta = record.get("meta", {})
    kind = "" if meta.get("kind") == "reply" else meta.get("kind", "")
    if held_out.split_of(record["lang"], kind, record.get("text", ""), meta.get("slots", {}).get("text", "")) != "train":
        return "held out"
    return "valid" if record.get("split") == "valid" else "train"


def manifest_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of a folder's manifest.jsonl; none where it is missing."""
    manifest = folder / "manifest.jsonl"
    if manifest.exists():
        with manifest.open(encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("\n"):  # a set still being synthesized may end in half a line
                    yield json.loads(line)


def _record(folder: Path, row: dict[str, Any], ids: list[int], valid: bool = False, **more: Any) -> Record:
    record = Record(
        id=f"{folder.name}/{row['id']}", path=str(folder / row["file"]), corpus=folder.name, lang=row["lang"], split="valid" if valid else "", ids=ids,
        **{"speaker": row.get("speaker", ""), "text": row.get("text", ""), "pinyin": row.get("pinyin", ""), **more},
    )  # fmt: skip
    record.split = split_of(vars(record))
    return record


def _read(folder: Path) -> Iterator[Record]:
    """Recordings and synthesized clips that the row tells all about."""
    for row in manifest_rows(folder):
        yield _record(folder, row, g2p.text_to_unit_ids(row["text"], row["lang"]), meta=row.get("meta", {}))


def _wake(folder: Path) -> Iterator[Record]:
    for row in manifest_rows(folder):  # no speaker ids, so no fair test: all train
        yield _record(folder, row, g2p.text_to_unit_ids(row["text"], "en"), speaker=row.get("speaker", f"wake-{row['id']}"))


COFFEE_TEXTS = "en-coffee.jsonl"  # in $MOSS_RUNS, by coffee.py


def coffee_texts() -> dict[str, str]:
    """What was said, by id; '' where it was misheard."""
    written = runs_folder() / COFFEE_TEXTS
    return {row["id"]: row["text"] for row in map(json.loads, written.read_text(encoding="utf-8").splitlines())} if written.exists() else {}


def _coffee(folder: Path) -> Iterator[Record]:
    texts = coffee_texts()
    for row in manifest_rows(folder):  # no speaker ids, so no fair test: all train
        if text := texts.get(row["id"]):
            text = re.sub(r"\bi\b", "I", text)
            speaker = row.get("speaker", f"coffee-{row['id']}")
            yield _record(folder, row, g2p.text_to_unit_ids(text, "en"), text=f"{text[0].upper()}{text[1:]}.", speaker=speaker)


def _kathleen(folder: Path) -> Iterator[Record]:
    rows = list(manifest_rows(folder))
    texts = sorted({row["text"] for row in rows}, key=lambda text: crc32(text.encode()))
    left_out = set(texts[:KATHLEEN_VALIDATION_SENTENCES])
    for row in rows:
        yield _record(folder, row, g2p.text_to_unit_ids(row["text"], "en"), row["text"] in left_out)


def _mandarin_recordings(folder: Path) -> Iterator[Record]:
    for row in manifest_rows(folder):  # two speakers in all: folds are made by the tone evaluation
        spoken = mandarin.surface_tones(row["pinyin"], row.get("text", ""))
        yield _record(folder, row, text_to_ids(mandarin.pinyin_to_units(spoken)))


def _bursts(folder: Path) -> Iterator[Record]:
    for row in manifest_rows(folder):
        unit = LAUGH if row["emotion"] == "Amusement" else BREATH
        yield _record(folder, row, [UNIT_ID[unit]], speaker=f"burst-{row['speaker']}", emotion=row["emotion"])


def _teacher(folder: Path) -> Iterator[Record]:
    for row in manifest_rows(folder):
        aligned = teacher_to_units(row["phonemes"], row["durations"], row["lang"])
        yield _record(
            folder, row, aligned.ids, speaker=row["voice"], durations=aligned.durations, lead=aligned.lead, tail=aligned.tail, speed=row["speed"],
            meta=row.get("meta", {}),
        )  # fmt: skip


def _digit_clips(folder: Path) -> Iterator[Record]:
    for row in manifest_rows(folder):
        if "durations" in row:
            aligned = teacher_to_units(row["phonemes"], row["durations"], "en")
            ids, labels = aligned.ids, {"durations": aligned.durations, "lead": aligned.lead, "tail": aligned.tail}
        else:
            ids, labels = g2p.text_to_unit_ids(row["text"], "en"), {}
        yield _record(folder, row, ids, meta=row["meta"], **labels)


_READERS: dict[str, Callable[[Path], Iterator[Record]]] = {
    "en-digits": _read,
    "en-words": _read,
    "en-wake": _wake,
    "en-coffee": _coffee,
    "en-kathleen": _kathleen,
    "zh-syllables": _mandarin_recordings,
    "zh-words": _mandarin_recordings,
    "zh-joined": _mandarin_recordings,
    "teacher": _teacher,
    "bursts": _bursts,
    "domain-test": _teacher,
    "domain-user": _teacher,
    "domain-reply": _teacher,
    "domain-words": _teacher,
    "domain-synth": _read,
    "domain-digits": _digit_clips,
}


def records(corpora: tuple[str, ...] | None = None) -> Iterator[Record]:
    """All records of the named corpora, or of all that are there."""
    for name, read in _READERS.items():
        if corpora is None or name in corpora:
            yield from read((runs_folder() if name in DOMAIN_SETS else data_folder()) / name)


def question_records(version: str) -> Iterator[Record]:
    """The spoken questions of a version. Those that nobody may look at yet are read in no other way, and never prepared for training."""
    yield from _teacher(runs_folder() / SPOKEN_QUESTIONS[version])


def prosody(corpus: str) -> Callable[[str], tuple[Any, Any] | None]:
    """A reader of (F0 in Hz, energy), one value per 12.5 ms, by record id, for corpora that carry them; None for the others."""
    import numpy as np

    if corpus == "teacher":
        arrays = np.load(data_folder() / "teacher" / "f0-energy.npz")
        return lambda rid: (arrays[rid.split("/")[1] + "_f0"], arrays[rid.split("/")[1] + "_energy"])
    folder = runs_folder() / corpus
    if not (folder / "prosody.f32").exists():
        return lambda rid: None
    flat = np.fromfile(folder / "prosody.f32", dtype=np.float32)
    where = {f"{corpus}/{row['id']}": (row["prosody_offset"], row["prosody_frames"]) for row in manifest_rows(folder)}

    def read(rid: str) -> tuple[Any, Any]:
        offset, frames = where[rid]
        return flat[offset : offset + frames], flat[offset + frames : offset + 2 * frames]

    return read


if __name__ == "__main__":
    from collections import Counter

    for key, n in sorted(Counter((r.corpus, r.lang, r.split) for r in records()).items()):
        print(*key, n)
