"""Speech of the teacher with what its waveform generator is fed: the training data of nano's voice.

    python -m training.data.teacher_features [--hours 6] [--threads 1]

The teacher (Kokoro-82M, Apache-2.0) speaks sentences, replies, numbers, dates and single words in nano's eight voices and in blends of two of
them. For every clip, $MOSS_RUNS/voice-features keeps

- `manifest.jsonl`: id, lang, voice, speed, text, kind, phonemes, durations (frames of 25 ms, one a phoneme with the silences before and after),
  style_row, and where the clip lies: `start` and `frames` (12.5 ms each),
- `features.f16` [frames, 512]: the generator's input, `prosody.f32` [frames, 2]: F0 in Hz and energy,
- `audio.i16` [frames * 300]: what the teacher's own generator made of it, 24 kHz.

Appends and resumes: the job list is deterministic, and what a stopped run left half-written is cut off.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from pathlib import Path
from typing import Iterator, NamedTuple

import numpy as np

from ..folders import data_folder, runs_folder
from . import g2p, mandarin
from .corpora import manifest_rows
from .domain import number_words
from .teacher import SAMPLE_RATE, Teacher, _reply_texts, assemble_model
from .voices import NAMED_VOICES, language_of

FEATURES = "/decoder/decoder/decode.3/Div_4_output_0"  # [1, 512, T], T at 80 Hz
GENERATOR_STYLE = "/decoder/Slice_output_0"  # [1, 128]
CHANNELS = 512
FRAME = 300  # samples of a frame of features: 12.5 ms
FOLDER = "voice-features"
VOICES = {lang: [name for name in NAMED_VOICES if language_of(name) == lang] for lang in ("en", "zh")}
SHARES = {"sentence": 0.5, "reply": 0.15, "number": 0.08, "date": 0.06, "word": 0.14, "words": 0.07}
_MONTHS = "January February March April May June July August September October November December".split()
_WEEKDAYS = {"en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split(), "zh": list("一二三四五六日")}


class Job(NamedTuple):
    id: str
    lang: str
    kind: str
    text: str
    voice: str
    speed: float


def sentences_of(lang: str) -> list[str]:
    """Sentences of the teacher corpus, of the Arctic prompts and of Mandarin dialogues that are short enough for one breath."""
    texts = [row["text"] for row in manifest_rows(data_folder() / "teacher") if row["lang"] == lang]
    name = "arctic-prompts.txt" if lang == "en" else "crosswoz-short-utterances.txt"
    more = data_folder() / "text" / name
    texts += [line.strip() for line in more.read_text(encoding="utf-8").splitlines()] if more.exists() else []
    fits = re.compile(r"[A-Za-z][A-Za-z ,.'?!-]{8,110}" if lang == "en" else r"[一-鿿，。？！]{3,36}")
    return sorted({text for text in texts if fits.fullmatch(text)})


def _ordinal(day: int) -> str:
    words = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth".split()
    if day <= 20:
        return words[day - 1]
    return "thirtieth" if day == 30 else f"{'twenty' if day < 30 else 'thirty'}-{words[day % 10 - 1]}"


def _year(year: int) -> str:
    if 2000 <= year < 2010:
        return "two thousand" + (f" {number_words(year % 10, 'en')}" if year % 10 else "")
    rest = year % 100
    tail = "hundred" if rest == 0 else f"oh {number_words(rest, 'en')}" if rest < 10 else number_words(rest, "en")
    return f"{number_words(year // 100, 'en')} {tail}"


def _date(rng: random.Random, lang: str) -> str:
    """A date or a time of day, written as it is read."""
    year, month, day, hour, minute = rng.randint(1900, 2039), rng.randint(1, 12), rng.randint(1, 31), rng.randint(1, 12), rng.randint(0, 59)
    if lang == "en":
        clock = number_words(hour, lang) + (" o'clock" if minute == 0 else f" oh {number_words(minute, lang)}" if minute < 10 else f" {number_words(minute, lang)}")
        return rng.choice((
            f"{_MONTHS[month - 1]} {_ordinal(day)}, {_year(year)}.", f"It is {clock}.", f"Today is {rng.choice(_WEEKDAYS[lang])}, {_MONTHS[month - 1]} {_ordinal(day)}.",
            f"The {_ordinal(day)} of {_MONTHS[month - 1]}.", f"At {clock} in the {rng.choice(('morning', 'afternoon', 'evening'))}.",
        ))  # fmt: skip
    digits = "".join(number_words(int(d), lang) for d in str(year))
    word = lambda n: number_words(n, lang)  # noqa: E731
    clock = f"{'两' if hour == 2 else word(hour)}点" + ("整" if minute == 0 else f"零{word(minute)}分" if minute < 10 else f"{word(minute)}分")
    return rng.choice((
        f"{digits}年{word(month)}月{word(day)}号。", f"现在是{clock}。", f"今天是{word(month)}月{word(day)}日，星期{rng.choice(_WEEKDAYS[lang])}。", f"{rng.choice(('早上', '下午', '晚上'))}{clock}。",
    ))  # fmt: skip


def _number(rng: random.Random, lang: str) -> str:
    """Single numbers, small and large, and runs of digits as telephone numbers have them."""
    form = rng.random()
    if form < 0.3:
        return number_words(rng.randint(0, 12), lang)
    if form < 0.7:
        return number_words(rng.choice((rng.randint(0, 100), rng.randint(100, 999), rng.randint(1000, 99999))), lang)
    joint = " " if lang == "en" else ""
    return joint.join(number_words(rng.randint(0, 9), lang) for _ in range(rng.randint(3, 8)))


def _words(lang: str) -> list[str]:
    return g2p.dictionary_words() if lang == "en" else [word for length in (1, 2, 3, 4) for word in mandarin.dictionary_words(length)[:6000]]


def _voice(rng: random.Random, lang: str) -> str:
    """A named voice, or one time in eight a blend of two, so that voices may be mixed."""
    first = rng.choice(VOICES[lang])
    if rng.random() < 0.875:
        return first
    second = rng.choice([voice for voice in VOICES[lang] if voice != first])
    weight = rng.choice((0.3, 0.5, 0.7))
    return f"{first}*{weight}+{second}*{round(1 - weight, 1)}"


def _punctuated(rng: random.Random, text: str, lang: str) -> str:
    """A word or a number as an utterance of its own: mostly with a full stop, sometimes bare, asked or exclaimed."""
    mark = rng.choices(("." if lang == "en" else "。", "", "?" if lang == "en" else "？", "!" if lang == "en" else "！"), (6, 2, 1, 1))[0]
    return (text[0].upper() + text[1:] if lang == "en" else text) + mark


def jobs() -> Iterator[Job]:
    """Without end, the languages in turn; every sentence before one comes again."""
    rng = random.Random(20261)
    replies: dict[str, list[str]] = {"en": [], "zh": []}
    for lang, text in _reply_texts(random.Random(20262)):
        replies[lang].append(text)
    sentences, words = {lang: sentences_of(lang) for lang in VOICES}, {lang: _words(lang) for lang in VOICES}
    for lang in VOICES:
        rng.shuffle(sentences[lang])
    at = {"en": 0, "zh": 0}
    count = 0
    while True:
        lang = ("en", "zh")[count % 2]
        kind = rng.choices(list(SHARES), list(SHARES.values()))[0]
        if kind == "sentence":
            text = sentences[lang][at[lang] % len(sentences[lang])]
            at[lang] += 1
        elif kind == "reply":
            text = rng.choice(replies[lang])
        elif kind == "number":
            text = _punctuated(rng, _number(rng, lang), lang)
        elif kind == "date":
            text = _date(rng, lang)
        elif kind == "word":
            text = _punctuated(rng, rng.choice(words[lang]), lang)
        else:
            run = rng.sample(words[lang], rng.randint(2, 6))
            text = _punctuated(rng, (", " if rng.random() < 0.3 else " ").join(run) if lang == "en" else "，".join(run), lang)
        yield Job(f"v{count:06d}", lang, kind, text, _voice(rng, lang), rng.choice((0.85, 0.95, 1.0, 1.0, 1.0, 1.0, 1.1, 1.2)))
        count += 1


class FeatureTeacher(Teacher):
    """The teacher with its generator's input as a further output."""

    def __init__(self, threads: int = 1):
        super().__init__(threads)
        import onnx
        import onnxruntime

        path = runs_folder() / "kokoro-js" / "kokoro-int8-features.onnx"
        if not path.exists():
            model = onnx.load(str(assemble_model(path.parent)))
            model.graph.output.append(onnx.helper.make_tensor_value_info(FEATURES, onnx.TensorProto.FLOAT, [1, CHANNELS, "t"]))
            onnx.save(model, str(path))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def features(self, phonemes: str, voice: str, speed: float) -> tuple[np.ndarray, np.ndarray, list[int], np.ndarray, int]:
        """Features [T, 512], prosody [T, 2], durations, audio [300 T] and the row of the voice's table that spoke."""
        from .teacher import LABELS

        tokens = [self._vocabulary[p] for p in phonemes]
        row = min(len(tokens), 509)
        inputs = {"tokens": np.array([[0, *tokens, 0]], np.int64), "style": self.voice(voice)[row : row + 1], "speed": np.array([speed], np.float32)}
        audio, durations, f0, energy, features = self._session.run([self._session.get_outputs()[0].name, *LABELS, FEATURES], inputs)
        frames = features.shape[2]
        prosody = np.stack([f0.reshape(-1)[:frames], energy.reshape(-1)[:frames]], 1).astype(np.float32)
        sound = np.zeros(frames * FRAME, np.float32)
        sound[: audio.size] = audio.reshape(-1)[: sound.size]
        return features[0].T, prosody, np.round(durations).astype(int).reshape(-1).tolist(), sound, row


class Store:
    """The folder that the clips are appended to."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        manifest = folder / "manifest.jsonl"
        lines = manifest.read_text(encoding="utf-8").splitlines(keepends=True) if manifest.exists() else []
        rows = [json.loads(line) for line in lines if line.endswith("\n")]
        manifest.write_text("".join(line for line in lines if line.endswith("\n")), encoding="utf-8")
        self.done = {row["id"] for row in rows}
        self.frames = sum(row["frames"] for row in rows)
        self._files = {name: open(folder / name, "ab") for name in ("features.f16", "prosody.f32", "audio.i16")}
        for name, size in (("features.f16", 2 * CHANNELS), ("prosody.f32", 8), ("audio.i16", 2 * FRAME)):
            self._files[name].truncate(self.frames * size)
        self._manifest = open(manifest, "a", encoding="utf-8")

    def add(self, job: Job, phonemes: str, made: tuple[np.ndarray, np.ndarray, list[int], np.ndarray, int]) -> float:
        """Appends a clip; returns its seconds. The manifest's line comes last, so that a line stands for a whole clip."""
        features, prosody, durations, audio, row = made
        features.astype(np.float16).tofile(self._files["features.f16"])
        prosody.tofile(self._files["prosody.f32"])
        (np.clip(audio, -1, 1) * 32767).round().astype(np.int16).tofile(self._files["audio.i16"])
        for file in self._files.values():
            file.flush()
        line = {**job._asdict(), "phonemes": phonemes, "durations": durations, "style_row": row, "start": self.frames, "frames": len(features)}
        self._manifest.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._manifest.flush()
        self.frames += len(features)
        return len(audio) / SAMPLE_RATE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=6, help="stop when there is so much speech")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    teacher, store = FeatureTeacher(arguments.threads), Store(runs_folder() / FOLDER)
    made, seconds, started = 0, 0.0, time.time()
    for job in jobs():
        if store.frames * FRAME / SAMPLE_RATE >= arguments.hours * 3600:
            break
        if job.id in store.done:
            continue
        phonemes = g2p.to_phonemes(job.text, job.lang, british=job.voice[0] == "b")
        if not phonemes.strip() or len(phonemes) > 400:
            continue
        seconds += store.add(job, phonemes, teacher.features(phonemes, job.voice, job.speed))
        made += 1
        if made % 50 == 0:
            spent = time.time() - started
            print(f"{made} clips, {seconds / 60:.1f} min of speech in {spent / 60:.1f} min (RTF {spent / seconds:.2f})", flush=True)
    print(f"{made} clips made, {store.frames * FRAME / SAMPLE_RATE / 3600:.2f} h in all")


if __name__ == "__main__":
    main()
