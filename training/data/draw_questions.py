"""Draws the test questions of a version, once: `python -m training.data.draw_questions`. Needs the corpora, whose sentences it must not ask for.

    spoken, by the teacher's test voices, of each language
      home     200: 40 each whose words, polite lead or tail, word order, or verb is never trained, and 40 by hand (written_questions.py)
      number   30 in held-out words, and 20 bare ones, where the voice alone is new
      talk     48 by hand
      repeat   30 sentences that no training data says (English ones by hand), half of them asked for in a new way
    typed
      word     30 in held-out words (English), of words that no recording says (Mandarin)
      repeat   up to 20 numbers, 20 words, 20 trained sentences and 30 new ones, asked for in new ways

Whatever is drawn here `held_out` keeps out of training from then on. A version that is there is never drawn again: what has been looked at is no
longer new.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from . import domain_en, domain_zh, held_out, speakers, written_questions
from .corpora import records
from .domain import LANGUAGES, Domain, Item, _as_question, _sentence, mandarin_words, number_reply, number_words, repeat_frames, repeat_item, repeatable
from .question_sets import FOLDER, hearing, questions

VERSION, SEED = "v1", 20261201
TABLES = {"en": domain_en, "zh": domain_zh}
NEW_REQUESTS = {  # to say {x} again; held_out.PARTS knows them
    "en": ["say this: {x}", "repeat this after me: {x}", "say these words: {x}", "now repeat: {x}", "I want you to say: {x}"],
    "zh": ["说这个：{x}", "跟我重复：{x}", "现在跟我说：{x}", "你说：{x}", "把这句话说一遍：{x}"],
}
SPEEDS = (0.9, 1.0, 1.0, 1.1)


def whats(item: Item) -> set[str]:
    """What of it is held out for a test."""
    return {what for split, what in held_out.reasons(item.lang, item.kind, item.user, item.slots.get("text", "")) if split == "test"}


class Questions:
    def __init__(self, rng: random.Random):
        self.rng, self.rows, self.asked = rng, [], set()
        self.before = {(row["lang"], held_out.folded(row["text"])) for row in questions("v0")} | {(lang, held_out.folded(text)) for lang, text in hearing()}

    def add(self, set_: str, item: Item, new: set[str], **voice: Any) -> bool:
        """False where it was asked before."""
        key = (item.lang, held_out.folded(item.user))
        if (set_, *key) in self.asked or (new and key in self.before):
            return False
        self.asked.add((set_, *key))
        ids = f"{VERSION}.{len(self.rows):04d}" if voice else f"{set_}/{sum(row['set'] == set_ for row in self.rows)}"
        row = {"set": set_, "id": ids, "lang": item.lang, "kind": item.kind, "text": item.user, "reply": item.reply, "slots": item.slots}
        self.rows.append(row | voice | {"new": sorted(new)})
        return True

    def spoken(self, item: Item, new: set[str]) -> bool:
        voices = [v for v in speakers.voices("test") if (v[0] == "z") == (item.lang == "zh")]
        return self.add("spoken", item, new, voice=self.rng.choice(voices), speed=self.rng.choice(SPEEDS))

    def draw(self, count: int, make: Callable[[], Item], new: Callable[[Item], set[str] | None], add: Callable[[Item, set[str]], bool]) -> None:
        """`count` of what `make` gives and `new` takes (None: it does not)."""
        left = count
        for _ in range(100_000):
            if left == 0:
                return
            item = make()
            found = new(item)
            left -= found is not None and add(item, found)
        raise ValueError(f"only {count - left} of {count} found, the last {item.user}")


def written(lang: str) -> Iterator[Item]:
    for text, device, room, action in written_questions.ORDERS[lang]:
        reply = TABLES[lang].home_reply(device, room, action)
        yield Item(lang, _sentence(text, lang, _as_question(text, lang)), reply, "home", {"device": device, "action": action, "room": room})
    for topic, phrases in written_questions.TALK[lang].items():
        for phrase in phrases:
            yield Item(lang, _sentence(phrase, lang, _as_question(phrase, lang)), TABLES[lang].TALK[topic][0], "talk", {"topic": topic})


def draw(drawn: Questions, lang: str) -> None:
    rng, test = drawn.rng, Domain("test")
    for stratum in ("string", "lead", "order", "verb"):
        wanted = {"lead", "tail"} if stratum == "lead" else {stratum}

        def of_stratum(item: Item, wanted: set[str] = wanted) -> set[str] | None:
            """Held out by this, and by nothing else but its checksum."""
            found = whats(item)
            return found if (found - {"string"} or found) <= wanted else None

        drawn.draw(40, lambda: test.sample(rng, lang, "home"), of_stratum, drawn.spoken)
    for item in written(lang):
        if not drawn.spoken(item, {"question"}):
            raise ValueError(f"{item.user} twice")
    drawn.draw(30, lambda: test.sample(rng, lang, "number"), whats, drawn.spoken)
    for n in rng.sample(range(101), 20):
        drawn.spoken(Item(lang, _sentence(number_words(n, lang), lang), number_reply(n, lang), "number", {"n": n}), set())

    recorded = {held_out.folded(r.text) for r in records() if r.corpus != "domain-test"}
    if lang == "zh":
        words = [w for w, _ in mandarin_words()]
        sentences = [s for s in dict.fromkeys(repeatable(lang)) if ("test", "sentence") in held_out.reasons(lang, "repeat", s, s)]
    else:
        words, sentences = domain_en.WORD_LIST, written_questions.SENTENCES
    chosen = rng.sample([s for s in sentences if held_out.folded(s) not in recorded and s not in TABLES[lang].SENTENCES], 60)
    trained = [s for s in TABLES[lang].SENTENCES if not held_out.reasons(lang, "repeat", s, s)]
    texts = {"numbers": [number_words(n, lang) for n in range(101)], "words": words, "trained sentences": trained, "new sentences": chosen[30:]}
    ways = [NEW_REQUESTS[lang], repeat_frames(lang)]
    for i, text in enumerate(chosen[:30]):
        item = repeat_item(rng.choice(ways[i % 2]), text, lang)
        drawn.spoken(item, whats(item) | {"sentence"})
    drawn.draw(30, lambda: test.sample(rng, lang, "word"), whats, lambda item, new: drawn.add(f"typed.{lang}", item, new))
    for name, options in texts.items():
        for text in options if name == "new sentences" else rng.sample(options, 20):
            item = repeat_item(rng.choice(NEW_REQUESTS[lang]), text, lang)
            drawn.add(f"repeat.{lang}.{name}", item, whats(item) | ({"sentence"} if name == "new sentences" else set()))


def main() -> None:
    path = FOLDER / f"{VERSION}.jsonl"
    if path.exists():
        raise SystemExit(f"{path} is there: questions are drawn once")
    if sum(1 for _ in records(("teacher", "en-kathleen", "zh-words"))) < 10_000:
        raise SystemExit("the corpora are not there: their sentences must not be asked for")
    drawn = Questions(random.Random(SEED))
    for lang in LANGUAGES:
        draw(drawn, lang)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in drawn.rows), encoding="utf-8")
    print(f"{len(drawn.rows)} questions in {path}")


if __name__ == "__main__":
    main()
