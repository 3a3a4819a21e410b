"""Mandarin text and pinyin to units.

Syllables are spelled as the teacher's front end (misaki, Apache-2.0, after pinyin-to-ipa, MIT) spells them: initial, medial, nucleus
with its glide, tone, coda: `jian4` is `ʨjɛ↘n`, `lai2` is `lai↗`. Pinyin is ASCII: ü is `v`, tones are digits, neutral is 5.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import lru_cache
from pathlib import Path

from .units import TONES, UNIT_ID, spoken_tones, text_to_ids

_INITIALS = {
    "b": "p", "c": "ʦʰ", "ch": "ꭧʰ", "d": "t", "f": "f", "g": "k", "h": "x", "j": "ʨ", "k": "kʰ", "l": "l", "m": "m", "n": "n",
    "p": "pʰ", "q": "ʨʰ", "r": "ɻ", "s": "s", "sh": "ʂ", "t": "tʰ", "x": "ɕ", "z": "ʦ", "zh": "ꭧ", "": "",
}  # fmt: skip
_FINALS = {  # 0 is the tone's slot
    "a": "a0", "ai": "ai0", "an": "a0n", "ang": "a0ŋ", "ao": "au0", "e": "ɤ0", "ei": "ei0", "en": "ə0n", "eng": "ə0ŋ", "i": "i0",
    "ia": "ja0", "ian": "jɛ0n", "iang": "ja0ŋ", "iao": "jau0", "ie": "je0", "in": "i0n", "iu": "jou0", "ing": "i0ŋ", "iong": "jʊ0ŋ",
    "ong": "ʊ0ŋ", "ou": "ou0", "u": "u0", "ui": "wei0", "ua": "wa0", "uai": "wai0", "uan": "wa0n", "un": "wə0n", "uang": "wa0ŋ",
    "ueng": "wə0ŋ", "uo": "wo0", "o": "wo0", "v": "y0", "ve": "ɥe0", "van": "ɥɛ0n", "vn": "y0n",
}  # fmt: skip
_WHOLE = {"er": "ɚ0", "o": "ɔ0", "yo": "jɔ0", "yai": "jai0", "fiao": "fjau0", "fe": "fɤ0"}
_SYLLABIC = {"n": "n0", "m": "m0", "ng": "ŋ0", "hm": "hm0", "hng": "hŋ0"}  # 嗯, 呣: spelled, but not looked for in what was heard
_ZERO = {  # syllables without an initial are written with y and w
    "yi": "i", "ya": "ia", "yan": "ian", "yang": "iang", "yao": "iao", "ye": "ie", "yin": "in", "you": "iu", "ying": "ing",
    "yong": "iong", "wu": "u", "wei": "ui", "wa": "ua", "wai": "uai", "wan": "uan", "wen": "un", "wang": "uang", "weng": "ueng",
    "wo": "uo", "yu": "v", "yue": "ve", "yuan": "van", "yun": "vn",
}  # fmt: skip
# Which finals an initial may carry; the inventory of the standard language with the interjections people do say.
_COMBINATIONS = {
    "": "a ai an ang ao e ei en eng ou",
    "b": "a ai an ang ao ei en eng i ian iao ie in ing o u", "p": "a ai an ang ao ei en eng i ian iao ie in ing o ou u",
    "m": "a ai an ang ao e ei en eng i ian iao ie in ing iu o ou u", "f": "a an ang ei en eng o ou u",
    "d": "a ai an ang ao e ei en eng i ia ian iao ie ing iu ong ou u uan ui un uo",
    "t": "a ai an ang ao e ei eng i ian iao ie ing ong ou u uan ui un uo",
    "n": "a ai an ang ao e ei en eng i ian iang iao ie in ing iu ong ou u uan un uo v ve",
    "l": "a ai an ang ao e ei eng i ia ian iang iao ie in ing iu o ong ou u uan un uo v ve",
    "g": "a ai an ang ao e ei en eng ong ou u ua uai uan uang ui un uo", "k": "a ai an ang ao e ei en eng ong ou u ua uai uan uang ui un uo",
    "h": "a ai an ang ao e ei en eng ong ou u ua uai uan uang ui un uo",
    "j": "i ia ian iang iao ie in ing iong iu v van ve vn", "q": "i ia ian iang iao ie in ing iong iu v van ve vn",
    "x": "i ia ian iang iao ie in ing iong iu v van ve vn",
    "zh": "a ai an ang ao e ei en eng i ong ou u ua uai uan uang ui un uo", "ch": "a ai an ang ao e en eng i ong ou u ua uai uan uang ui un uo",
    "sh": "a ai an ang ao e ei en eng i ou u ua uai uan uang ui un uo", "r": "an ang ao e en eng i ong ou u ua uan ui un uo",
    "z": "a ai an ang ao e ei en eng i ong ou u uan ui un uo", "c": "a ai an ang ao e ei en eng i ong ou u uan ui un uo",
    "s": "a ai an ang ao e en eng i ong ou u uan ui un uo",
}  # fmt: skip


def _spell(initial: str, final: str) -> str:
    if final == "i" and initial in ("zh", "ch", "sh", "r", "z", "c", "s"):
        return _INITIALS[initial] + "ɨ0"
    return _INITIALS[initial] + _FINALS[final]


def _build() -> dict[str, str]:
    table = dict(_WHOLE)
    for pinyin, final in _ZERO.items():
        table[pinyin] = _spell("", final)
    for initial, finals in _COMBINATIONS.items():
        for final in finals.split():
            written = initial + final
            if initial in ("j", "q", "x"):  # ü is written u after j, q, x
                written = written.replace("v", "u")
            table[written] = _spell(initial, final)
    return table


SYLLABLES: dict[str, str] = _build()  # toneless pinyin → units with the tone's slot
TABLE_PATH = Path(__file__).resolve().parents[2] / "lib" / "text" / "mandarin" / "pinyin-units.json"


def _normal(pinyin: str) -> tuple[str, int]:
    syllable = pinyin.strip().lower().replace("ü", "v").replace("u:", "v")
    match = re.fullmatch(r"([a-zê]+)([0-5]?)", syllable)
    if not match:
        raise ValueError(f"not a pinyin syllable: {pinyin!r}")
    base, tone = match[1], int(match[2] or 5) or 5
    if base[:2] in ("jv", "qv", "xv", "yv"):
        base = base[0] + "u" + base[2:]
    base = {"lue": "lve", "nue": "nve", "r": "er", "uei": "wei", "eh": "e", "ê": "ei"}.get(base, base)
    return base, tone


def syllable_to_units(pinyin: str) -> str:
    """`ni3` → `ni↓`. Raises ValueError when there is no such syllable."""
    base, tone = _normal(pinyin)
    spelling = SYLLABLES.get(base) or _SYLLABIC.get(base)
    if spelling is None:
        raise ValueError(f"no Mandarin syllable {pinyin!r}")
    return spelling.replace("0", TONES[tone - 1] if tone < 5 else "")


def pinyin_to_units(pinyin: str) -> str:
    """Space-separated syllables with tone digits, spoken as one word: `ni3 hao3` → `ni↗xau↓`."""
    return spoken_tones("".join(syllable_to_units(p) for p in pinyin.split()))


def surface_tones(pinyin: str, text: str = "") -> str:
    """Citation tones → spoken ones inside one word: third tones before a third, 不 and 一 by what follows (a final 一 keeps its tone)."""
    parts = [_normal(p) for p in pinyin.split()]
    tones = [t for _, t in parts]
    chars = [c for c in text if "\u4e00" <= c <= "\u9fff"]
    ordinal = bool(chars) and chars[0] == "第"
    for i in range(len(parts) - 1):
        char = chars[i] if len(chars) == len(parts) else ""
        following = tones[i + 1]
        if char == "不" and parts[i][0] == "bu":
            tones[i] = 2 if following == 4 else 4
        elif char == "一" and parts[i][0] == "yi" and not ordinal and chars[i + 1] not in "一二三四五六七八九十百":
            tones[i] = 2 if following in (4, 5) else 4
    for i in range(len(parts) - 1):
        if tones[i] == 3 and parts[i + 1][1] == 3 and tones[i + 1] == 3:
            tones[i] = 2
    return " ".join(f"{base}{tone}" for (base, _), tone in zip(parts, tones))


_PUNCTUATION = {"、": ",", "，": ",", "。": ".", "．": ".", "！": "!", "：": ",", "；": ",", "？": "?", ";": ",", ":": ",", "—": ",", "…": "."}
_DIGITS = "零一二三四五六七八九"


def number_to_chinese(n: int) -> str:
    """0–9999 as it is said: 10 十, 42 四十二, 105 一百零五."""
    if not 0 <= n <= 9999:
        return "".join(_DIGITS[int(d)] for d in str(n))
    if n < 10:
        return _DIGITS[n]
    if n < 20:
        return "十" + (_DIGITS[n % 10] if n % 10 else "")
    out, zero = "", False
    for value, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = n // value % 10
        if digit:
            out += ("零" if zero and out else "") + _DIGITS[digit] + name
            zero = False
        else:
            zero = True
    return out


@lru_cache(maxsize=None)
def _word_pinyin(word: str) -> tuple[str, ...]:
    from pypinyin import Style, lazy_pinyin

    return tuple(p.replace("ü", "v") for p in lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, v_to_u=False))


def _segments(text: str) -> list[str]:
    import jieba

    jieba.setLogLevel(60)
    text = re.sub(r"\d+", lambda m: number_to_chinese(int(m[0])), text)
    text = "".join(_PUNCTUATION.get(c, c) for c in text)
    return [w for w in jieba.lcut(text) if w.strip()]


def words(text: str) -> list[str]:
    """The words of a Mandarin text, punctuation left out."""
    return [w for w in _segments(text) if re.match(r"[\u4e00-\u9fff]", w)]


@lru_cache(maxsize=None)
def _dictionary() -> list[tuple[str, int, str]]:
    """The segmenter's words, how often each was counted, and its kind."""
    import jieba

    with jieba.get_dict_file() as file:
        return [(word, int(count), kind) for word, count, kind in (line.decode("utf-8").split() for line in file)]


@lru_cache(maxsize=None)
def dictionary_words(length: int) -> list[str]:
    """The segmenter's words of so many characters, the commonest first, without names."""
    found = [(count, word) for word, count, kind in _dictionary() if len(word) == length and re.fullmatch(r"[\u4e00-\u9fff]+", word) and not kind.startswith(("nr", "ns", "nt", "nz"))]
    return [word for _, word in sorted(found, key=lambda row: (-row[0], row[1]))]


@lru_cache(maxsize=None)
def characters() -> list[str]:
    """The characters of the segmenter's words, the commonest first."""
    counts: Counter[str] = Counter()
    for word, count, _ in _dictionary():
        counts.update({character: count for character in re.findall(r"[\u4e00-\u9fff]", word)})
    return sorted(counts, key=lambda character: (-counts[character], character))


def text_to_pinyin(text: str) -> str:
    """`你好。` → `ni3 hao3`: the dictionary's reading, punctuation left out."""
    return " ".join(p for w in words(text) for p in _word_pinyin(w))


def text_to_phonemes(text: str) -> str:
    """Mandarin text with citation tones: words are separated by spaces, punctuation becomes pauses. Latin letters are left out.

    Punctuation before the first word stays, so that pieces can be joined.
    """
    out = ""
    for word in _segments(text):
        if re.match(r"[\u4e00-\u9fff]", word):
            spelled = "".join(syllable_to_units(p) for p in _word_pinyin(word))
            out += (" " if out and out[-1] != " " else "") + spelled
        elif word[0] in ",.?!":
            out = out.rstrip() + ("" if out.rstrip()[-1:] in (",", ".", "?", "!") else word[0])
    return out.strip()


def write_json(path: Path, frequency: Counter[str]) -> None:
    """The table for parsing, also for TypeScript: toneless pinyin → spaced units, `0` where the tone goes, frequent syllables first."""
    ordered = sorted(SYLLABLES, key=lambda p: (-frequency[p], p))
    table = {pinyin: " ".join(SYLLABLES[pinyin]) for pinyin in ordered}
    path.write_text(json.dumps(table, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")


for _spelling in SYLLABLES.values():
    assert all(c == "0" or c in UNIT_ID for c in _spelling), _spelling
assert text_to_ids(pinyin_to_units("ni3 hao3"))

if __name__ == "__main__":
    import os
    import sys

    data = Path(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MOSS_DATA", "data"))
    counts: Counter[str] = Counter()
    for name in ("teacher", "zh-words"):
        for line in (data / name / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
            counts.update(_normal(p)[0] for p in json.loads(line).get("pinyin", "").split())
    for line in (data / "text" / "crosswoz-short-utterances.txt").read_text(encoding="utf-8").splitlines():
        counts.update(_normal(p)[0] for p in text_to_pinyin(line).split())
    write_json(TABLE_PATH, counts)
    print(len(SYLLABLES), "syllables")
