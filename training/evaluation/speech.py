"""How nano's voices sound beside their teacher's: predicted opinion, what whisper-base reads back, and levels, of sentences that the voice never had.

    python -m training.evaluation.speech                                                     # models/nano.gguf
    python -m training.evaluation.speech --bundle nano=models/nano.gguf --bundle "nano v0=old.gguf" --precise voice-f32.gguf --json speech.json

Each language's default voice says its 40 sentences (sentences.tsv), every other voice the first 12 of its language; the teacher says the same. Bundles after
the first say the default voices' sentences only. `--precise` is a file of the first bundle's voice in F32 or F16, which says the first 20: what INT8 costs.

Prints Markdown tables. Means and error rates have 95 % bootstrap intervals over sentences; differences are of the same sentence. A numeral that whisper writes
in digits may be read in any usual way (numerals.py). Single words are not counted in error rates, as whisper guesses them (it reads one of the teacher's five
Mandarin words): they have rows of their own by kind.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..data.voices import DEFAULT_VOICE, NAMED_VOICES, language_of
from . import sentences
from .judging import error_interval
from .recordings import Recording, has_pinyin, judge, levels, spoken_by_bundle, spoken_by_teacher
from .report import Row, error_rate, markdown
from .turns import ROOT

LANGUAGES = {"en": "English", "zh": "Mandarin"}
BARS = {"en": (4.1, 0.05), "zh": (3.7, 0.08)}  # opinion and errors of the default voices
VOICE_BARS = {"en": 3.8, "zh": 3.6}  # or the teacher's own less 0.2
WORSE_BAR = 0.01  # errors more than the teacher
INT8_BAR = -0.05
PRECISE = 20  # sentences a language that tell what INT8 costs


def asked_of(voice: str) -> list[tuple[sentences.Sentence, str]]:
    lang = language_of(voice)
    return [(sentence, voice) for sentence in sentences.sentences(lang, None if voice == DEFAULT_VOICE[lang] else sentences.SHORT)]


def mean(what: str, values: Sequence[float], bar: float | None = None, note: str = "") -> Row:
    """With its bootstrap interval: each sentence counts once."""
    return Row(what, float(np.mean(values)), "", *error_interval([(value, 1) for value in values]), n=f"{len(values)} clips", bar=bar, note=note)


def readable(recordings: Sequence[Recording]) -> list[Recording]:
    """What whisper can be asked to read back: more than a word."""
    return [r for r in recordings if r.sentence.kind != "word"]


class Evaluation:
    """`recordings` of the teacher and of the bundles, whose names are `names`, the first being the one that is judged."""

    def __init__(self, names: Sequence[str], recordings: Sequence[Recording], precise: Sequence[Recording] = ()):
        self.names, self.recordings, self.precise = names, recordings, precise

    def of(self, speaker: str, voice: str, kind: str | None = None) -> list[Recording]:
        return [r for r in self.recordings if (r.speaker, r.voice) == (speaker, voice) and kind in (None, r.sentence.kind)]

    def default_voices(self) -> list[Row]:
        """Opinion and errors of each language's default voice, whoever speaks."""
        rows = []
        for lang, voice in DEFAULT_VOICE.items():
            name, (opinion_bar, error_bar) = LANGUAGES[lang], BARS[lang]
            said = {speaker: self.of(speaker, voice) for speaker in (*self.names, "teacher")}
            for speaker, clips in said.items():
                rows.append(mean(f"{name}, {voice}, {speaker}: distillmos", [r.mos for r in clips], opinion_bar if speaker == self.names[0] else None))
            differences = [ours.mos - theirs.mos for ours, theirs in zip(said[self.names[0]], said["teacher"], strict=True)]
            rows.append(mean(f"{name}, {voice}: {self.names[0]} less the teacher", differences))
            rate, of = ("CER", "characters") if lang == "zh" else ("WER", "words")
            said = {speaker: readable(clips) for speaker, clips in said.items()}
            for speaker, clips in said.items():
                pinyin = sum(map(has_pinyin, clips))
                note = f"{pinyin} sentences that spell pinyin: by toneless syllable" if pinyin else ""
                rows.append(error_rate(f"{name}, {voice}, {speaker}: read back, {rate}", [r.errors for r in clips], of, error_bar if speaker == self.names[0] else None, note))
            pairs = list(zip(said[self.names[0]], said["teacher"], strict=True))
            rows.append(error_rate(f"{name}, {voice}: {self.names[0]} less the teacher, {rate}", [(a.errors[0] - b.errors[0], b.errors[1]) for a, b in pairs], of, WORSE_BAR))
            for speaker, clips in said.items() if lang == "zh" else ():
                rows.append(error_rate(f"{name}, {voice}, {speaker}: read back by toneless syllable", [r.wrong_syllables for r in clips], "syllables"))
        return rows

    def int8(self) -> list[Row]:
        """What the types of the weights cost: each sentence in the bundle's against the precise file's."""
        rows = []
        for lang, voice in DEFAULT_VOICE.items():
            precise = [r for r in self.precise if r.voice == voice]
            shipped = {r.sentence: r for r in self.of(self.names[0], voice)}
            differences = [shipped[r.sentence].mos - r.mos for r in precise]
            if precise:
                rows.append(mean(f"{LANGUAGES[lang]}, {voice}: {self.names[0]} less its weights in {precise[0].speaker}, distillmos", differences, INT8_BAR, f"farthest {max(differences, key=abs):+.2f}"))
        return rows

    def voices(self) -> str:
        """All voices of the first bundle beside the teacher's."""
        header = "voice,clips,distillmos,teacher,difference,95 %,bar,,WER or CER,teacher,speech dBFS,teacher,peak,floor,ends,seconds,teacher"
        lines = []
        for voice in NAMED_VOICES:
            ours, theirs = (self.of(speaker, voice) for speaker in (self.names[0], "teacher"))
            opinions = [float(np.mean([r.mos for r in clips])) for clips in (ours, theirs)]
            difference = mean("", [a.mos - b.mos for a, b in zip(ours, theirs, strict=True)])
            bar = min(VOICE_BARS[language_of(voice)], opinions[1] - 0.2)
            errors = [error_rate("", [r.errors for r in readable(clips)], "").value for clips in (ours, theirs)]
            level, level_there = ([levels(*r.audio) for r in clips] for clips in (ours, theirs))
            average = lambda all_, name: float(np.mean([getattr(one, name) for one in all_]))  # noqa: E731
            cells = [
                voice, len(ours), *(f"{o:.2f}" for o in opinions), f"{difference.value:+.2f}", f"{difference.low:+.2f} – {difference.high:+.2f}", f"≥ {bar:.2f}",
                "PASS" if opinions[0] >= bar else "MISS", *(f"{100 * e:.1f} %" for e in errors), *(f"{average(all_, 'speech'):.1f}" for all_ in (level, level_there)),
                f"{max(one.peak for one in level):.1f}", f"{average(level, 'floor'):.0f}", f"{max(one.ends for one in level):.0f}", *(f"{average(all_, 'seconds'):.2f}" for all_ in (level, level_there)),
            ]  # fmt: skip
            lines.append(cells)
        return table(header.split(","), lines)

    def kinds(self) -> str:
        """The default voices' sentences by kind."""
        lines = []
        for lang, voice in DEFAULT_VOICE.items():
            for kind in dict.fromkeys(sentence.kind for sentence in sentences.sentences(lang)):
                said = [self.of(speaker, voice, kind) for speaker in (*self.names, "teacher")]
                opinions = [f"{np.mean([r.mos for r in clips]):.2f}" for clips in said]
                errors = ["{}/{}".format(*np.sum([r.errors for r in clips], 0)) for clips in said]
                lines.append([LANGUAGES[lang], kind, len(said[0]), *opinions, *errors])
        speakers = (*self.names, "teacher")
        return table(["language", "kind", "clips", *(f"{s}: distillmos" for s in speakers), *(f"{s}: wrong" for s in speakers)], lines)

    def markdown(self) -> str:
        parts = [markdown(self.default_voices()), *([markdown(self.int8())] if self.precise else []), self.voices(), self.kinds()]
        return "\n\n".join(parts)

    def to_json(self) -> dict:
        rows = {"default": [r.to_json() for r in self.default_voices()], "int8": [r.to_json() for r in self.int8()]}
        return rows | {"recordings": [r.to_json() for r in (*self.recordings, *self.precise)]}


def table(header: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in (header, ["---"] * len(header), *lines))


def named_bundle(argument: str) -> tuple[str, Path]:
    """NAME=FILE"""
    name, equals, path = argument.partition("=")
    if not (name and equals and Path(path).exists()):
        raise argparse.ArgumentTypeError(f"NAME=FILE of a bundle that exists, not {argument}")
    return name, Path(path)


def evaluated(bundles: Sequence[tuple[str, Path]], precise: Path | None, wavs: Path, threads: int) -> Evaluation:
    default, all_ = ([pair for voice in voices for pair in asked_of(voice)] for voices in (DEFAULT_VOICE.values(), NAMED_VOICES))
    recordings = spoken_by_teacher(all_, threads)
    for i, (name, path) in enumerate(bundles):
        recordings += spoken_by_bundle(name, path, default if i else all_, wavs / str(i), threads)
    short = [pair for voice in DEFAULT_VOICE.values() for pair in asked_of(voice)[:PRECISE]]
    exact = spoken_by_bundle(precise.stem, precise, short, wavs / "precise", threads) if precise else []
    judge(recordings)
    judge(exact, reading=False)
    return Evaluation([name for name, _ in bundles], recordings, exact)


def main() -> None:
    parser = argparse.ArgumentParser(prog="evaluation.speech", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=named_bundle, action="append", metavar="NAME=FILE", help="the first one is judged, others stand beside it (default: nano=models/nano.gguf)")
    parser.add_argument("--precise", type=Path, help="the first bundle's voice in F32 or F16 (training.export.bundle --type f32)")
    parser.add_argument("--wavs", type=Path, help="a folder to keep the recordings in")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="all rows and every recording")
    args = parser.parse_args()
    began = time.time()
    try:
        print(f"none of the {sentences.check_new()} texts that the voice was trained with is among the sentences\n")
    except FileNotFoundError as missing:
        print(f"not compared with what the voice was trained with: there is no {missing.filename}\n")
    with tempfile.TemporaryDirectory() as temporary:
        evaluation = evaluated(args.bundle or [("nano", ROOT / "models" / "nano.gguf")], args.precise, args.wavs or Path(temporary), args.threads)
        print(evaluation.markdown())
        if args.json:
            args.json.write_text(json.dumps(evaluation.to_json(), ensure_ascii=False, indent=1), encoding="utf-8")
    print(f"\n{time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
