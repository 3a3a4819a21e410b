"""Numerals in what whisper wrote, spelled in every way that they may have been said.

"412" may be four hundred twelve, four hundred and twelve, four one two or four twelve.
"""

from __future__ import annotations

import re
from itertools import islice, product

from ..data.g2p import number_to_english
from ..data.mandarin import number_to_chinese

MOST = 500  # spellings of a text with many numerals
_NUMERAL = {"en": re.compile(r"\d+(?:,\d{3})*(?:st|nd|rd|th)?"), "zh": re.compile(r"\d+")}
_ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth", "twelve": "twelfth"}


def _ordinal(cardinal: str) -> str:
    """twenty-one -> twenty-first"""
    head, last = re.fullmatch(r"(.*?)([a-z]+)", cardinal).groups()
    return head + _ORDINALS.get(last, f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th")


def _english(numeral: str) -> list[str]:
    digits = re.sub(r"\D", "", numeral)
    whole = number_to_english(int(digits))
    if numeral[-1].isalpha():
        return [_ordinal(whole)]
    said = [whole, re.sub(r"hundred (?!thousand)", "hundred and ", whole)]
    if "," not in numeral:
        said.append(" ".join(number_to_english(int(digit)) for digit in digits))
        if len(digits) in (3, 4):
            said.append(f"{number_to_english(int(digits[:-2]))} {number_to_english(int(digits[-2:]))}")
    return said


def _chinese(numeral: str) -> list[str]:
    whole = number_to_chinese(int(numeral)) if len(numeral) < 9 else numeral
    return [whole, re.sub("^二(?=[百千万]|$)", "两", whole), "".join(number_to_chinese(int(digit)) for digit in numeral)]


def spellings(text: str, lang: str) -> list[str]:
    """The text with its numerals in words; as it stands where there are none."""
    pattern = _NUMERAL[lang]
    between = pattern.split(text)
    ways = [dict.fromkeys(_english(numeral) if lang == "en" else _chinese(numeral)) for numeral in pattern.findall(text)]
    texts = []
    for chosen in islice(product(*ways), MOST):
        joined = [f" {words} " if lang == "en" else words for words in chosen]
        texts.append("".join(part for pair in zip(between, [*joined, ""]) for part in pair))
    return texts
