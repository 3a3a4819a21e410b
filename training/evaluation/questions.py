"""The held-out questions: recordings of people, the teacher's test voices with held-out phrasings, and typed ones."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from ..data import domain_en, domain_zh
from ..data.corpora import Record, records
from ..data.domain import Domain, Item, is_test, mandarin_words, number_words, repeat_item, repeatable
from ..data.units import ids_to_text
from ..encoder_data import spoken
from ..lm_data import item_of

TYPED_KINDS = ("number", "home", "talk", "word", "repeat")
NEW_REQUESTS = {  # to say {x} again, in ways that are not trained
    "en": ["say this: {x}", "repeat this after me: {x}", "say these words: {x}", "now repeat: {x}", "I want you to say: {x}"],
    "zh": ["说这个：{x}", "跟我重复：{x}", "现在跟我说：{x}", "你说：{x}", "把这句话说一遍：{x}"],
}


@dataclass(frozen=True)
class Question:
    id: str
    item: Item  # question and right answer
    path: str = ""  # of the recording; '' for a typed question
    said: str = ""  # the recording's units

    @property
    def right_units(self) -> str:
        """What must be heard in the reply: phonemes and tones, without stress, pauses and word borders."""
        return spoken(self.item.reply_units)

    def job(self, output: str = "both") -> dict[str, str]:
        return {"id": self.id, "output": output, **({"speech": str(Path(self.path).resolve())} if self.path else {"text": self.item.user})}


def spread(items: list, limit: int, key) -> list:
    """At most `limit` of them, drawn by checksum: always the same ones. 0 takes all."""
    chosen = sorted(items, key=lambda item: crc32(key(item).encode()))
    return chosen[:limit] if limit else chosen


def _questions(found: list[Record], limit: int) -> list[Question]:
    out = []
    for record in spread(found, limit, lambda r: r.id):
        row = record.to_json()
        item = item_of({"text": "", "meta": {}, **row})
        if item is not None:
            out.append(Question(record.id, item, record.path, spoken(ids_to_text(record.ids))))
    return out


def spoken_sets(limit: int) -> dict[str, list[Question]]:
    """By name: `digits` (human), `home.en`, `home.zh` (teacher), `words.en` (human), `other.en`, `other.zh`, `repeat.en`, `repeat.zh` (teacher)."""
    test = [r for r in records(("en-digits", "en-words", "domain-test")) if r.split == "test"]
    domain = [r for r in test if r.corpus == "domain-test"]
    sets = {"digits": [r for r in test if r.corpus == "en-digits"]}
    for lang in ("en", "zh"):
        sets[f"home.{lang}"] = [r for r in domain if r.lang == lang and r.meta["kind"] == "home" and r.meta.get("phrasing") == "test"]
    sets["words.en"] = [r for r in test if r.corpus == "en-words"]
    for lang in ("en", "zh"):
        sets[f"other.{lang}"] = [r for r in domain if r.lang == lang and r.meta["kind"] not in ("home", "repeat")]
        sets[f"repeat.{lang}"] = [r for r in domain if r.lang == lang and r.meta["kind"] == "repeat"]
    return {name: _questions(found, limit) for name, found in sets.items()}


def typed_sets(limit: int) -> dict[str, list[Question]]:
    """`typed.en`, `typed.zh`: held-out phrasings of every kind, `limit` (0: 200) a language."""
    domain, sets = Domain("test"), {}
    for lang in ("en", "zh"):
        rng, unique = random.Random(11), {}
        for _ in range(50 * (limit or 200)):
            item = domain.sample(rng, lang, TYPED_KINDS[len(unique) % len(TYPED_KINDS)])
            unique.setdefault(item.user, item)
            if len(unique) == (limit or 200):
                break
        sets[f"typed.{lang}"] = [Question(f"typed.{lang}/{i}", item) for i, item in enumerate(unique.values())]
    return sets


def typed_repeats(limit: int) -> dict[str, list[Question]]:
    """What is to be said again, `limit` (0: 200) of each: `en.numbers`, `en.words`, `en.trained sentences`, `en.new sentences`, `zh.numbers` …

    It is asked for in ways that training never saw; the new sentences are held out too.
    """
    sets = {}
    for lang, table in (("en", domain_en), ("zh", domain_zh)):
        rng = random.Random(12)
        texts = {
            "numbers": [number_words(n, lang) for n in range(101)],
            "words": domain_en.WORD_LIST if lang == "en" else [word for word, _ in mandarin_words()],
            "trained sentences": [s for s in table.SENTENCES if not is_test(s)],
            "new sentences": list(dict.fromkeys(s for s in repeatable(lang) if is_test(s))),
        }
        for name, options in texts.items():
            items = [repeat_item(rng.choice(NEW_REQUESTS[lang]), text, lang) for text in spread(options, limit or 200, str)]
            sets[f"{lang}.{name}"] = [Question(f"repeat.{lang}.{name}/{i}", item) for i, item in enumerate(items)]
    return sets


def human_mandarin(speaker: str, limit: int) -> list[Record]:
    """The recordings of one of the two human Mandarin speakers, at most four syllables each."""
    corpus = {"chenwang": "zh-syllables", "yuetan": "zh-words"}[speaker]
    return spread([r for r in records((corpus,)) if r.speaker == speaker and 1 <= len(r.pinyin.split()) <= 4], limit, lambda r: r.id)
