"""Home commands: what one says before and after an order, and the order itself, of every phrasing, device, room and wish.

An order is lead + body + tail. `bodies` gives every body that there is, so that a test can look through all that training may say.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import NamedTuple

from . import domain_en, domain_zh

TABLES = {"en": domain_en, "zh": domain_zh}
_PLURALS = {"is": "are", "has": "have", "needs": "need", "goes": "go"}
_ROOM_PHRASES = {  # what goes where no room is named
    "en": ("in the {r}, ", " in the {r}", " in {r}", "{r} ", "，{r}的"),
    "zh": ("，{r}的", "在{r}", "{r}里的", "{r}的", "{r}"),
}


class Wish(NamedTuple):
    device: str
    action: str
    room: str | None


def frames(lang: str, wish: Wish) -> tuple[list[str], list[str], list[str]]:
    """Phrasings of a wish: those of any device, those of this device in a room, and those made of all verbs and word orders."""
    table = TABLES[lang]
    common = {"open": table.HOME_OPEN, "close": table.HOME_CLOSE}.get(wish.action) or table.HOME[wish.action]
    special = table.HOME_SPECIAL.get((wish.device, wish.action), []) if wish.room else []
    return common, special, getattr(table, "HOME_MORE", {}).get(wish.action, [])


def body(frame: str, wish: Wish, word: str, change: str, lang: str) -> str | None:
    """The order in a frame's words; None where the frame wants a room and none is named. `word` is what the device is called here."""
    text = frame.lstrip("*")
    if wish.room is None:
        if "{d}" not in text:
            return None
        for gone in _ROOM_PHRASES[lang]:
            text = text.replace(gone, "")
        if "{r}" in text:
            return None
    text = text.format(r=wish.room, d=word, v=change)
    if lang == "en":  # "the light are" and the like
        text = re.sub(r"\bthe the\b", "the", text)
        text = re.sub(r"\b(lights|curtains)( in the [a-z ]+?)? (is|has|needs|goes) ", lambda m: f"{m[1]}{m[2] or ''} {_PLURALS[m[3]]} ", text)
    return text


def may_lead(frame: str) -> bool:
    """Whether politeness may stand before it."""
    return frame.startswith("*")


def may_tail(frame: str, lang: str) -> bool:
    return not (lang == "en" and frame.endswith(", please"))


def leads(lang: str) -> tuple[list[str], list[str]]:
    """The leads by hand, and more."""
    return TABLES[lang].LEADS, getattr(TABLES[lang], "LEADS_MORE", [])


def tails(lang: str) -> tuple[list[str], list[str]]:
    return TABLES[lang].TAILS, getattr(TABLES[lang], "TAILS_MORE", [])


def names(lang: str, wish: Wish) -> list[str]:
    """What the device is called."""
    return TABLES[lang].DEVICE_WORDS.get(wish.device, [wish.device])


def changes(lang: str, wish: Wish) -> list[str]:
    """Mandarin verbs of more and less; else ['']."""
    return getattr(TABLES[lang], "CHANGE_WORDS", {}).get((wish.device, wish.action), [""])


def pick(rng: random.Random, options: list[str], more: list[str]) -> str:
    """One of `more` half the time, where there are such."""
    return rng.choice(more) if more and rng.random() < 0.5 else rng.choice(options)


def bodies(lang: str) -> Iterator[tuple[str, str, Wish]]:
    """(body, frame, wish) of all there are, held out or not."""
    table = TABLES[lang]
    for device in table.DEVICES:
        for action in table.ACTIONS[device]:
            for room in (None, *table.ROOMS):
                wish = Wish(device, action, room)
                for frame in dict.fromkeys(f for some in frames(lang, wish) for f in some):
                    for word in names(lang, wish):
                        for change in changes(lang, wish):
                            text = body(frame, wish, word, change, lang)
                            if text is not None:
                                yield text, frame, wish
