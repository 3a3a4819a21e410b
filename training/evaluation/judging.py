"""How answers are judged: units, tones with sandhi, read-back text, intervals."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from ..data import asr_judge, mandarin
from ..data.edit_distance import distance

LATIN = re.compile(r"[a-zü]+", re.I)


def wilson(right: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % Wilson interval of a proportion."""
    if n == 0:
        return 0.0, 1.0
    p = right / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, (middle - half) / (1 + z * z / n)), min(1.0, (middle + half) / (1 + z * z / n))


def error_interval(pairs: Sequence[tuple[int, int]], draws: int = 1000) -> tuple[float, float]:
    """The 95 % bootstrap interval of an error rate, clips drawn with replacement: the words of one clip are not independent."""
    rng = np.random.default_rng(1)
    wrong, total = np.array(pairs, float).T
    picks = rng.integers(len(wrong), size=(draws, len(wrong)))
    rates = wrong[picks].sum(1) / np.maximum(total[picks].sum(1), 1)
    return float(np.quantile(rates, 0.025)), float(np.quantile(rates, 0.975))


# --- Mandarin tones ----------------------------------------------------------------------------------------------------------------


def _split(pinyin: str) -> list[tuple[str, int]]:
    """(syllable, tone) of space-separated pinyin; no digit is the neutral tone."""
    parts = (re.fullmatch(r"(\D+)(\d?)", p) for p in pinyin.split())
    return [(m[1], int(m[2] or 5) or 5) for m in parts if m]


def accepted_tones(pinyin: str, text: str = "") -> list[set[int]]:
    """Of each syllable: its citation tone, and what sandhi makes of it (一, 不, a third tone before a third)."""
    citation, surface = _split(pinyin), _split(mandarin.surface_tones(pinyin, text))
    return [{a, b} for (_, a), (_, b) in zip(citation, surface)]


def tones_right(pinyin: str, heard: str, text: str = "") -> tuple[int, int]:
    """(right, all) tones of a recording. Syllables are aligned first; one that was heard too many takes a right one away."""
    want = [(base, ok) for (base, _), ok in zip(_split(mandarin.surface_tones(pinyin, text)), accepted_tones(pinyin, text))]
    got = _split(heard)
    n, m = len(want), len(got)

    def cost(i: int, j: int) -> float:
        return 0.6 * (want[i][0] != got[j][0]) + 0.3 * (got[j][1] not in want[i][1])

    table = np.zeros((n + 1, m + 1))
    table[:, 0], table[0, :] = np.arange(n + 1), np.arange(m + 1)
    for i in range(n):
        for j in range(m):
            table[i + 1, j + 1] = min(table[i, j] + cost(i, j), table[i, j + 1] + 1, table[i + 1, j] + 1)
    right = extra = 0
    i, j = n, m
    while i or j:
        if i and j and table[i, j] == table[i - 1, j - 1] + cost(i - 1, j - 1):
            right += got[j - 1][1] in want[i - 1][1]
            i, j = i - 1, j - 1
        elif i and table[i, j] == table[i - 1, j] + 1:
            i -= 1
        else:
            extra += 1
            j -= 1
    return max(0, right - extra), n


# --- text --------------------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _simplifier():
    from opencc import OpenCC

    return OpenCC("t2s")


def words(text: str, lang: str) -> list[str]:
    """English words or simplified Mandarin characters; numerals spelled, punctuation dropped."""
    return asr_judge.normalise(_simplifier().convert(text) if lang == "zh" else text, lang)


def syllables(text: str) -> list[str]:
    """Mandarin text, with or without pinyin in it, as toneless syllables."""
    out: list[str] = []
    for part in re.findall(r"[a-zü]+[1-5]?|[\u4e00-\u9fff]+|\d+", _simplifier().convert(text).lower()):
        if part[0].isdigit():
            part = mandarin.number_to_chinese(int(part))
        out += [part.rstrip("12345")] if LATIN.match(part) else [p.rstrip("12345") for p in mandarin.text_to_pinyin(part).split()]
    return out


def language(text: str) -> str:
    """`zh` where there is a Chinese character, else `en`."""
    return "zh" if any("\u4e00" <= c <= "\u9fff" for c in text) else "en"


def read_back_errors(text: str, read: str, lang: str) -> tuple[int, int]:
    """(wrong, all): words, characters, or toneless syllables where the reply spells a syllable in pinyin."""
    if lang == "zh" and LATIN.search(text):
        want, got = syllables(text), syllables(read)
    else:
        want, got = words(text, lang), words(read, lang)
    return distance(want, got), len(want)


def same_text(a: str, b: str) -> bool:
    """Equal but for case, spaces and punctuation."""
    return re.sub(r"[\W_]+", "", a).lower() == re.sub(r"[\W_]+", "", b).lower()


def spread_replies(replies: list[tuple[str, str]], limit: int) -> list[tuple[str, str]]:
    """(text, wav) of at most `limit` replies, as many different texts as there are."""
    order = random.Random(3).sample(replies, len(replies))
    seen: dict[str, int] = {}
    rank = []
    for text, wav in order:
        rank.append((seen.get(text, 0), len(rank), text, wav))
        seen[text] = seen.get(text, 0) + 1
    return [(text, wav) for _, _, text, wav in (sorted(rank)[:limit] if limit else rank)]
