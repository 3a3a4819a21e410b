"""The first dialogue domain: questions with their one right answer, in English and Mandarin.

Every meaning has one canonical reply, so that an answer can be checked exactly. `held_out` decides, by what a question says in the end,
whether it is trained. Speech of the items is made by teacher.py.

    domain = Domain("train")
    item = domain.sample(random.Random(0))          # item.user, item.reply, item.user_units, item.reply_units
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Callable

from ..folders import data_folder
from . import domain_en, domain_zh, g2p, held_out, mandarin, orders
from .orders import Wish

LANGUAGES = ("en", "zh")
KINDS = {"number": 0.22, "digits": 0.03, "home": 0.33, "talk": 0.16, "word": 0.12, "repeat": 0.10, "unknown": 0.04}  # shares of a sample
_TABLE = {"en": domain_en, "zh": domain_zh}
TRIES = 10_000  # draws of a split before it is said to have none


@lru_cache(maxsize=1 << 16)
def _symbols(text: str, lang: str) -> str:
    return g2p.to_symbols(text, lang)


@dataclass(frozen=True)
class Item:
    lang: str
    user: str
    reply: str
    kind: str
    slots: dict[str, Any] = field(default_factory=dict)

    @property
    def split(self) -> str:
        """Whether it may be trained: see `held_out`."""
        return held_out.split_of(self.lang, self.kind, self.user, self.slots.get("text", ""))

    @property
    def user_units(self) -> str:
        return _symbols(self.user, self.lang)

    @property
    def reply_units(self) -> str:
        return _symbols(self.reply, self.lang)


def _sentence(text: str, lang: str, question: bool = False) -> str:
    text = text.strip()
    if lang == "zh":
        return text if text[-1] in "。？！" else text + ("？" if question else "。")
    return text[0].upper() + text[1:] + ("" if text[-1] in ".?!" else "?" if question else ".")


_QUESTION_EN = re.compile(r"^(what|who|how|where|which|when|are|is|do|does|can|could|may|will|would|have)\b|, (what|who|how|can|are)\b")


def _as_question(text: str, lang: str) -> bool:
    return bool(re.search("[吗呢几谁]|什么|怎么|哪|多大|多少|贵姓|不热|好不好", text)) if lang == "zh" else bool(_QUESTION_EN.search(text.lower()))


# --- canonical replies -------------------------------------------------------------------------------------------------------------


def number_words(n: int, lang: str) -> str:
    return mandarin.number_to_chinese(n) if lang == "zh" else g2p.number_to_english(n)


def number_reply(n: int, lang: str, bare: bool = True) -> str:
    """Bare Mandarin digits are syllables too, so their reply names the tone as well."""
    if lang == "en":
        return f"You said {number_words(n, lang)}."
    words = number_words(n, lang)
    tone = f"，{domain_zh.TONE_NAMES[int(mandarin.text_to_pinyin(words)[-1])]}" if bare and len(words) == 1 else ""
    return f"你说的是{words}{tone}。"


def heard_reply(pinyin: str) -> str:
    """`ma3` → 我听到的是 ma3，第三声。 Tones are those that were spoken."""
    tones = "，".join(domain_zh.TONE_NAMES[int(p[-1])] for p in pinyin.split())
    return f"我听到的是 {pinyin}，{tones}。"


def word_reply(word: str) -> str:
    return f"You said {word}."


def repeat_reply(text: str, lang: str) -> str:
    return _sentence(text, lang)


def repeat_item(frame: str, text: str, lang: str) -> Item:
    """A sentence of anybody's to be said again."""
    return Item(lang, _sentence(frame.format(x=text), lang), repeat_reply(text, lang), "repeat", {"text": text})


def repeat_frames(lang: str) -> list[str]:
    """The trained ways to ask for a repetition; {x} is what to repeat."""
    return [f for f in _TABLE[lang].REPEAT + _TABLE[lang].REPEAT_MORE if not held_out.parts(lang, "repeat", f.format(x="x"))]


def home_reply_of(rng: random.Random, lang: str) -> str:
    """The confirmation of a random order."""
    table = _TABLE[lang]
    device = rng.choice(table.DEVICES)
    return table.home_reply(device, rng.choice(table.ROOMS) if rng.random() < 0.9 else None, rng.choice(table.ACTIONS[device]))


def _key(text: str) -> str:
    return re.sub(r"[\s,.?!:;，。？！：；'’-]+", " ", text).strip().lower()


@lru_cache(maxsize=None)
def _known() -> dict[str, str]:
    """Bare small talk and numbers: key → reply."""
    known = {}
    for lang, table in _TABLE.items():
        for reply, phrasings in table.TALK.values():
            known.update({_key(p): reply for p in phrasings})
        for n in range(101):
            known[_key(number_words(n, lang))] = number_reply(n, lang)
            known.setdefault(str(n), number_reply(n, "en"))
    return known


@lru_cache(maxsize=None)
def _digit_syllables() -> dict[str, int]:
    return {mandarin.text_to_pinyin(mandarin.number_to_chinese(n)): n for n in range(11)}


def reply_to(lang: str, text: str = "", pinyin: str = "") -> str:
    """The right answer to a recording that is not a domain item: small talk, a number, a word, a Mandarin word, else not understood."""
    if _key(text) in _known():
        return _known()[_key(text)]
    if lang == "en" and 1 <= len(text.split()) <= 2 and text.isascii() and len(_key(text)) > 1:
        return word_reply(_key(text))
    if lang == "zh" and (pinyin or 1 <= len(text) <= 4):
        spoken = mandarin.surface_tones(pinyin or mandarin.text_to_pinyin(text), text)
        if spoken in _digit_syllables():
            return number_reply(_digit_syllables()[spoken], "zh")
        if spoken and len(spoken.split()) <= 4:
            return heard_reply(spoken)
    return _TABLE[lang].UNKNOWN_REPLY


# --- questions ---------------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=None)
def _lines(name: str) -> tuple[str, ...]:
    path = data_folder() / "text" / name
    if not path.exists():
        return ()
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    if name.startswith("arctic"):  # "( arctic_a0001 "Author of …" )" or plain lines
        lines = (re.sub(r'^\(\s*\w+\s+"(.*)"\s*\)$|^\w+\d+[|\t ]+(.*)$', lambda m: m[1] or m[2], line) for line in lines)
    return tuple(line for line in lines if line)


@lru_cache(maxsize=None)
def mandarin_words() -> tuple[tuple[str, str], ...]:
    """(text, spoken pinyin) of the recorded words; without the corpus, of the words of our own sentences."""
    path = data_folder() / "zh-words" / "manifest.jsonl"
    if path.exists():
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return tuple((r["text"], mandarin.surface_tones(r["pinyin"], r["text"])) for r in rows if len(r["pinyin"].split()) <= 4)
    words = sorted({w for s in domain_zh.SENTENCES for w in mandarin.words(s) if len(w) <= 4})
    return tuple((w, mandarin.surface_tones(mandarin.text_to_pinyin(w), w)) for w in words)


@lru_cache(maxsize=None)
def _unrecorded() -> tuple[str, ...]:
    """The dictionary's Mandarin words that no training recording says."""
    recorded = {word for word, _ in mandarin_words()}
    return tuple(word for word in _dictionary("zh") if word not in recorded)


@lru_cache(maxsize=None)
def _strange(lang: str) -> tuple[str, ...]:
    """Sentences that the domain does not cover."""
    table = _TABLE[lang]
    lines = _lines("arctic-prompts.txt" if lang == "en" else "crosswoz-short-utterances.txt")
    near = [p.lower() for _, phrasings in table.TALK.values() for p in phrasings if len(p) > (5 if lang == "en" else 1)]
    far = [s for s in lines if (len(s.split()) >= 4 if lang == "en" else len(s) >= 7) and not any(p in s.lower() for p in near)]
    return tuple(table.UNKNOWN + far)


@lru_cache(maxsize=None)
def repeatable(lang: str) -> tuple[str, ...]:
    """Sentences to be said again: our own four times, then the texts' short ones."""
    table = _TABLE[lang]
    if lang == "en":
        short = [re.sub(r"[.?!]$", "", s) for s in _lines("arctic-prompts.txt") if 3 <= len(s.split()) <= 8]
    else:
        short = [re.sub(r"[。？！.?!]$", "", s) for s in _lines("crosswoz-short-utterances.txt") if 4 <= len(s) <= 11]
    return tuple(table.SENTENCES * 4 + [s for s in short if g2p_reads(s, lang)])


def new_sentence(text: str, lang: str) -> str:
    """The split of a sentence to be repeated, however it is asked for."""
    return held_out.split_of(lang, "repeat", text, text)


@lru_cache(maxsize=None)
def _small_talk(lang: str) -> tuple[str, ...]:
    """What the chatterbot corpus says: everyday words."""
    folder = data_folder() / "text" / "chatterbot_corpus" / "data" / {"en": "english", "zh": "chinese"}[lang]
    lines = (line for path in sorted(folder.glob("*.yml")) for line in path.read_text(encoding="utf-8").splitlines())
    return tuple(m[1].strip(" '\"") for line in lines if (m := re.match(r"\s*- (?:- )?(.+)", line)))


@lru_cache(maxsize=None)
def _word_runs(lang: str) -> tuple[tuple[str, ...], ...]:
    """The words of each line that may be repeated, held-out lines left out, and of what the chatterbot corpus says."""
    lines = (s for s in (*repeatable(lang), *(s for s in _small_talk(lang) if g2p_reads(s, lang))) if new_sentence(s, lang) == "train")
    runs = (mandarin.words(re.sub("[，。？！,]", "", s)) if lang == "zh" else re.sub("[,.?!]", "", s).split() for s in lines)
    return tuple(tuple(run) for run in runs if run)


@lru_cache(maxsize=None)
def _dictionary(lang: str) -> tuple[str, ...]:
    if lang == "en":
        return tuple(g2p.dictionary_words())
    return tuple(word for length, count in ((1, 2000), (2, 12000), (3, 3000), (4, 3000)) for word in mandarin.dictionary_words(length)[:count])


def scrambled(rng: random.Random, lang: str) -> str:
    """One to sixteen runs: one to three words of a line, or one of the dictionary. What nobody says, so that only copying and reading it say it."""
    runs: list[str] = []
    for _ in range(rng.choice((1, 1, 2, 2, 3, 4, 6, 8, 12, 16))):
        line = (rng.choice(_dictionary(lang)),) if rng.random() < 0.5 else rng.choice(_word_runs(lang))
        start = rng.randrange(len(line))
        runs += line[start : start + rng.randint(1, 3)]
    return ("" if lang == "zh" else " ").join(runs)


def g2p_reads(text: str, lang: str) -> bool:
    """Whether the text is plain words of its language."""
    return bool(re.fullmatch(r"[A-Za-z' ,.?!-]+" if lang == "en" else r"[\u4e00-\u9fff，。？！,]+", text))


class Domain:
    """Random items of one split: `train`, `watch` or `test` (see `held_out`)."""

    def __init__(self, split: str = "train", kinds: dict[str, float] | None = None):
        if split not in held_out.SPLITS:
            raise ValueError(f"split is one of {', '.join(held_out.SPLITS)}, not {split!r}")
        self.split = split
        self.kinds = kinds or KINDS
        self._make: dict[str, Callable[[random.Random, str], Item | None]] = {
            "number": self._number, "digits": self._digits, "home": self._home, "talk": self._talk, "word": self._word,
            "repeat": self._repeat, "unknown": self._unknown,
        }  # fmt: skip

    def sample(self, rng: random.Random, lang: str | None = None, kind: str | None = None) -> Item:
        """One item; language and kind are drawn unless given."""
        lang = lang or rng.choice(LANGUAGES)
        kind = kind or rng.choices(list(self.kinds), list(self.kinds.values()))[0]
        for _ in range(TRIES):
            item = self._make[kind](rng, lang)
            if item is not None and item.split == self.split:
                return item
        raise ValueError(f"the domain has no {self.split} items of kind {kind} in {lang}")

    def _number(self, rng: random.Random, lang: str) -> Item:
        n = rng.randrange(11) if rng.random() < 0.5 else rng.randrange(101)
        frame = rng.choice(_TABLE[lang].NUMBERS)
        return Item(lang, _sentence(frame.format(n=number_words(n, lang)), lang), number_reply(n, lang, frame == "{n}"), "number", {"n": n})

    def _digits(self, rng: random.Random, lang: str) -> Item:
        digits = [rng.randrange(10) for _ in range(rng.randint(2, 4))]
        words = ("" if lang == "zh" else " ").join(number_words(d, lang) for d in digits)
        user = _sentence(rng.choice(_TABLE[lang].NUMBERS).format(n=words), lang)
        return Item(lang, user, f"你说的是{words}。" if lang == "zh" else f"You said {words}.", "digits", {"digits": digits})

    def _home(self, rng: random.Random, lang: str) -> Item | None:
        table = _TABLE[lang]
        device = rng.choice(table.DEVICES)
        wish = Wish(device, rng.choice(table.ACTIONS[device]), rng.choice(table.ROOMS) if rng.random() < 0.85 else None)
        common, special, more = orders.frames(lang, wish)
        frame = rng.choice(special) if special and rng.random() < 0.2 else orders.pick(rng, common, more)
        lead, tail = ("", "") if rng.random() < 0.4 else (orders.pick(rng, *orders.leads(lang)), orders.pick(rng, *orders.tails(lang)))
        lead, tail = lead if orders.may_lead(frame) else "", tail if orders.may_tail(frame, lang) else ""
        body = orders.body(frame, wish, rng.choice(orders.names(lang, wish)), rng.choice(orders.changes(lang, wish)), lang)
        if body is None:
            return None
        asks = bool(re.match(r"((hi|hey|hello), )?(could|can|would|will|why)\b", lead)) if lang == "en" else bool(re.search("吗|好不好", tail)) or lead[:1] == "能"
        user = _sentence(lead + body + tail, lang, asks)
        return Item(lang, user, table.home_reply(wish.device, wish.room, wish.action), "home", wish._asdict())

    def _talk(self, rng: random.Random, lang: str) -> Item:
        topic, (reply, phrasings) = rng.choice(list(_TABLE[lang].TALK.items()))
        phrase = rng.choice(phrasings)
        return Item(lang, _sentence(phrase, lang, _as_question(phrase, lang)), reply, "talk", {"topic": topic})

    def _word(self, rng: random.Random, lang: str) -> Item | None:
        if lang == "zh":
            if rng.random() < 0.35:
                pinyin = f"{rng.choice(list(mandarin.SYLLABLES))}{rng.randint(1, 4)}"
                return self._heard(pinyin, pinyin)
            if self.split == "train":
                return self._heard(*rng.choice(mandarin_words()))
            word = rng.choice(_unrecorded())
            return self._heard(word, mandarin.surface_tones(mandarin.text_to_pinyin(word), word))
        word = rng.choice(domain_en.WORD_LIST + domain_en.WORD_PAIRS)
        if _key(word) in _known():
            return None
        return Item(lang, _sentence(rng.choice(domain_en.WORDS).format(w=word), lang), word_reply(word), "word", {"word": word})

    def _heard(self, user: str, pinyin: str) -> Item | None:
        if user in _known():
            return None
        return Item("zh", user, reply_to("zh", "" if user == pinyin else user, pinyin), "word", {"pinyin": pinyin})

    def _repeat(self, rng: random.Random, lang: str) -> Item:
        draw = rng.random()
        if self.split == "train" and rng.random() < 0.6:
            text = scrambled(rng, lang)
        elif draw < 0.3:
            text = number_words(rng.randrange(101), lang)
        elif draw < 0.55:
            text = rng.choice(domain_en.WORD_LIST) if lang == "en" else rng.choice(mandarin_words())[0]
        else:
            text = rng.choice(repeatable(lang))
        return repeat_item(orders.pick(rng, _TABLE[lang].REPEAT, _TABLE[lang].REPEAT_MORE), text, lang)

    def _unknown(self, rng: random.Random, lang: str) -> Item:
        return Item(lang, _sentence(rng.choice(_strange(lang)), lang), _TABLE[lang].UNKNOWN_REPLY, "unknown")


if __name__ == "__main__":
    generator = random.Random(1)
    for split in held_out.SPLITS:
        for kind in KINDS:
            for lang in LANGUAGES:
                for _ in range(4):
                    try:
                        item = Domain(split).sample(generator, lang, kind)
                    except ValueError as error:
                        print(error)
                        break
                    print(f"{split:5} {kind:7} {item.user}  →  {item.reply}  [{item.user_units}]")
