"""What the teacher says for the head: Mandarin sentences by its test voices, and beginnings of sentences, which stop where more is to come.

    nice python -m training.endpoint.spoken --sentences 110 --beginnings 400

There are no Mandarin sentences of people, so the test's are those of voices that no training hears. Beginnings end at a word and are read with a comma or an
ellipsis, so that the voice stays up as that of somebody who thinks. Writes $MOSS_RUNS/endpoint/spoken (FLAC 24 kHz, manifest.jsonl). Appends and resumes.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator
from typing import NamedTuple

import soundfile

from ..data import speakers
from ..data.corpora import manifest_rows
from ..data.domain import Domain
from ..data.g2p import to_phonemes
from ..data.teacher import ENGLISH_VOICES, MANDARIN_VOICES, SAMPLE_RATE, Teacher
from ..folders import data_folder, runs_folder


class Job(NamedTuple):
    id: str
    lang: str
    kind: str  # sentence, beginning
    split: str
    text: str
    voice: str
    speed: float


def _mandarin_sentences() -> list[str]:
    """Sentences of two clauses that the teacher corpus does not have."""
    said = {row["text"] for row in manifest_rows(data_folder() / "teacher")}
    lines = (data_folder() / "text" / "crosswoz-short-utterances.txt").read_text(encoding="utf-8").split()
    return sorted({line for line in lines if line not in said and "，" in line[4:-3] and 10 <= len(line) <= 30})


def _beginning(rng: random.Random, words: list[str], joiner: str) -> str:
    return joiner.join(words[: rng.randint(1, len(words) - 1)])


def jobs(sentences: int, beginnings: int) -> Iterator[Job]:
    import jieba

    rng = random.Random(20261)
    mandarin = _mandarin_sentences()
    rng.shuffle(mandarin)
    test = [voice for voice in speakers.voices("test") if voice.startswith("z")]
    for n, text in enumerate(mandarin[:sentences]):
        yield Job(f"s{n:04d}", "zh", "sentence", "test", text, test[n % len(test)], rng.choice((0.85, 0.95, 1.0, 1.1)))
    domain = Domain("train", {"home": 0.6, "talk": 0.4})
    english = sorted({row["text"] for row in manifest_rows(data_folder() / "teacher") if row["lang"] == "en"})
    for n in range(beginnings):
        lang = ("en", "zh")[n % 2]
        text = ""
        while len(text) < (6 if lang == "en" else 2):
            if lang == "en":
                whole = rng.choice(english) if rng.random() < 0.5 else domain.sample(rng, "en").user
                text = _beginning(rng, whole.split(), " ") if " " in whole else ""
            else:
                whole = mandarin[sentences + rng.randrange(len(mandarin) - sentences)] if rng.random() < 0.6 else domain.sample(rng, "zh").user
                words = [word for word in jieba.lcut(whole)]
                text = _beginning(rng, words, "") if len(words) > 1 else ""
            text = text.rstrip(" ,.;:!?，。！？、")
        voice = rng.choice(ENGLISH_VOICES if lang == "en" else MANDARIN_VOICES)
        mark = rng.choice((",", "...")) if lang == "en" else rng.choice(("，", "…"))
        split = "valid" if n % 10 == 9 else "train"
        yield Job(f"b{n:04d}", lang, "beginning", split, text + mark, voice, rng.choice((0.8, 0.9, 1.0, 1.1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=110)
    parser.add_argument("--beginnings", type=int, default=400)
    args = parser.parse_args()
    folder = runs_folder() / "endpoint" / "spoken"
    folder.mkdir(parents=True, exist_ok=True)
    done = {row["id"] for row in manifest_rows(folder)}
    teacher, started = Teacher(), time.time()
    for job in jobs(args.sentences, args.beginnings):
        if job.id in done:
            continue
        speech = teacher.speak(to_phonemes(job.text, job.lang, job.voice.startswith("b")), job.voice, job.speed)
        soundfile.write(folder / f"{job.id}.flac", speech.audio.clip(-1, 1), SAMPLE_RATE, subtype="PCM_16")
        with (folder / "manifest.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({**job._asdict(), "file": f"{job.id}.flac"}, ensure_ascii=False) + "\n")
        print(job.id, job.text, f"{time.time() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
