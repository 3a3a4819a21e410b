"""Sentences spoken by nano's voices through the library and by their teacher, and what the judges say of the recordings.

Recordings of the teacher, and the opinion on every recording that was judged, are kept in $MOSS_RUNS/speech: only what is new is spoken and judged.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import soundfile
import soxr

from ..data.asr_judge import MANDARIN_PROMPT
from ..data.edit_distance import distance
from ..data.g2p import to_phonemes
from ..data.held_out import folded
from ..data.teacher import SAMPLE_RATE, Teacher
from ..folders import runs_folder
from .judging import LATIN, read_back_errors, syllables
from .numerals import spellings
from .sentences import Sentence
from .turns import Library

QUIET = 40  # decibels below the loudest 10 ms from which on nothing is said
SILENT = -120.0  # decibels that stand for nothing at all


@dataclass
class Recording:
    """`speaker` is the teacher or a bundle; `mos` and `read` are there once it is judged."""

    speaker: str
    voice: str
    sentence: Sentence
    wav: Path
    mos: float = 0.0
    read: str | None = None  # by whisper-base

    @cached_property
    def audio(self) -> tuple[np.ndarray, int]:
        """Samples and their rate."""
        return soundfile.read(self.wav, dtype="float32")

    @property
    def heard(self) -> str:
        """What whisper read; nothing where it only repeats how it was prompted, as it does with single Mandarin words, the teacher's too."""
        echo = self.sentence.lang == "zh" and folded(MANDARIN_PROMPT).startswith(folded(self.read))
        return "" if echo else self.read

    @property
    def errors(self) -> tuple[int, int]:
        """(wrong, all): words or characters; toneless syllables where a sentence spells pinyin."""
        return min(read_back_errors(self.sentence.text, spelled, self.sentence.lang) for spelled in spellings(self.heard, self.sentence.lang))

    @property
    def wrong_syllables(self) -> tuple[int, int]:
        """(wrong, all) toneless syllables of Mandarin, whose characters may be homophones."""
        want = syllables(self.sentence.text)
        return min((distance(want, syllables(spelled)), len(want)) for spelled in spellings(self.heard, "zh"))

    def to_json(self) -> dict:
        read = {} if self.read is None else {"read": self.read, "errors": self.errors}
        return {"speaker": self.speaker, "voice": self.voice, **self.sentence._asdict(), "mos": round(self.mos, 3), **read, **asdict(levels(*self.audio))}


@dataclass
class Levels:
    """Decibels of full scale. `speech` is the mean power while something is said, whatever the pauses; `floor` that of the quietest twentieth; `ends` the louder one of
    the first and last 5 ms."""

    seconds: float
    speech: float
    peak: float
    floor: float
    ends: float


def _decibels(power: float) -> float:
    return round(max(SILENT, 10 * float(np.log10(power + 1e-30))), 2)


def levels(audio: np.ndarray, rate: int) -> Levels:
    frame = rate // 100
    power = np.square(audio[: len(audio) // frame * frame].astype(np.float64)).reshape(-1, frame).mean(1)
    said = power[power > power.max() * 10 ** (-QUIET / 10)]
    quietest = np.sort(power)[: max(1, len(power) // 20)]
    ends = (np.square(part.astype(np.float64)).mean() for part in (audio[: frame // 2], audio[-(frame // 2) :]))
    return Levels(round(len(audio) / rate, 3), _decibels(said.mean()), _decibels(np.abs(audio).max() ** 2), _decibels(quietest.mean()), _decibels(max(ends)))


Asked = Sequence[tuple[Sentence, str]]  # with the voice that is to say it


def folder() -> Path:
    return runs_folder() / "speech"


def spoken_by_teacher(asked: Asked, threads: int = 1) -> list[Recording]:
    """In 16-bit files at 24 kHz."""
    kept, teacher, made = folder() / "teacher", None, []
    kept.mkdir(parents=True, exist_ok=True)
    for sentence, voice in asked:
        phonemes = to_phonemes(sentence.text, sentence.lang, british=voice[0] == "b")
        wav = kept / f"{voice}-{hashlib.sha256(phonemes.encode()).hexdigest()[:16]}.wav"
        if not wav.exists():
            teacher = teacher or Teacher(threads)
            soundfile.write(wav, np.clip(teacher.speak(phonemes, voice, 1.0).audio, -1, 1), SAMPLE_RATE, subtype="PCM_16")
        made.append(Recording("teacher", voice, sentence, wav))
    return made


def spoken_by_bundle(name: str, bundle: Path, asked: Asked, wavs: Path, threads: int = 1) -> list[Recording]:
    """In files in `wavs`. Raises RuntimeError where a sentence cannot be said."""
    with Library(bundle, threads, wavs.resolve()) as library:
        jobs = [{"id": f"{i:03d}-{voice}", "job": "speak", "text": sentence.text, "voice": voice} for i, (sentence, voice) in enumerate(asked)]
        turns = library.run(jobs, name)
    if failed := next((turn for turn in turns.values() if turn.error), None):
        raise RuntimeError(f"{name}: {failed.error}")
    return [Recording(name, voice, sentence, Path(turns[job["id"]].wav)) for (sentence, voice), job in zip(asked, jobs)]


def judge(recordings: Sequence[Recording], reading: bool = True) -> None:
    """Sets what distillmos and, with `reading`, whisper-base say of each."""
    log = folder() / "judged.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    known: dict[str, dict] = {}
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
        row = json.loads(line)
        known[row["sha256"]] = known.get(row["sha256"], {}) | row
    opinion = whisper = None
    with open(log, "a", encoding="utf-8") as kept:
        for i, recording in enumerate(recordings):
            audio, rate = recording.audio
            key = hashlib.sha256(recording.wav.read_bytes() + recording.sentence.lang.encode()).hexdigest()
            row = {"sha256": key} | known.get(key, {})
            before = dict(row)
            if "mos" not in row:
                if opinion is None:
                    from . import opinion as judges

                    opinion = judges.judge()
                row["mos"] = opinion(audio, rate)
            if reading and "read" not in row:
                if whisper is None:
                    from ..data.asr_judge import Judge

                    whisper = Judge()
                row["read"] = whisper.read(soxr.resample(audio, rate, 16000), recording.sentence.lang)
            if row != before:
                kept.write(json.dumps(row, ensure_ascii=False) + "\n")
                kept.flush()
            recording.mos, recording.read = row["mos"], row.get("read")
            if sys.stderr.isatty():
                print(f"\rjudged: {i + 1}/{len(recordings)} ", end="\n" if i + 1 == len(recordings) else "", file=sys.stderr, flush=True)


def has_pinyin(recording: Recording) -> bool:
    return bool(LATIN.search(recording.sentence.text)) and recording.sentence.lang == "zh"
