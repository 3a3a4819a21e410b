"""What the head learns from: the encoder's states at pauses where the speaker has finished, and at pauses where more is to come.

    nice python -m training.endpoint.examples --bundle models/nano.gguf --encoder training/checkpoints/encoder-shipped.pt

Complete are the ends of turns, and single words. Incomplete are

- the pauses within turns, as recorded or lengthened;
- cuts: a turn is broken off where a word ends (the teacher's) or between syllables (people's), and its background follows;
- beginnings of sentences that the teacher reads.

Writes $MOSS_RUNS/endpoint/{train,valid,test}.pt. The test's and the choice's are undegraded pauses alone, at the time a live session asks.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..data import speakers
from ..data.augment import Augment
from ..data.corpora import manifest_rows
from ..data.prepare import decode
from ..encoder.speech_encoder import FRAME, SpeechEncoder, load_encoder
from ..folders import data_folder, runs_folder
from ..loop import checkpoint
from ..loop.precision import autocast
from ..networks.config import EndpointConfig
from .turns import AFTER, SAMPLE_RATE, WINDOW, Turn, continued, pauses, speech_end, speech_start, turns

PRE_ROLL = 0.3  # seconds before the speech that belong to a turn, as lib/live/options.ts has it
ASKED_AFTER = 7 * WINDOW  # samples of silence: 200 ms, in whole windows
FRAMES = EndpointConfig().frames  # kept before the question
TRAINED = ("en-coffee", "en-kathleen", "en-digits", "teacher", "spoken")
WORDS = (("en-wake", 200), ("zh-words", 250))  # corpora of single words, and how many of them


@dataclass
class Example:
    wave: np.ndarray  # from the turn's first sample to the question
    complete: bool
    kind: str
    corpus: str
    id: str


def questions(turn: Turn, after: int = ASKED_AFTER) -> Iterator[tuple[int, bool]]:
    """(sample, complete) of the questions that a live session asks in a turn: at each pause that is long enough."""
    for pause in pauses(turn.probabilities):
        if pause.resume is None or pause.resume - pause.stop >= after:
            yield pause.stop + after, turn.complete and pause.stop + after > turn.end * SAMPLE_RATE


def first_sample(turn: Turn) -> int:
    return max(0, speech_start(turn.probabilities) - int(PRE_ROLL * SAMPLE_RATE))


def kind_of(turn: Turn, complete: bool) -> str:
    if complete:
        return "end"
    return "lengthened" if turn.lengthened else "pause" if turn.complete else "beginning"


def asked(turn: Turn) -> Iterator[Example]:
    """The questions of a turn as they are asked."""
    begin = first_sample(turn)
    for at, complete in questions(turn):
        yield Example(turn.wave[begin:at], complete, kind_of(turn, complete), turn.corpus, turn.id)


def dips(wave: np.ndarray, begin: float, end: float) -> list[float]:
    """Seconds at which the level has a minimum of 100 ms before and behind: between syllables and words."""
    hop = SAMPLE_RATE // 100
    frames = wave[: len(wave) // hop * hop].reshape(-1, hop)
    level = np.convolve(10 * np.log10((frames**2).mean(1) + 1e-8), np.ones(3) / 3, "same")
    inside = range(max(10, int(begin * 100)), min(len(level) - 10, int(end * 100)))
    return [i / 100 for i in inside if level[i] == level[i - 10 : i + 11].min() and level[i] < np.percentile(level, 90) - 12]


def broken_off(turn: Turn, rng: np.random.Generator) -> Example | None:
    """The turn cut at a word, with its own background behind."""
    begin = speech_start(turn.probabilities) / SAMPLE_RATE
    places = [place for place in turn.words or dips(turn.wave, begin + 0.3, turn.end - 0.25) if begin + 0.25 < place < turn.end - 0.2]
    if not places:
        return None
    cut = int(places[rng.integers(len(places))] * SAMPLE_RATE)
    fade = SAMPLE_RATE // 60
    spoken = turn.wave[:cut].copy()
    spoken[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)
    background = turn.wave[int((turn.end + 0.1) * SAMPLE_RATE) :]
    silence = int(rng.uniform(0.2, 0.5) * SAMPLE_RATE)
    start = rng.integers(0, len(background) - silence)
    return Example(np.concatenate([spoken, background[start : start + silence]])[first_sample(turn) :], False, "cut", turn.corpus, turn.id)


def learned(turn: Turn, rng: np.random.Generator) -> Iterator[Example]:
    """What training makes of a turn: its questions, somewhat sooner or later, and a cut."""
    begin = first_sample(turn)
    for pause in pauses(turn.probabilities):
        after = int(rng.uniform(0.16, 0.45) * SAMPLE_RATE)
        if pause.resume is None or pause.resume - pause.stop >= after:
            complete = turn.complete and pause.stop + after > turn.end * SAMPLE_RATE
            if complete and turn.lengthened and rng.random() < 0.5:
                continue  # it is the same end again
            yield Example(turn.wave[begin : pause.stop + after], complete, kind_of(turn, complete), turn.corpus, turn.id)
    if turn.complete and not turn.lengthened and (example := broken_off(turn, rng)):
        yield example


def single_words(rng: np.random.Generator) -> Iterator[Example]:
    for corpus, count in WORDS:
        folder = data_folder() / corpus
        rows = [row for row in manifest_rows(folder) if speakers.split(corpus, row.get("speaker", f"wake-{row['id']}")) == "train"]
        for i in rng.permutation(len(rows))[:count]:
            wave = decode(str(folder / rows[i]["file"]))
            end = speech_end(wave, len(wave) / SAMPLE_RATE)
            yield Example(continued(wave, end)[: int((end + rng.uniform(0.25, 0.5)) * SAMPLE_RATE)], True, "word", corpus, f"{corpus}/{rows[i]['id']}")


@torch.no_grad()
def states(encoder: SpeechEncoder, examples: list[Example], batch_seconds: float = 40) -> dict:
    """The last FRAMES states of each example (zeros before its first), as the encoder has them when asked: nothing is padded behind."""
    order = sorted(range(len(examples)), key=lambda i: len(examples[i].wave))
    hidden = torch.zeros(len(examples), FRAMES, encoder.configs["encoder"].embedding_length, dtype=torch.float16)
    lengths = torch.tensor([len(e.wave) // FRAME for e in examples])
    while order:
        longest = len(examples[order[-1]].wave)
        chosen = [order.pop() for _ in range(min(len(order), max(1, int(batch_seconds * SAMPLE_RATE / longest))))]
        frames = int(lengths[chosen].max())
        batch = torch.zeros(len(chosen), frames * FRAME)
        for row, i in enumerate(chosen):
            batch[row, : lengths[i] * FRAME] = torch.from_numpy(examples[i].wave[: lengths[i] * FRAME])
        with autocast(batch.device):
            found, _ = encoder(batch, lengths[chosen], encoder.configs["encoder"].chunk_size)
        for row, i in enumerate(chosen):
            kept, end = min(FRAMES, int(lengths[i])), int(lengths[i])
            hidden[i, FRAMES - kept :] = found[row, end - kept : end].half()
    return {
        "hidden": hidden, "frames": lengths.clamp(max=FRAMES), "complete": torch.tensor([e.complete for e in examples]),
        **{name: [getattr(e, name) for e in examples] for name in ("kind", "corpus", "id")},
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=Path("models/nano.gguf"))
    parser.add_argument("--encoder", type=Path, default=Path("training/checkpoints/encoder-shipped.pt"))
    parser.add_argument("--splits", nargs="+", default=["valid", "train", "test"])
    args = parser.parse_args()
    torch.set_num_threads(1)
    encoder, rng, started = load_encoder(args.encoder), np.random.default_rng(1), time.time()
    for split in args.splits:
        if split == "train":
            found = [(turn, example) for turn in turns(args.bundle, TRAINED, (split,)) for example in learned(turn, rng)]
            examples = [example for _, example in found] + list(single_words(rng))
            clips = [e.wave for e in examples]
            augment = Augment(lambda rng: clips[rng.integers(len(clips))])
            degraded = []
            for e in examples:
                level = float(np.sqrt((e.wave**2).mean()))
                degraded.append(Example(augment(e.wave, level, rng) if rng.random() < 0.6 else e.wave, e.complete, e.kind, e.corpus, e.id))
            examples = degraded
        else:
            examples = [example for turn in turns(args.bundle, TRAINED, (split,)) for example in asked(turn)]
        print(f"{split}: {len(examples)} examples, {sum(len(e.wave) for e in examples) / SAMPLE_RATE / 3600:.1f} h, {time.time() - started:.0f} s", flush=True)
        checkpoint.save(runs_folder() / "endpoint" / f"{split}.pt", states(encoder, examples))
        print(f"{split}: {time.time() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
