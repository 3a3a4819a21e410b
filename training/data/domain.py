"""The first dialogue domain: questions with their one right answer, in English and Mandarin.

Every meaning has one canonical reply, so that an answer can be checked exactly. About one phrasing in eight is held out: a test item
has a sentence frame, a polite lead or a tail that no training item has. Speech of the items is made by teacher.py.

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
from zlib import crc32

from ..folders import data_folder
from . import domain_en, domain_zh, g2p, mandarin

LANGUAGES = ("en", "zh")
KINDS = {"number": 0.22, "digits": 0.03, "home": 0.33, "talk": 0.16, "word": 0.12, "repeat": 0.10, "unknown": 0.04}  # shares of a sample
_TABLE = {"en": domain_en, "zh": domain_zh}
PLURALS = {"is": "are", "has": "have", "needs": "need", "goes": "go"}
_HELD_OUT = 8  # one phrasing in eight


@lru_cache(maxsize=1 << 16)
def _symbols(text: str, lang: str) -> str:
    return g2p.to_symbols(text, lang)


@dataclass(frozen=True)
class Item:
    lang: str
    user: str
    reply: str
    kind: str
    split: str  # of the phrasing
    slots: dict[str, Any] = field(default_factory=dict)

    @property
    def user_units(self) -> str:
        return _symbols(self.user, self.lang)

    @property
    def reply_units(self) -> str:
        return _symbols(self.reply, self.lang)


def is_test(phrasing: str) -> bool:
    return bool(phrasing) and crc32(phrasing.encode()) % _HELD_OUT == 0


def _phrasings(options: list[str], split: str, always: int = 1) -> list[str]:
    """The options of a split; the first ones are always trained (and serve a test whose other parts are new)."""
    if split == "train":
        return [o for i, o in enumerate(options) if i < always or not is_test(o)]
    return [o for i, o in enumerate(options) if i >= always and o not in options[:always] and is_test(o)]


@lru_cache(maxsize=None)
def _more(lang: str, what: str) -> tuple[str, ...]:
    """Phrasings of an action, a repetition, leads or tails that are trained only; one that is held out elsewhere stays so."""
    table = _TABLE[lang]
    options = {**getattr(table, "HOME_MORE", {}), "repeat": table.REPEAT_MORE, "lead": getattr(table, "LEADS_MORE", []), "tail": getattr(table, "TAILS_MORE", [])}
    return tuple(o for o in dict.fromkeys(options.get(what, [])) if not is_test(o))


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
    """A sentence of anybody's to be said again, in a test."""
    return Item(lang, _sentence(frame.format(x=text), lang), repeat_reply(text, lang), "repeat", "test", {"text": text})


def repeat_frames(lang: str) -> list[str]:
    """The trained ways to ask for a repetition; {x} is what to repeat."""
    return [*_phrasings(_TABLE[lang].REPEAT, "train"), *_more(lang, "repeat")]


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


@lru_cache(maxsize=None)
def _small_talk(lang: str) -> tuple[str, ...]:
    """What the chatterbot corpus says: everyday words."""
    folder = data_folder() / "text" / "chatterbot_corpus" / "data" / {"en": "english", "zh": "chinese"}[lang]
    lines = (line for path in sorted(folder.glob("*.yml")) for line in path.read_text(encoding="utf-8").splitlines())
    return tuple(m[1].strip(" '\"") for line in lines if (m := re.match(r"\s*- (?:- )?(.+)", line)))


@lru_cache(maxsize=None)
def _word_runs(lang: str) -> tuple[tuple[str, ...], ...]:
    """The words of each line that may be repeated, held-out lines left out, and of what the chatterbot corpus says."""
    lines = (*repeatable(lang), *(s for s in _small_talk(lang) if g2p_reads(s, lang)))
    runs = (mandarin.words(re.sub("[，。？！,]", "", s)) if lang == "zh" else re.sub("[,.?!]", "", s).split() for s in lines if not is_test(s))
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
    """Random items of one split: `train`, or `test` (every item has a held-out part)."""

    def __init__(self, split: str = "train", kinds: dict[str, float] | None = None):
        if split not in ("train", "test"):
            raise ValueError(f"split is train or test, not {split!r}")
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
        for _ in range(1000):
            item = self._make[kind](rng, lang)
            if item is not None:
                return item
        raise ValueError(f"the domain has no {self.split} items of kind {kind} in {lang}")

    def _pick(self, rng: random.Random, options: list[str], more: tuple[str, ...] = ()) -> str:
        """A phrasing allowed in this split: training draws trained ones, one of `more` half the time; testing draws any (the caller wants one part held out)."""
        if self.split == "test":
            return rng.choice(options)
        return rng.choice(more) if more and rng.random() < 0.5 else rng.choice(_phrasings(options, "train"))

    def _item(self, lang: str, user: str, reply: str, kind: str, parts: list[tuple[str, list[str]]], **slots: Any) -> Item | None:
        new = any(part != options[0] and is_test(part) for part, options in parts)
        if new != (self.split == "test"):
            return None
        return Item(lang, user, reply, kind, self.split, slots)

    def _number(self, rng: random.Random, lang: str) -> Item | None:
        table = _TABLE[lang]
        n = rng.randrange(11) if rng.random() < 0.5 else rng.randrange(101)
        frame = self._pick(rng, table.NUMBERS)
        user = _sentence(frame.format(n=number_words(n, lang)), lang)
        return self._item(lang, user, number_reply(n, lang, frame == "{n}"), "number", [(frame, table.NUMBERS)], n=n)

    def _digits(self, rng: random.Random, lang: str) -> Item | None:
        digits = [rng.randrange(10) for _ in range(rng.randint(2, 4))]
        words = ("" if lang == "zh" else " ").join(number_words(d, lang) for d in digits)
        frames = _TABLE[lang].NUMBERS
        frame = self._pick(rng, frames)
        user = _sentence(frame.format(n=words), lang)
        return self._item(lang, user, f"你说的是{words}。" if lang == "zh" else f"You said {words}.", "digits", [(frame, frames)], digits=digits)

    def _home(self, rng: random.Random, lang: str) -> Item | None:
        table = _TABLE[lang]
        device = rng.choice(table.DEVICES)
        action = rng.choice(table.ACTIONS[device])
        room = rng.choice(table.ROOMS) if rng.random() < 0.85 else None
        special = table.HOME_SPECIAL.get((device, action), [])
        common = {"open": table.HOME_OPEN, "close": table.HOME_CLOSE}.get(action) or table.HOME[action]
        options = special if special and room and rng.random() < 0.2 else common
        frame = self._pick(rng, options, () if options is special else _more(lang, action))
        lead, tail = ("", "") if rng.random() < 0.4 else (self._pick(rng, table.LEADS, _more(lang, "lead")), self._pick(rng, table.TAILS, _more(lang, "tail")))
        lead = lead if frame.startswith("*") else ""
        text = frame.lstrip("*")
        if lang == "en" and text.endswith(", please"):
            tail = ""
        if room is None:
            if "{d}" not in text:
                return None
            for gone in ("in the {r}, ", " in the {r}", " in {r}", "{r} ", "，{r}的") if lang == "en" else ("，{r}的", "在{r}", "{r}里的", "{r}的", "{r}"):  # fmt: skip
                text = text.replace(gone, "")
            if "{r}" in text:
                return None
        text = text.format(r=room, d=rng.choice(table.DEVICE_WORDS.get(device, [device])), v=rng.choice(getattr(table, "CHANGE_WORDS", {}).get((device, action), [""])))  # fmt: skip
        if lang == "en":  # "the light are" and the like
            text = re.sub(r"\bthe the\b", "the", text)
            plural = r"\b(lights|curtains)( in the [a-z ]+?)? "
            text = re.sub(plural + "(is|has|needs|goes) ", lambda m: f"{m[1]}{m[2] or ''} {PLURALS[m[3]]} ", text)
        asks = bool(re.match(r"((hi|hey|hello), )?(could|can|would|will|why)\b", lead)) if lang == "en" else bool(re.search("吗|好不好", tail)) or lead[:1] == "能"
        user = _sentence(lead + text + tail, lang, asks)
        parts = [(frame, options), (lead, table.LEADS), (tail, table.TAILS)]
        return self._item(lang, user, table.home_reply(device, room, action), "home", parts, device=device, room=room, action=action)

    def _talk(self, rng: random.Random, lang: str) -> Item | None:
        topic, (reply, phrasings) = rng.choice(list(_TABLE[lang].TALK.items()))
        phrase = rng.choice(_phrasings(phrasings, self.split, 2) or [""])
        if not phrase:
            return None
        return Item(lang, _sentence(phrase, lang, _as_question(phrase, lang)), reply, "talk", self.split, {"topic": topic})

    def _word(self, rng: random.Random, lang: str) -> Item | None:
        if lang == "zh":
            if rng.random() < 0.35:
                pinyin = f"{rng.choice(list(mandarin.SYLLABLES))}{rng.randint(1, 4)}"
                return self._heard(pinyin, pinyin)
            return self._heard(*rng.choice(mandarin_words()))
        word = rng.choice(domain_en.WORD_LIST + domain_en.WORD_PAIRS)
        if _key(word) in _known():
            return None
        frame = self._pick(rng, domain_en.WORDS)
        return self._item(lang, _sentence(frame.format(w=word), lang), word_reply(word), "word", [(frame, domain_en.WORDS)], word=word)

    def _heard(self, user: str, pinyin: str) -> Item | None:
        if user in _known() or (self.split == "test") != is_test(pinyin):  # test: words never trained
            return None
        return Item("zh", user, reply_to("zh", "" if user == pinyin else user, pinyin), "word", self.split, {"pinyin": pinyin})

    def _repeat(self, rng: random.Random, lang: str) -> Item | None:
        table, draw = _TABLE[lang], rng.random()
        if self.split == "train" and rng.random() < 0.6:
            text, new = scrambled(rng, lang), False
        elif draw < 0.3:
            text, new = number_words(rng.randrange(101), lang), False
        elif draw < 0.55:
            text, new = (rng.choice(domain_en.WORD_LIST) if lang == "en" else rng.choice(mandarin_words())[0]), False
        else:
            text = rng.choice(repeatable(lang))
            new = is_test(text)  # a test repeats a sentence never trained, or asks in a new way
        frame = self._pick(rng, table.REPEAT, _more(lang, "repeat"))
        parts = [(frame, table.REPEAT), *([(text, ["", text])] if new else [])]
        return self._item(lang, _sentence(frame.format(x=text), lang), repeat_reply(text, lang), "repeat", parts, text=text)

    def _unknown(self, rng: random.Random, lang: str) -> Item | None:
        text = rng.choice(_strange(lang))
        if (self.split == "test") != is_test(text):
            return None
        return Item(lang, _sentence(text, lang), _TABLE[lang].UNKNOWN_REPLY, "unknown", self.split, {})


def phrasing_counts() -> dict[str, tuple[int, int]]:
    """Per language: phrasings trained, phrasings held out."""
    out = {}
    for lang, t in _TABLE.items():
        lists = [t.NUMBERS, t.REPEAT, t.WORDS, t.LEADS, t.TAILS, t.HOME_OPEN, t.HOME_CLOSE, *t.HOME.values(), *t.HOME_SPECIAL.values()]
        lists += [p for _, p in t.TALK.values()]
        out[lang] = tuple(sum(len(set(_phrasings(options, split))) for options in lists) for split in ("train", "test"))
    return out


if __name__ == "__main__":
    generator = random.Random(1)
    for split in ("train", "test"):
        for kind in KINDS:
            for lang in LANGUAGES:
                for _ in range(4):
                    item = Domain(split).sample(generator, lang, kind)
                    print(f"{split:5} {kind:7} {item.user}  →  {item.reply}  [{item.user_units}]")
    print(phrasing_counts())
