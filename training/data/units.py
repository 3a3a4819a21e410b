"""The unit inventory: one id a symbol, shared by the encoder's CTC head, the language model's audio channel and the decoder.

The symbols are the teacher's alphabet (IPA, one character a symbol; A eɪ, I aɪ, W aʊ, Y ɔɪ, O oʊ) after a reduction that drops
what a listener cannot use to tell two words apart. The order is part of the model: it travels in the GGUF as `moss-speech.units`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Iterable, NamedTuple, Sequence

BLANK = "_"  # CTC blank, never spoken
SPACE = " "  # word boundary
PAUSES = [",", ".", "?", "!"]
STRESSES = ["ˈ", "ˌ"]  # before the English vowel
TONES = ["→", "↗", "↓", "↘"]  # Mandarin 1–4, after the nucleus (its glide included); neutral: none
ENGLISH_VOWELS = list("AIWYOiuɪʊʌəɛæɑɔɜ")
ENGLISH_CONSONANTS = list("bdfhjklmnpstvwzŋɡɹʃʒʤʧθð")
MANDARIN_ONLY = list("aeoyɤɨɚʰxɥʨꭧʦʂɕɻ")  # the rest is shared with English
LAUGH = "☺"
BREATH = "∿"

UNITS: list[str] = [BLANK, SPACE, *PAUSES, *STRESSES, *TONES, *ENGLISH_VOWELS, *ENGLISH_CONSONANTS, *MANDARIN_ONLY, LAUGH, BREATH]
UNIT_ID: dict[str, int] = {unit: i for i, unit in enumerate(UNITS)}
assert len(UNIT_ID) == len(UNITS)

N_UNITS = len(UNITS)
BLANK_ID = 0
EOSP = N_UNITS  # the audio channel's end of speech and padding follow the units
AUDIO_PAD = N_UNITS + 1
N_AUDIO = N_UNITS + 2

_REDUCE = {"ᵊ": "ə", "ᵻ": "ɪ", "ɐ": "ə", "ɾ": "t", "ʔ": "t", "Q": "O", "ɒ": "ɑ", ";": ",", ":": ",", "—": ",", "…": ".", "g": "ɡ"}
_REDUCE_ENGLISH = {**_REDUCE, "a": "æ"}


# A third tone is spoken as a second before another third; a pause or a neutral syllable between them prevents it.
_THIRD_BEFORE_THIRD = re.compile("↓(?=[nŋ]? ?[pʰtkfmnlxsʨꭧʦʂɕɻjwɥ]*[aeiouyɤɨəɛʊɔɚ]+↓)")


class Alignment(NamedTuple):
    """Units with their durations (in the source's frames) and the silences around them."""

    ids: list[int]
    durations: list[int]
    lead: int
    tail: int


def spoken_tones(symbols: str) -> str:
    """Third-tone sandhi on units. The teacher's phonemes have citation third tones, its F0 the spoken ones; units are what is heard."""
    return _THIRD_BEFORE_THIRD.sub("↗", symbols)


def reduce_phonemes(phonemes: str, lang: str) -> str:
    """The teacher's phonemes in our alphabet and with spoken tones; symbols we do not have (ː, quotes) are dropped."""
    mandarin = lang.startswith("zh")
    table = _REDUCE if mandarin else _REDUCE_ENGLISH
    return "".join(u for u in (table.get(c, c) for c in (spoken_tones(phonemes) if mandarin else phonemes)) if u in UNIT_ID)


def teacher_to_units(phonemes: str, durations: Sequence[int], lang: str) -> Alignment:
    """Maps a teacher row: one duration a symbol with one more before and after. A dropped symbol's time goes to the unit before it."""
    if len(durations) != len(phonemes) + 2:
        raise ValueError(f"{len(phonemes)} phonemes want {len(phonemes) + 2} durations, got {len(durations)}")
    table = _REDUCE if lang.startswith("zh") else _REDUCE_ENGLISH
    if lang.startswith("zh"):
        phonemes = spoken_tones(phonemes)
    ids: list[int] = []
    kept: list[int] = []
    lead = int(durations[0])
    for symbol, duration in zip(phonemes, durations[1:-1]):
        unit = UNIT_ID.get(table.get(symbol, symbol))
        if unit is not None:
            ids.append(unit)
            kept.append(int(duration))
        elif kept:
            kept[-1] += int(duration)
        else:
            lead += int(duration)
    return Alignment(ids, kept, lead, int(durations[-1]))


def ids_to_text(ids: Iterable[int]) -> str:
    """Ids as a string of symbols; ids outside the units (eosp, padding) are left out."""
    return "".join(UNITS[i] for i in ids if 0 <= i < N_UNITS)


def text_to_ids(symbols: str) -> list[int]:
    """A string of symbols as ids. Raises KeyError on a symbol that is no unit."""
    return [UNIT_ID[c] for c in symbols]


def write_json(path: Path) -> None:
    """Writes the list that the TypeScript front end reads (`lib/text/units.json`)."""
    path.write_text(json.dumps(UNITS, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_json(Path(__file__).resolve().parents[2] / "lib" / "text" / "units.json")
    print(N_UNITS, "".join(UNITS))
