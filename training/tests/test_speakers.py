"""Only listed speakers are trained on, and no recording that says a held-out question."""

from __future__ import annotations

import json

import numpy as np
import pytest

from training.data import corpora as corpora_module
from training.data import prepare, speakers, voices
from training.data.corpora import records, split_of
from training.data.question_sets import questions
from training.decoder.examples import load_corpus
from training.encoder.examples import Corpora
from training.encoder.train import FOLDS, admitted
from training.lm.examples import Spoken, Turns, item_of
from training.networks.config import DecoderConfig

from .conftest import people, teacher_clips


def test_who_is_listed():
    assert speakers.split("en-digits", "jackson") == "train"
    assert speakers.split("en-digits", "theo") == "test"
    assert speakers.split("en-wake", "wake-alexa_0") == "train"
    assert speakers.split("domain-digits", "espeak-en-us+m1") == "train"
    assert speakers.split("domain-test", "af_heart") == "test", "a stored question is no training data, whoever says it"


@pytest.mark.parametrize(
    ("corpus", "speaker"),
    [("en-digits", "george"), ("en-digits", ""), ("en-kathleen", "somebody"), ("zh-words", "yuetan2"), ("en-wake", "jackson"), ("a-new-corpus", "jackson"), ("bursts", "burst-999"), ("teacher", "af_new"), ("domain-synth", "festival-kal")],
)
def test_who_is_not_listed_is_unknown(corpus: str, speaker: str):
    assert speakers.split(corpus, speaker) == "unknown"


def test_blends_hold_what_their_parts_hold():
    assert speakers.blend_split("af_heart*0.4+af_bella*0.6") == "train"
    assert speakers.blend_split("af_heart*0.9+af_nova*0.1") == "test"
    assert speakers.blend_split("af_heart*0.9+af_new*0.1") == "unknown"
    for voice in ("af_nova", "af_new", "af_heart*0.5+af_new*0.5"):
        with pytest.raises(ValueError, match=r"speakers\.json"):
            voices.voice_vector(voice)


def test_no_speaker_is_on_two_sides():
    for corpus, lists in json.loads(speakers.PATH.read_text(encoding="utf-8")).items():
        assert not set(lists["train"]) & set(lists.get("test", [])), corpus


@pytest.fixture
def strangers(corpora):
    """A speaker whom no list names, of each kind of corpus, and a listed one who says a question of the tests."""
    data, _ = corpora
    people(data, "en-digits", [{"speaker": "george", "text": "seven", "id": "x"}])
    people(data, "en-wake", [{"text": "alexa", "id": "w0"}, {"text": "alexa", "speaker": "george", "id": "w1"}])
    sentence = next(row["slots"]["text"] for row in questions("v1") if row["lang"] == "en" and "sentence" in row["new"])
    people(data, "en-kathleen", [{"speaker": "kathleen", "text": sentence, "id": "k0"}, {"speaker": "kathleen", "text": "We walked along the river.", "id": "k1"}, {"speaker": "karen", "text": "We walked along the river.", "id": "k2"}])
    return corpora


def test_a_stranger_in_a_manifest_is_not_trained_on(strangers):
    splits = {record.id: record.split for record in records()}
    assert splits["en-digits/x"] == splits["en-wake/w1"] == splits["en-kathleen/k2"] == "unknown"
    assert splits["en-kathleen/k0"] == "held out"
    assert splits["en-wake/w0"] == "train" and splits["en-kathleen/k1"] in ("train", "valid")


def test_no_trainer_takes_strangers_or_test_speakers(strangers):
    _, runs = strangers
    prepare.append(None)
    index = json.loads((runs / "audio16k.json").read_text(encoding="utf-8"))
    for record in index["records"]:
        record["split"] = "train"  # as an index says that is older than the lists
    (runs / "audio16k.json").write_text(json.dumps(index), encoding="utf-8")
    store = prepare.AudioStore()
    refused = {record["id"] for record in store.records if record["split"] not in corpora_module.TRAINED}
    assert {"en-digits/x", "en-wake/w1", "en-kathleen/k0", "en-kathleen/k2", "en-digits/p4", "en-digits/p7"} <= refused
    for fold in FOLDS:
        taken = admitted(Corpora(runs).clips, fold, 1.0)
        assert taken and not refused & {clip.key for clip in taken}
    assert not refused & {u.key for u in load_corpus(store, "teacher", DecoderConfig(unit_count=70), 8)}
    from training.data.template import Template
    import random

    states = [Spoken(record, item_of(record), [np.zeros((8, 4), np.float16)]) for record in store.records]
    turns = Turns(Template(), states, random.Random(1))
    heard = {s.record["id"] for some in (*turns.said.values(), *turns.others.values()) for s in some}
    assert heard and not refused & heard


def test_a_new_voice_of_the_teacher_is_not_trained_on(corpora):
    data, _ = corpora
    for file in (data / "teacher").iterdir():
        file.unlink()
    teacher_clips(data, [("af_heart", "en", "Hello."), ("af_heart*0.5+af_unheard*0.5", "en", "Hello."), ("bm_lewis", "en", "Hello.")])
    assert [record.split for record in records(("teacher",))] == ["train", "unknown", "test"]


def test_split_of_reads_what_a_question_asks_to_have_repeated():
    row = next(row for row in questions("v1") if "sentence" in row["new"])
    record = {"corpus": "domain-user", "speaker": "af_heart", "lang": row["lang"], "text": row["text"], "meta": {"kind": "repeat", "slots": row["slots"]}}
    assert split_of(record) == "held out"
