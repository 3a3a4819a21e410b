"""Training and test questions have no string in common: by enumeration of all that training may say, and by what its generators do say."""

from __future__ import annotations

import random
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from training.data import domain, domain_en, domain_zh, held_out, orders, speakers, teacher
from training.data.domain import LANGUAGES, Domain
from training.data.draw_questions import NEW_REQUESTS
from training.data.held_out import folded, reasons, split_of
from training.data.question_sets import VERSIONS, hearing, questions

STORED = [row for version in VERSIONS for row in questions(version)]
NEW = [row for row in STORED if row["new"]]
TABLES = {"en": domain_en, "zh": domain_zh}


def orders_by_body(lang: str) -> dict[str, list[tuple[bool, bool]]]:
    """Folded body → (may have a lead, may have a tail) of each frame that makes it: with leads and tails, every order that can be drawn."""
    found: dict[str, list[tuple[bool, bool]]] = {}
    for body, frame, _ in orders.bodies(lang):
        found.setdefault(folded(body), []).append((orders.may_lead(frame), orders.may_tail(frame, lang)))
    return found


BODIES = {lang: orders_by_body(lang) for lang in LANGUAGES}
ENDS = {lang: [{"", *map(folded, [*some, *more])} for some, more in (orders.leads(lang), orders.tails(lang))] for lang in LANGUAGES}


def drawn_as_order(lang: str, text: str) -> bool:
    """Whether some frame, lead and tail make this very string."""
    whole = folded(text)
    for lead, tail in product(*ENDS[lang]):
        if whole.startswith(lead) and whole.endswith(tail) and len(whole) > len(lead) + len(tail):
            for led, tailed in BODIES[lang].get(whole[len(lead) : len(whole) - len(tail)], ()):
                if (led or not lead) and (tailed or not tail):
                    return True
    return False


def test_the_enumeration_is_of_what_is_drawn():
    for lang in LANGUAGES:
        assert len(BODIES[lang]) > 10_000
        rng, train = random.Random(1), Domain("train")
        for _ in range(400):
            assert drawn_as_order(lang, train.sample(rng, lang, "home").user)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_no_order_that_is_asked_can_be_trained(lang: str):
    """Some frames make strings that are asked: those are the ones that are turned away."""
    asked = [row for row in NEW if row["lang"] == lang and row["kind"] == "home"]
    made = [row for row in asked if drawn_as_order(lang, row["text"])]
    assert len(made) > 100, "nothing that is asked could be drawn: the enumeration enumerates nothing"
    assert [row["text"] for row in made if split_of(lang, "home", row["text"]) == "train"] == []


def test_the_first_version_leaked():
    """By which strings: what the model card says of it."""
    had = Counter((row["lang"], row["trained"]) for row in questions("v0") if row["kind"] == "home" and row["set"] == "spoken" and "trained" in row)
    assert had == {("en", "order"): 7, ("zh", "order"): 4}
    assert all(drawn_as_order(row["lang"], row["text"]) for row in questions("v0") if row.get("trained") == "order")


def test_the_demo_is_held_out():
    """The recordings of examples/audio are of the test sets, and their table says what they say."""
    table = (Path(__file__).parents[2] / "examples" / "audio" / "README.md").read_text(encoding="utf-8")
    question = next(row for row in questions("v0") if row["id"] == "t00021")
    assert "trained" not in question and question["text"] in table and question["voice"] in table
    assert split_of("zh", "home", question["text"]) != "train" and speakers.blend_split(question["voice"]) == "test"
    assert "7_theo_0.wav" in table and speakers.split("en-digits", "theo") == "test"
    assert {path.name for path in (Path(__file__).parents[2] / "examples" / "audio").glob("*.[fo]*")} == {"seven.flac", "nuanqi.opus"}


def test_no_other_question_can_be_trained():
    """Numbers, words, small talk and requests, of all frames and all that goes into them."""
    for lang, table in TABLES.items():
        fillings = {n: domain.number_words(n, lang) for n in range(101)}
        strings = [("number", frame.format(n=n)) for frame in table.NUMBERS for n in fillings.values()]
        strings += [("word", frame.format(w=word)) for frame in table.WORDS for word in domain_en.WORD_LIST]
        strings += [("talk", phrase) for _, phrases in table.TALK.values() for phrase in phrases]
        said = {row["slots"]["text"] for row in NEW if row["lang"] == lang and row["kind"] == "repeat"}
        requests = [(x, frame.format(x=x)) for frame in table.REPEAT + table.REPEAT_MORE + NEW_REQUESTS[lang] for x in said]
        asked = {folded(row["text"]) for row in NEW if row["lang"] == lang and row["kind"] != "home"}
        made = [(kind, "", s) for kind, s in strings if folded(s) in asked] + [("repeat", x, s) for x, s in requests if folded(s) in asked]
        assert len(made) > 50
        assert [s for kind, x, s in made if split_of(lang, kind, s, x) == "train"] == []


def test_what_the_generators_say_is_in_no_question():
    asked = {(row["lang"], folded(row["text"])) for row in NEW} | {(lang, folded(text)) for lang, text in hearing()}
    asked -= {(lang, text) for lang in LANGUAGES for text in held_out.closed(lang)}
    rng, train = random.Random(2), Domain("train")
    items = [train.sample(rng) for _ in range(8000)]
    assert {item.kind for item in items} == set(domain.KINDS)
    assert not asked & {(item.lang, folded(item.user)) for item in items}
    assert not [item.user for item in items if reasons(item.lang, item.kind, item.user, item.slots.get("text", ""))]
    assert not asked & {(job.lang, folded(job.text)) for job in teacher.jobs(600, 200) if job.corpus in ("domain-user", "domain-words")}


def test_sentences_to_be_repeated_are_new():
    new = {(row["lang"], row["slots"]["text"]) for row in questions("v1") if "sentence" in row["new"]}
    assert len(new) > 100
    for lang, text in new:
        assert held_out.split_of(lang, "", text) == "test", "a recording of it is no training data"
        assert domain.new_sentence(text, lang) != "train"
        assert tuple(text.split()) not in domain._word_runs(lang)


def test_held_out_parts_are_never_trained():
    """Verbs, word orders, leads and tails: of 4,000 trained orders none has one, and yet each is drawn for a test or a watch."""
    rng, train = random.Random(3), Domain("train")
    for _ in range(4000):
        item = train.sample(rng, kind="home")
        assert not held_out.parts(item.lang, "home", item.user), item.user
    for split in ("watch", "test"):
        for lang in LANGUAGES:
            found = Counter(what for _ in range(300) for s, what in held_out.parts(lang, "home", Domain(split).sample(rng, lang, "home").user) if s == split)
            assert {"verb", "order", "lead", "tail"} <= found.keys()


def test_requests_in_new_words_hold_a_held_out_part():
    for lang, requests in NEW_REQUESTS.items():
        for request in requests:
            assert ("test", "order") in held_out.parts(lang, "repeat", request.format(x="x"))
        assert not set(requests) & set(domain.repeat_frames(lang))
        assert not [f for f in domain.repeat_frames(lang) if held_out.parts(lang, "repeat", f.format(x="x"))]


def test_folding_is_of_the_whole_as_of_the_parts():
    assert folded("Could you, turn ON the Kitchen-light?") == "couldyouturnonthekitchenlight" == folded("could YOU") + folded(" turn on the kitchen light.")
    assert folded("打开，厨房的灯！") == "打开厨房的灯"
    assert folded("ｔｕｒｎ　ｏｎ") == "turnon"
    for text in ("Flip on the lamp!", "flip on, the LAMP", "Flip  on the lamp"):
        assert split_of("en", "home", text) == "test"


def test_splits_in_short():
    assert split_of("en", "number", "Seven.") == "train", "numbers are a closed set: the voice is what a test of them holds out"
    assert split_of("en", "home", "In the kitchen, turn on the light.") == "test"
    assert split_of("en", "home", "Click on the kitchen lamp.") == "watch"
    assert split_of("zh", "home", "将厨房的灯打开。") == "test"
    with pytest.raises(ValueError, match="train, watch, test"):
        Domain("all")


def test_the_new_questions_are_new():
    """No question of v1 that holds something out was asked in v0, and each says what is new in it."""
    old = {(row["lang"], folded(row["text"])) for row in questions("v0")}
    assert not old & {(row["lang"], folded(row["text"])) for row in questions("v1") if row["new"]}
    for row in questions("v1"):
        assert split_of(row["lang"], row["kind"], row["text"], row["slots"].get("text", "")) == ("test" if row["new"] else "train"), row["text"]
    strata = Counter((row["lang"], what) for row in questions("v1") if row["kind"] == "home" for what in row["new"])
    for lang in LANGUAGES:
        for what in ("verb", "order", "question", "string"):
            assert strata[lang, what] >= 40
        assert strata[lang, "lead"] + strata[lang, "tail"] >= 40
