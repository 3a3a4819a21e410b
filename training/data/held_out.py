"""What training never sees: the one place that decides it, for typed, synthesized and recorded speech alike.

A question is judged by what it says in the end, folded (no case, punctuation or spaces), never by the frame that it was made of: different
frames make equal strings. Held out are

- the stored questions (`question_sets.py`), and the new sentences that they ask to have repeated;
- by checksum, one string and one sentence to be repeated in eight, so that there are always new ones to ask;
- verbs, word orders, polite leads and tails (PARTS): a question that holds one is not trained, whatever else it holds.

Each belongs to `test`, which is looked at when a candidate has been chosen, or to `watch`, which may be looked at while it is made. Bare numbers
and single words are closed sets that everybody says: they are trained, and what a test of them can hold out is the voice.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

from . import domain_en, g2p, mandarin
from .question_sets import VERSIONS, hearing, questions

SPLITS = ("train", "watch", "test")
CHECKSUMS = {0: "test", 8: "watch"}  # of 16
SPLIT_OF_SET = {"v0": "watch", "v1": "test"}  # v0 was looked at too often to test anything
BY_CHECKSUM = {"home", "number", "digits", "word", "repeat", "unknown"}


@dataclass(frozen=True)
class Part:
    """Something that a question may hold. English patterns see lower-case words between single spaces, Mandarin ones the folded string."""

    split: str
    what: str  # verb, order (of words), lead, tail
    kinds: str
    pattern: str


_ROOMS = "|".join(domain_en.ROOMS)
PARTS = {
    "en": (
        Part("test", "verb", "home", r"\b(flip|crank|slide|fire up|shut down)\b"),
        Part("test", "order", "home", rf"^in the ({_ROOMS}) |\b(has|have) to be\b|\blet's have\b"),
        Part("test", "lead", "home", r"^(go ahead and|why don't you|hello please|i need you to|be so kind and)\b"),
        Part("test", "tail", "home", r"\b(as well|if you can|for me please)$"),
        Part("test", "order", "number digits", r"^(i am thinking of|there are|my favorite number is)\b"),
        Part("test", "order", "word", r"^my word is\b"),
        Part("test", "order", "repeat", r"^(say this|repeat this after me|say these words|now repeat|i want you to say)\b"),
        Part("watch", "verb", "home", r"\b(click|move)\b"),
        Part("watch", "order", "home", r"\b(is|are) to be\b|\blet me have\b"),
        Part("watch", "lead", "home", r"^(do me a favor and|would you please)\b"),
        Part("watch", "tail", "home", r"\b(at last|would you)$"),
        Part("watch", "order", "number digits", r"^that's\b"),
        Part("watch", "order", "repeat", r"^(copy me|speak after me)\b"),
    ),
    "zh": (
        Part("test", "verb", "home", "启动|弄亮|弄暗|合上"),
        Part("test", "order", "home", "将|里的"),
        Part("test", "lead", "home", "^(能不能帮我|那个|我想请你)"),
        Part("test", "tail", "home", "(好不好|快点)$"),
        Part("test", "order", "number digits", "^(我觉得是|号码是)"),
        Part("test", "order", "repeat", "^(说这个|跟我重复|现在跟我说|你说|把这句话说一遍)"),
        Part("watch", "verb", "home", "开启"),
        Part("watch", "order", "home", "让"),
        Part("watch", "lead", "home", "^麻烦你"),
        Part("watch", "tail", "home", "可以吗$"),
        Part("watch", "order", "number digits", "^这个数字是"),
        Part("watch", "order", "repeat", "^学我说"),
    ),
}


def folded(text: str) -> str:
    """Letters and digits alone, in lower case. Folding a string is folding its parts: what is joined stays joined."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text)).lower()


def plain(text: str) -> str:
    """Lower-case words between single spaces; apostrophes stay."""
    return " ".join(re.sub(r"[^\w' ]+", " ", unicodedata.normalize("NFKC", text).replace("’", "'").lower()).split())


@lru_cache(maxsize=None)
def closed(lang: str) -> frozenset[str]:
    """Numbers to a hundred and single words, folded."""
    numbers = [mandarin.number_to_chinese(n) if lang == "zh" else g2p.number_to_english(n) for n in range(101)]
    return frozenset(map(folded, numbers + (domain_en.WORD_LIST + domain_en.WORD_PAIRS if lang == "en" else [])))


@lru_cache(maxsize=None)
def _listed() -> dict[tuple[str, str], str]:
    """(language, folded string) → split, of the stored questions and of the sentences that are new in them."""
    found = {(lang, folded(text)): "watch" for lang, text in hearing() if folded(text) not in closed(lang)}
    for version in VERSIONS:
        for row in questions(version):
            says = [row["text"], *([row["slots"]["text"]] if "sentence" in row["new"] else [])]
            for text in map(folded, says if row["new"] else []):
                if text not in closed(row["lang"]):
                    found[row["lang"], text] = SPLIT_OF_SET[version]
    return found


def parts(lang: str, kind: str, text: str) -> set[tuple[str, str]]:
    """(split, what) of the PARTS that a question holds."""
    seen = folded(text) if lang == "zh" else plain(text)
    return {(part.split, part.what) for part in PARTS.get(lang, ()) if kind in part.kinds.split() and re.search(part.pattern, seen)}


@lru_cache(maxsize=1 << 18)
def reasons(lang: str, kind: str, text: str, said: str = "") -> frozenset[tuple[str, str]]:
    """Why a question is held out: (split, what) of everything in it that is; empty for one that may be trained.

    `kind` is the domain's (`home`, `number` …), or '' for a recording of anything, which only the stored questions hold out. `said` is what
    is to be repeated.
    """
    whole = folded(text)
    listed = {(split, "question") for s in {whole, folded(said)} if (split := _listed().get((lang, s)))}
    checked = {"string": whole, "sentence": folded(said)} if kind in BY_CHECKSUM else {}
    sums = {(CHECKSUMS[rest], what) for what, s in checked.items() if s and s not in closed(lang) and (rest := crc32(s.encode()) % 16) in CHECKSUMS}
    return frozenset(listed | parts(lang, kind, text) | sums)


def split_of(lang: str, kind: str, text: str, said: str = "") -> str:
    """`train`, `watch` or `test`: test where anything in it is."""
    found = {split for split, _ in reasons(lang, kind, text, said)}
    return next(split for split in reversed(SPLITS) if split in found or split == "train")
