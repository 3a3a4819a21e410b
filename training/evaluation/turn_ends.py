"""Where a live session ends turns: how often before the speaker has finished, and how long after. Pauses of fixed lengths, Smart Turn, nano.

    python -m training.evaluation.turn_ends --smart-turn pipecat_ai-1.14.0-py3-none-any.whl --split test --table --plot docs/images/turn-ends.svg

A cut-off is a decision before the end of the speech; the delay is from there to the decision, of the turns that were not cut off. Both are of the input's time:
what computing takes comes on top (a few milliseconds). All policies hear the speech with the same voice activity network and are asked at the same windows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..encoder.speech_encoder import load_encoder
from ..endpoint.examples import ASKED_AFTER, asked, first_sample, questions, states
from ..endpoint.train import completeness, load_endpoint
from ..endpoint.turns import READERS, SAMPLE_RATE, WINDOW, Pause, Turn, pauses, turns
from ..folders import runs_folder
from .smart_turn import PRE_ROLL, WAITS, SmartTurn

ROOT = Path(__file__).resolve().parents[2]
DRIVER = Path(__file__).with_name("run_turn_ends.mjs")
EVALUATED = tuple(name for name in READERS if name != "teacher")  # whose sentences are trained
PAUSE = 0.2  # seconds of silence after which a live session asks
Policy = Callable[["Case"], float]  # seconds at which a turn ends


@dataclass
class Case:
    """A turn as a policy sees it: its pauses, and the probabilities that it is complete at those that are long enough."""

    id: str
    corpus: str
    lengthened: bool
    end: float
    pauses: list[Pause]
    smart: list[float]
    ours: list[float]  # of the twin, for the curve
    library: float  # seconds at which the library ends the turn, in `auto` as shipped


def windows(seconds: float) -> int:
    """Samples of the windows after which a silence of some length has passed."""
    return -(-round(seconds * SAMPLE_RATE) // WINDOW) * WINDOW


def decided(case: Case, wait: Callable[[int], int]) -> float:
    """Seconds at which the turn ends. `wait` gives the samples of silence that end it, by the index of the question."""
    index = 0
    for pause in case.pauses:
        length = np.inf if pause.resume is None else pause.resume - pause.stop
        if length < ASKED_AFTER:
            continue
        silence = wait(index)
        index += 1
        if silence <= length:
            return (pause.stop + silence) / SAMPLE_RATE
    raise ValueError(f"{case.id}: a wait without end")


def fixed(seconds: float) -> Policy:
    return lambda case: decided(case, lambda _: windows(seconds))


def semantic(threshold: float, most: float) -> Policy:
    """Smart Turn's: a turn ends at once where it seems complete, else after `most` seconds."""
    return lambda case: decided(case, lambda i: ASKED_AFTER if case.smart[i] >= threshold else windows(most))


def graded(threshold: float, most: float) -> Policy:
    """Ours, lib/live/listener.ts: the less complete a turn seems, the longer it waits, up to `most` seconds."""

    def wait(probability: float) -> int:
        if probability >= threshold:
            return ASKED_AFTER
        return max(ASKED_AFTER + WINDOW, windows(PAUSE + (most - PAUSE) * (1 - probability / threshold)))

    return lambda case: decided(case, lambda i: wait(case.ours[i]))


@dataclass
class Result:
    cut_off: float  # share of the turns
    median: float  # seconds
    mean: float
    p90: float


def judge(cases: list[Case], policy: Policy) -> Result:
    delays = np.array([policy(case) - case.end for case in cases])
    late = delays[delays >= 0]
    return Result(float((delays < 0).mean()), float(np.median(late)), float(late.mean()), float(np.percentile(late, 90)))


def by_library(bundle: Path, found: list[Turn], options: dict[str, object]) -> list[float]:
    """Seconds at which live sessions of the library end the turns."""
    with tempfile.TemporaryDirectory() as folder:
        jobs = []
        for n, turn in enumerate(found):
            file = Path(folder) / f"{n}.f32"
            turn.wave.astype(np.float32).tofile(file)
            jobs.append(json.dumps({"id": turn.id, "file": str(file)}))
        command = ["node", str(DRIVER), str(bundle.resolve()), json.dumps(options)]
        done = subprocess.run(command, cwd=ROOT, input="\n".join(jobs), capture_output=True, check=True, text=True, encoding="utf-8").stdout
    rows = [json.loads(line) for line in done.splitlines()]
    if [row["id"] for row in rows] != [turn.id for turn in found]:
        raise RuntimeError("the library has not ended every turn")
    return [row["decided"] for row in rows]


def heard(bundle: Path, encoder: Path, endpoint: Path, wheel: Path, split: str, corpora: tuple[str, ...] = EVALUATED) -> list[Case]:
    """The cases of a split. What Smart Turn says is kept in $MOSS_RUNS/endpoint."""
    kept = runs_folder() / "endpoint" / f"smart-turn-{split}.json"
    smart = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    smart_turn = SmartTurn(wheel)
    listener, head = load_encoder(encoder), load_endpoint(endpoint)
    found: list[tuple[Turn, int]] = []
    examples = []
    for turn in turns(bundle, corpora, (split,)):
        if not turn.complete:
            continue
        begin = max(0, first_sample(turn) - int((PRE_ROLL - 0.3) * SAMPLE_RATE))
        for at, _ in questions(turn):
            if f"{turn.id} {at}" not in smart:
                smart[f"{turn.id} {at}"] = smart_turn.complete(turn.wave[begin:at])
        of_turn = list(asked(turn))
        found.append((turn, len(of_turn)))
        examples += of_turn
    kept.write_text(json.dumps(smart), encoding="utf-8")
    with torch.no_grad():
        told = completeness(head, states(listener, examples)).tolist()
    ended = by_library(bundle, [turn for turn, _ in found], {})
    cases, at = [], 0
    for (turn, count), library in zip(found, ended):
        of_smart = [smart[f"{turn.id} {sample}"] for sample, _ in questions(turn)]
        cases.append(Case(turn.id, turn.corpus, turn.lengthened, turn.end, pauses(turn.probabilities), of_smart, told[at : at + count], library))
        at += count
    return cases


GROUPS = {
    "coffee orders, people": lambda c: c.corpus == "en-coffee" and not c.lengthened,
    "sentences read, a person": lambda c: c.corpus == "en-kathleen" and not c.lengthened,
    "numbers, people": lambda c: c.corpus == "en-digits" and not c.lengthened,
    "Mandarin, held-out voices": lambda c: c.corpus == "spoken-zh" and not c.lengthened,
    "all, as recorded": lambda c: not c.lengthened,
    "those with a pause, lengthened": lambda c: c.lengthened,
    "all": lambda c: True,
}


def policies(threshold: float, most: float) -> dict[str, Policy]:
    return {
        "voice activity, 300 ms": fixed(0.3),
        "voice activity, 500 ms": fixed(0.5),
        "voice activity, 800 ms": fixed(0.8),
        "Smart Turn v3.2, waits up to 3 s": semantic(0.5, WAITS),
        f"Smart Turn v3.2, waits up to {most:g} s": semantic(0.5, most),
        "nano, `auto`, through the library": lambda case: case.library,
        f"nano, twin: {threshold:g}, waits up to {most:g} s": graded(threshold, most),
    }


def table(cases: list[Case], threshold: float, most: float) -> str:
    """Cut off, median and 90th percentile of the delay, by group of turns."""
    groups = {name: [c for c in cases if of(c)] for name, of in GROUPS.items()}
    groups = {name: chosen for name, chosen in groups.items() if chosen}
    lines = ["| cut off; delay, median and 90 % | " + " | ".join(f"{name} ({len(chosen)})" for name, chosen in groups.items()) + " |", "| --- |" + " --- |" * len(groups)]
    for name, policy in policies(threshold, most).items():
        results = [judge(chosen, policy) for chosen in groups.values()]
        lines.append(f"| {name} | " + " | ".join(f"{r.cut_off:.1%}; {r.median * 1000:.0f}, {r.p90 * 1000:.0f} ms" for r in results) + " |")
    return "\n".join(lines)


def curves(cases: list[Case], most: float) -> dict[str, list[Result]]:
    thresholds = np.concatenate([[1e-3], np.linspace(0.02, 0.98, 49), [0.99, 0.995, 1.0]])
    return {
        "voice activity alone, 0.23–1.5 s": [judge(cases, fixed(s)) for s in np.arange(7, 48) * WINDOW / SAMPLE_RATE],
        f"Smart Turn v3.2, else {most:g} s": [judge(cases, semantic(t, most)) for t in thresholds],
        f"nano, else {most:g} s": [judge(cases, graded(t, most)) for t in thresholds],
    }


def plot(cases: list[Case], threshold: float, most: float, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "moss"  # the same bytes again
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.5), sharey=True)
    for axis, value, title in zip(axes, (lambda r: r.median, lambda r: r.mean), ("median", "mean")):
        for name, results in curves(cases, most).items():
            axis.plot([value(r) * 1000 for r in results], [r.cut_off * 100 for r in results], label=name, marker=".", markersize=3)
        ours = judge(cases, lambda case: case.library)
        axis.plot(value(ours) * 1000, ours.cut_off * 100, "o", color="black", label="nano as shipped")
        axis.axhline(8, color="grey", linewidth=0.7, linestyle="--")
        axis.set_xlim(200, 1300)
        axis.set_xlabel(f"{title} delay after the end of the speech, ms")
        axis.grid(alpha=0.3)
    axes[0].axvline(400, color="grey", linewidth=0.7, linestyle="--")
    axes[0].set_ylabel("turns cut off, %")
    axes[1].legend()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=Path("models/nano.gguf"))
    parser.add_argument("--encoder", type=Path, default=Path("training/checkpoints/encoder-shipped.pt"))
    parser.add_argument("--endpoint", type=Path, default=Path("training/checkpoints/endpoint.pt"))
    parser.add_argument("--smart-turn", type=Path, required=True, help="pipecat-ai's wheel")
    parser.add_argument("--split", choices=["valid", "test"], default="valid", help="the test is for a head that has been chosen")
    parser.add_argument("--threshold", type=float, default=0.8)
    parser.add_argument("--most", type=float, default=2.0)
    parser.add_argument("--plot", type=Path, help="an SVG")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cases = heard(args.bundle, args.encoder, args.endpoint, args.smart_turn, args.split)
    print(table(cases, args.threshold, args.most))
    if args.plot:
        plot(cases, args.threshold, args.most, args.plot)


if __name__ == "__main__":
    main()
