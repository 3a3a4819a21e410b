"""The sentences that judge the voice are new to it, and what is said of them is right."""

from __future__ import annotations

import random
from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np
import soundfile

from training.data.teacher import _reply_texts
from training.data.voices import DEFAULT_VOICE, NAMED_VOICES
from training.evaluation.decoder import SENTENCES
from training.evaluation.numerals import spellings
from training.evaluation.recordings import Recording, levels
from training.evaluation.sentences import SHORT, Sentence, sentences, shared
from training.evaluation.speech import Evaluation, asked_of


def test_forty_sentences_a_language_and_the_first_of_every_kind():
    for lang in ("en", "zh"):
        chosen = sentences(lang)
        assert len(chosen) == len(set(chosen)) == 40
        assert {s.kind for s in sentences(lang, SHORT)} == set(Counter(s.kind for s in chosen)) == {"reply", "sentence", "question", "number", "date", "word"}


def test_no_sentence_is_a_reply_that_the_voice_was_trained_with():
    """Those of both decoders, and those that the older evaluation reads."""
    chosen = sentences("en") + sentences("zh")
    trained = [text for seed in (20253, 20262) for _, text in _reply_texts(random.Random(seed))]
    assert shared(chosen, trained + SENTENCES["en"] + SENTENCES["zh"]) == []
    assert shared(chosen, [chosen[0].text.upper().replace(",", " ")]) == [chosen[0].text]


def test_numerals_may_be_said_in_any_usual_way():
    said = [" ".join(text.split()) for text in spellings("On the 21st 412 came.", "en")]
    assert "On the twenty-first four hundred and twelve came." in said and "On the twenty-first four one two came." in said
    assert {"两千三百六十", "二三六零"} <= set(spellings("2360", "zh"))
    assert spellings("nothing to spell", "en") == ["nothing to spell"]


def test_errors_are_the_fewest_of_all_spellings():
    recording = lambda lang, text, read: Recording("nano", "x", Sentence(lang, "number", text), Path(), read=read)  # noqa: E731
    assert recording("en", "Four hundred and twelve people.", "412 people").errors == (0, 5)
    assert recording("en", "Four hundred and twelve people.", "412 purple").errors == (1, 5)
    assert recording("zh", "她有两千块。", "他有2000块").errors == (1, 5)
    assert recording("zh", "她有两千块。", "他有2000块").wrong_syllables == (0, 5)
    assert recording("zh", "雨伞。", "以下是普通话。").errors == (2, 2), "an echo of the prompt is nothing heard"


def test_levels_do_not_depend_on_pauses():
    rate = 24000
    tone = 0.5 * np.sin(2 * np.pi * 200 * np.arange(rate) / rate)
    alone, paused = levels(tone, rate), levels(np.concatenate([tone, np.zeros(rate)]), rate)
    assert abs(alone.speech - paused.speech) < 0.1 and abs(alone.speech - 20 * np.log10(0.5 / np.sqrt(2))) < 0.1
    assert (paused.seconds, paused.floor) == (2, -120) and abs(paused.peak + 6.02) < 0.01


def test_tables(tmp_path: Path):
    """Nano scores 0.5 less than the teacher and reads one word wrong."""
    wav = tmp_path / "tone.wav"
    soundfile.write(wav, 0.1 * np.sin(np.arange(24000) / 10), 24000)
    recordings = []
    for speaker, voice in product(("nano", "teacher"), NAMED_VOICES):
        for sentence, _ in asked_of(voice):
            recordings.append(Recording(speaker, voice, sentence, wav, 4.0 if speaker == "nano" else 4.5, sentence.text))
    recordings[0].read = "What?"
    precise = [Recording("F32", voice, sentence, wav, 4.01) for voice in DEFAULT_VOICE.values() for sentence, _ in asked_of(voice)[:SHORT]]
    evaluation = Evaluation(["nano"], recordings, precise)
    rows = {row.what: row for row in evaluation.default_voices() + evaluation.int8()}
    assert rows["English, af_heart: nano less the teacher"].value == -0.5
    assert rows["English, af_heart, nano: distillmos"].verdict == "MISS" and rows["Mandarin, zf_xiaoxiao, nano: distillmos"].verdict == "PASS"
    assert rows["English, af_heart, nano: read back, WER"].value > 0 == rows["English, af_heart, teacher: read back, WER"].value
    assert rows["English, af_heart: nano less its weights in F32, distillmos"].verdict == "PASS"
    lines = evaluation.markdown().splitlines()
    assert sum(line.startswith("| am_michael | 12 | 4.00 | 4.50 | -0.50 |") for line in lines) == 1
    widths = {line.count("|") for line in evaluation.voices().splitlines()}
    assert len(widths) == 1 and len(evaluation.to_json()["recordings"]) == len(recordings) + len(precise)
