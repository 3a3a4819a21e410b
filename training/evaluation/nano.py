"""What nano can do, measured on the shipped GGUF through the library, on speakers and sentences held out of training.

    python -m training.evaluation.nano                                   # 200 clips a set
    python -m training.evaluation.nano --limit 0 --json eval.json --card # everything; also into models/README.md, where rows that were not measured stay
    python -m training.evaluation.nano --sets digits,home --limit 20
    python -m training.evaluation.nano --questions v1 --limit 0          # the new questions: once, when a candidate is chosen; LOOKS keeps count

Of the questions, those that training had too (v0: some) are not counted in a set's own row, and counted in a row beside it. A right answer is judged on the units that are spoken: phonemes and tones, without stress, pauses and word borders, must be those of the
canonical reply. Proportions have Wilson intervals, error rates bootstrap intervals over clips. The tone rows are measured with models
of the two folds, each of which never heard the speaker it is judged on (`encoder.train --fold a` and `b`); the shipped model may have
heard both. Bars are reported, not enforced: the exit status is 0 whenever there was something to measure.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

from ..data.edit_distance import distance
from ..data.prepare import decode
from ..data.question_sets import FOLDER, VERSIONS
from ..encoder.examples import spoken
from ..folders import data_folder, runs_folder
from . import judging, questions
from .questions import Question
from .report import Row, components_markdown, error_rate, merged, plain, share, write_card
from .tones import fold_encoder, score
from .turns import ROOT, Library, Turn

SETS = ("digits", "home", "words", "other", "repeat", "typed", "written", "transcripts", "tones", "readback", "speed")
FOLDS = {"chenwang": ("a", "trained on yuetan"), "yuetan": ("b", "trained on chenwang")}
LOOKS = FOLDER / "looks.jsonl"  # each evaluation on questions that are to be looked at once
SPEED_TURNS = 12
STRATA_NAMES = {"verb": "verbs", "order": "word orders", "lead": "polite leads", "tail": "tails", "question": "words, by hand", "string": "combinations of trained parts"}


class Evaluation:
    def __init__(self, args: argparse.Namespace):
        self.args = args
        self.sets = set(args.sets.split(","))
        if unknown := self.sets - set(SETS):
            raise SystemExit(f"there is no set {', '.join(sorted(unknown))}; there are {', '.join(SETS)}")
        self.bars: list[Row] = []
        self.more: list[Row] = []
        self.log: list[dict[str, Any]] = []  # every turn, for --json
        self.skipped: list[str] = []
        self.replies: dict[str, list[tuple[str, str]]] = {"en": [], "zh": []}  # (text, wav)
        self.home_replies: list[tuple[str, str]] = []
        self.spoken_turns: list[tuple[Question, Turn]] = []
        self.info: dict[str, Any] = {}

    def ask(self, library: Library, name: str, asked: list[Question], output: str) -> list[tuple[Question, Turn]]:
        done = library.run([q.job(output) for q in asked], f"{name} → {output}")
        pairs = [(q, done[q.id]) for q in asked]
        for q, t in pairs:
            self.log.append({"set": name, "output": output, "want": q.item.reply, "want_units": q.right_units, "right": spoken(t.units) == q.right_units, **vars(t)})
        return pairs

    @staticmethod
    def right(title: str, pairs: list[tuple[Question, Turn]], bar: float | None = None, all_: bool = False) -> Row:
        """How many answers are spoken exactly right, of the questions that training did not have, or of all."""
        counted = [(q, t) for q, t in pairs if all_ or not (q.trained and q.new)]
        return share(title, sum(spoken(t.units) == q.right_units for q, t in counted), len(counted), bar)

    def answers(self, library: Library) -> None:
        """Speech → speech, of every spoken set."""
        heard: dict[str, list[tuple[int, int]]] = {}
        spoken_sets = questions.spoken_sets(self.args.questions, self.args.limit)
        titles = {
            "digits": ("human English digits (theo, nicolas): right answer", 0.90),
            "home.en": ("home commands, English: exactly right answer", 0.85),
            "home.zh": ("home commands, Mandarin: exactly right answer", 0.80),
            "words.en": ("human English words (yes, left, bed …): right answer", None),
            "other.en": ("other questions of the domain, English: right answer", None),
            "other.zh": ("other questions of the domain, Mandarin: right answer", None),
            "bare.en": ("numbers said in trained ways, English, in new voices: right answer", None),
            "bare.zh": ("numbers said in trained ways, Mandarin, in new voices: right answer", None),
            "repeat.en": ("what is to be said again, spoken, English: exactly right", None),
            "repeat.zh": ("what is to be said again, spoken, Mandarin: exactly right", None),
        }
        for name, (title, bar) in titles.items():
            if name.split(".")[0].replace("bare", "other") not in self.sets:
                continue
            asked = spoken_sets[name]
            rows = self.bars if bar else self.more
            if not asked:
                self.skipped.append(f"{name}: no held-out recordings (data in {data_folder()}, synthesized sets in {runs_folder()})")
                rows.append(Row(title, None, bar=bar, note="no data"))
                continue
            pairs = self.ask(library, name, asked, "both")
            rows.append(self.right(title, pairs, bar))
            if had := [q for q in asked if q.trained and q.new]:
                self.more.append(self.right(f"{name}: with the {len(had)} that training had too", pairs, all_=True))
            for stratum in questions.STRATA if self.args.questions != "v0" and name.startswith("home") else ():
                self.more.append(self.right(f"{name}: new {STRATA_NAMES[stratum]}", [(q, t) for q, t in pairs if q.stratum == stratum]))
            agree = sum(judging.same_text(t.text, q.item.reply) for q, t in pairs)
            self.more.append(share(f"{name}: the text written beside the speech is right", agree, len(pairs)))
            wrong = heard.setdefault(name, [])
            for q, t in pairs:
                if t.error:
                    continue
                wrong.append((distance(list(q.said), list(spoken(t.heard.get("units", "")))), len(q.said)))
                if name.startswith("repeat"):  # anybody's words: neither as long as the domain's replies nor what they sound like
                    continue
                if t.wav and t.text:
                    self.replies[judging.language(t.text)].append((t.text, t.wav))  # of the reply: an English word may be taken for Mandarin
                    if name == "home.zh":
                        self.home_replies.append((t.text, t.wav))
                self.spoken_turns.append((q, t))
            if name.startswith("repeat"):
                self.more.append(error_rate(f"{name}: units said again wrong", [(distance(list(q.right_units), list(spoken(t.units))), len(q.right_units)) for q, t in pairs], "units"))
        for name, wrong in heard.items():
            self.more.append(error_rate(f"{name}: units heard wrong (encoder)", wrong, "units"))

    def modes(self, library: Library) -> None:
        """The other three modes, and transcripts."""
        if "written" in self.sets:
            found = questions.spoken_sets(self.args.questions, self.args.limit // 2)
            for name in ("digits", "home.en", "home.zh"):
                asked = [q for q in found[name] if not q.trained]
                pairs = self.ask(library, name, asked, "text") if asked else []
                self.more.append(share(f"speech → text, {name}: right answer", sum(judging.same_text(t.text, q.item.reply) for q, t in pairs), len(pairs)))
        if "typed" in self.sets:
            for name, asked in questions.typed_sets(self.args.questions, self.args.limit).items():
                asked = [q for q in asked if not q.trained]
                pairs = self.ask(library, name, asked, "text")
                self.more.append(share(f"text → text, {name[-2:]}: right answer", sum(judging.same_text(t.text, q.item.reply) for q, t in pairs), len(pairs)))
                pairs = self.ask(library, name, asked[: len(asked) // 2 or 1], "speech")
                self.more.append(share(f"text → speech, {name[-2:]}: right answer", sum(spoken(t.units) == q.right_units for q, t in pairs), len(pairs)))
        if "repeat" in self.sets:
            for name, asked in questions.typed_repeats(self.args.questions, self.args.limit).items():
                pairs = self.ask(library, f"repeat.{name}", asked, "both")
                for title, some in self.apart(f"what is to be said again, typed, {name}", pairs):
                    written = sum(judging.same_text(t.text, q.item.reply) for q, t in some)
                    self.more.append(share(f"{title}: exactly right", sum(spoken(t.units) == q.right_units for q, t in some), len(some), note=f"as text {written}"))
        if "transcripts" in self.sets:
            found = questions.spoken_sets(self.args.questions, self.args.limit // 2)
            for lang in ("en", "zh"):
                asked = [q for q in found[f"home.{lang}"] + found[f"other.{lang}"] if not q.trained]
                done = library.run([{**q.job(), "job": "transcribe"} for q in asked], f"transcripts {lang}")
                pairs = []
                for q in asked:
                    want, got = (judging.words(s, lang) for s in (q.item.user, done[q.id].heard.get("text", "")))
                    pairs.append((distance(want, got), len(want)))
                self.more.append(error_rate(f"transcripts, {lang}: wrong", pairs, "words" if lang == "en" else "characters"))

    def tones(self) -> None:
        for speaker, (fold, trained) in FOLDS.items():
            title = f"Mandarin tone, {speaker}'s {'syllables' if speaker == 'chenwang' else 'words'}, never trained on"
            given = getattr(self.args, f"fold_{speaker}")
            path = given or fold_encoder(fold)
            found = questions.human_mandarin(speaker, self.args.limit)
            if path is None or not path.exists() or not found:
                missing = "no recordings" if not found else f"no encoder of fold {fold} in the runs or among the published checkpoints" if path is None else f"no {path}"
                self.skipped.append(f"tones of {speaker}: {missing}")
                self.bars.append(Row(title, None, bar=0.88, note="not measured for this fold"))
                continue
            right, n, heard = score(path, speaker, found)
            self.bars.append(share(title, right, n, 0.88, f"fold {fold}, {trained}" if given is None else f"--fold-{speaker}"))
            self.log += [{"set": f"tones.{speaker}", "id": r.id, "want": r.pinyin, "heard": heard[r.id], "text": r.text} for r in found]

    @staticmethod
    def apart(title: str, pairs: list[tuple[Question, Turn]]) -> list[tuple[str, list[tuple[Question, Turn]]]]:
        """The questions whose new sentence training had too in a row of their own."""
        had = [(q, t) for q, t in pairs if q.trained == "sentence"]
        return [(title, [(q, t) for q, t in pairs if q.trained != "sentence"]), *([(f"{title}, said by training recordings", had)] if had else [])]

    def read_back(self) -> None:
        from ..data.asr_judge import Judge

        judge = Judge(self.args.threads)
        read: dict[str, str] = {}

        def reading(wav: str, lang: str) -> str:
            if wav not in read:
                read[wav] = judge.read(decode(wav), lang)
            return read[wav]

        rows = (("en", "English replies read back by whisper-base: WER", 0.15, "words"), ("zh", "Mandarin replies read back by whisper-base: CER", 0.25, "characters"))
        for lang, title, bar, of in rows:
            chosen = judging.spread_replies(self.replies[lang], self.args.read_back)
            pairs, toneless = [], []
            for i, (text, wav) in enumerate(chosen):
                got = reading(wav, lang)
                pairs.append(judging.read_back_errors(text, got, lang))
                if lang == "zh":
                    want = judging.syllables(text)
                    toneless.append((distance(want, judging.syllables(got)), len(want)))
                self.log.append({"set": f"readback.{lang}", "wav": wav, "want": text, "read": got, "errors": pairs[-1]})
                if sys.stderr.isatty():
                    print(f"\rread back {lang}: {i + 1}/{len(chosen)} ", end="\n" if i + 1 == len(chosen) else "", file=sys.stderr, flush=True)
            pinyin = sum(bool(judging.LATIN.search(text)) for text, _ in chosen)
            note = f"{pinyin} replies that spell pinyin: by toneless syllable" if lang == "zh" and pinyin else ""
            self.bars.append(error_rate(title, pairs, of, bar, note))
            if lang == "zh":
                self.more.append(error_rate("the same Mandarin replies by toneless syllable", toneless, "syllables"))
                home = judging.spread_replies(self.home_replies, self.args.read_back)
                plain_pairs = [judging.read_back_errors(text, reading(wav, "zh"), "zh") for text, wav in home]
                self.more.append(error_rate("Mandarin home-command replies: CER by character", plain_pairs, "characters"))

    def speed(self) -> None:
        """Whole turns, speech to speech; the same turns again on one thread."""
        turns = [(q, t) for q, t in self.spoken_turns if t.seconds > 0]
        turns = turns[:: max(1, len(turns) // SPEED_TURNS)][:SPEED_TURNS]
        if not turns:
            self.skipped.append("speed: no spoken turns to time (it needs digits or home)")
            self.bars.append(Row("whole turn, RTF on 2 threads: median", None, "", bar=0.5, higher=False))
            return
        for threads in (2, 1):
            with Library(self.args.model, threads) as library:
                asked = [q.job("speech") for q, _ in turns]
                library.run(asked[:1], "warm-up")
                began = os.times()
                done = [t for t in library.run(asked, f"speed, {threads} threads").values() if t.seconds > 0]
                load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
            rates = sorted(t.timings["totalMs"] / 1000 / t.seconds for t in done)
            quartiles = statistics.quantiles(rates, n=4) if len(rates) > 1 else [rates[0]] * 3
            note = f"quartiles; load average {load:.1f} on {os.cpu_count()} CPUs, {os.times().elapsed - began.elapsed:.0f} s"
            row = Row(f"whole turn, RTF on {threads} thread{'s' if threads > 1 else ''}: median", statistics.median(rates), "", quartiles[0], quartiles[2], f"{len(rates)} turns", higher=False, note=note)
            if threads == 2:
                row.bar = 0.5
                self.bars.append(row)
                self.more.append(Row("processor seconds of all threads per second of input and reply, 2 threads", statistics.median(t.cpuSeconds / t.seconds for t in done), "", n=f"{len(done)} turns", higher=False))
                self.more.append(Row("first audio of the reply after", statistics.median(t.timings["firstAudioMs"] for t in done), "ms", n=f"{len(done)} turns", higher=False, note="from the start of the computation, 2 threads"))
            else:
                self.more.append(row)

    def run(self) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            wavs = self.args.replies or Path(temporary)
            with Library(self.args.model, self.args.threads, wavs.resolve()) as library:
                self.info = library.info
                self.answers(library)
                self.modes(library)
            if "tones" in self.sets:
                self.tones()
            if "readback" in self.sets:
                self.read_back()
        size = self.args.model.stat().st_size
        self.bars.append(Row("whole bundle", size / 1e6, "MB", n="1 file", bar=50, higher=False))
        if "speed" in self.sets:
            self.speed()


def write_down_look(args: argparse.Namespace) -> None:
    """What has been looked at is no longer new: the card says how often."""
    look = {"questions": args.questions, "date": time.strftime("%Y-%m-%d"), "model": hashlib.sha256(args.model.read_bytes()).hexdigest(), "sets": args.sets, "limit": args.limit}
    with open(LOOKS, "a", encoding="utf-8") as log:
        log.write(json.dumps(look) + "\n")
    with open(LOOKS, encoding="utf-8") as log:
        print(f"look {sum(1 for line in log if json.loads(line)['questions'] == args.questions)} at the questions {args.questions}, written down in {LOOKS}: commit it", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(prog="evaluation.nano", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "nano.gguf")
    parser.add_argument("--questions", choices=VERSIONS, default="v0", help="v0: those that nano was made with; v1: to be looked at once, which is written down in looks.jsonl")
    parser.add_argument("--limit", type=int, default=200, help="clips a set, always the same ones; 0: all")
    parser.add_argument("--sets", default=",".join(SETS), help=f"of {', '.join(SETS)} (default: all)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--read-back", type=int, default=60, help="replies a language that whisper reads; 0: all")
    parser.add_argument("--fold-chenwang", type=Path, metavar="MODEL", help="an encoder checkpoint or bundle that never heard chenwang (default: fold a's, of the runs or published)")
    parser.add_argument("--fold-yuetan", type=Path, metavar="MODEL", help="the same for yuetan (default: fold b's)")
    parser.add_argument("--replies", type=Path, help="a folder to keep the spoken replies in")
    parser.add_argument("--json", type=Path, help="all rows and every turn")
    parser.add_argument("--card", type=Path, nargs="?", const=ROOT / "models" / "README.md", help="writes the tables into the model card (default: models/README.md)")
    args = parser.parse_args()
    if not args.model.exists():
        raise SystemExit(f"there is no model at {args.model}")

    began = time.time()
    evaluation = Evaluation(args)
    if args.questions != "v0":
        write_down_look(args)
    try:
        evaluation.run()
    except RuntimeError as error:
        raise SystemExit(str(error)) from error
    print(f"{args.model.name}, {time.strftime('%Y-%m-%d')}, limit {args.limit or 'none'}, {time.time() - began:.0f} s\n")
    print(plain(evaluation.bars), end="\n\n")
    print(plain(evaluation.more))
    for line in evaluation.skipped:
        print(f"skipped: {line}")
    if args.json:
        result = {"model": evaluation.info, "limit": args.limit, "bars": [r.to_json() for r in evaluation.bars], "more": [r.to_json() for r in evaluation.more]}
        args.json.write_text(json.dumps(result | {"skipped": evaluation.skipped, "turns": evaluation.log}, ensure_ascii=False, indent=1), encoding="utf-8")
    if args.card:
        tables = {"bars": evaluation.bars, "measured": evaluation.more}
        write_card(args.card, {name: partial(merged, rows=rows) for name, rows in tables.items()} | {"components": lambda _: components_markdown(evaluation.info)})


if __name__ == "__main__":
    main()
