"""Trains front end, tone module and encoder together: CTC over the units, frame targets from known durations, pitch and tones.

    python -m training.encoder.train --fold base --minutes 65                       # no human Mandarin
    python -m training.encoder.train --fold shipped --init base --minutes 12        # both human Mandarin speakers
    python -m training.encoder.train --fold a --init base --minutes 8               # + yuetan; judged on chenwang's syllables
    python -m training.encoder.train --fold b --init base --minutes 8               # + chenwang; judged on yuetan's words

Reads what training.data.prepare made under $MOSS_RUNS. A run lives in $MOSS_RUNS/encoder-FOLD; `--resume` continues it. The learning rate follows
the processor time spent, so a run costs what was asked, however busy the machine; on a GPU (`--device cuda --workers 8 --seconds 300`) the clock's.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..data.corpora import TRAINED
from ..data.units import N_UNITS
from ..folders import runs_folder
from ..loop import checkpoint
from ..loop.muon import Muon
from ..loop.precision import autocast
from ..loop.stopping import stop_signals
from ..loop.streams import stream
from . import fast_gelu
from .examples import HUMAN_MANDARIN, UNIT_DELAY, Clip, Corpora, Examples, collate
from .initialization import initialize
from .losses import ctc_loss, forced_alignment, frame_loss, pitch_loss, tone_loss
from .speech_encoder import FRAME, SpeechEncoder
from .validation import evaluate, held_out, outputs

FOLDS = {"base": set(), "a": {"yuetan"}, "b": {"chenwang"}, "shipped": {"yuetan", "chenwang"}}
CHUNKS, CHUNK_ODDS = [8, 16, 32, 0], [0.2, 0.45, 0.15, 0.2]
MIDDLE = 2  # the block whose output also predicts the frame targets


class Trainee(nn.Module):
    """The network and the two linear heads that only training uses."""

    def __init__(self):
        super().__init__()
        self.net = SpeechEncoder()
        initialize(self.net.frontend, self.net.tone)
        size = self.net.configs["encoder"].embedding_length
        self.middle, self.final = nn.Linear(size, N_UNITS), nn.Linear(size, N_UNITS)

    def losses(self, batch: dict[str, torch.Tensor], chunk_size: int, dropout: float, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        stages: dict[str, torch.Tensor] = {}
        hidden, tone = self.net(batch["wave"], batch["lengths"], chunk_size, dropout, stages, mask)
        return {
            "ctc": ctc_loss(self.net.encoder.ctc(hidden), batch["lengths"], batch["ids"], batch["id_lengths"]),
            "frame": frame_loss(self.final(hidden), batch["frame_ids"]),
            "middle": frame_loss(self.middle(stages[f"encoder.blk.{MIDDLE}"]), batch["frame_ids"]),
            "pitch": pitch_loss(tone["lag_logits"], tone["voicing_logit"], self.net.tone.log_f0, batch["log_f0"]),
            "tone": tone_loss(tone["logits"], batch["tone"], batch["tone_weight"]),
        }


def hide_frames(frames: int, count: int, rng: np.random.Generator) -> torch.Tensor:
    """[B, T, 1]: 0 in about one stretch of up to 8 frames every 3 s, on half of the utterances."""
    mask = np.ones((count, frames, 1), np.float32)
    for row in range(count):
        if rng.random() < 0.5:
            for _ in range(1 + frames // 150):
                start, width = rng.integers(frames), rng.integers(1, 9)
                mask[row, start : start + width] = 0
    return torch.from_numpy(mask)


def align(trainee: Trainee, examples: Examples, clips: list[Clip]) -> None:
    """Gives clips without durations the bounds that the frame head finds."""
    trainee.eval()
    failed = 0
    device = trainee.final.weight.device
    for clip, out in outputs(trainee.net, examples, clips):
        with torch.no_grad():
            log_probs = trainee.final(torch.from_numpy(out["hidden"]).to(device)).log_softmax(-1).cpu().numpy()
        bounds = forced_alignment(log_probs, clip.ids)
        failed += bounds is None
        clip.bounds = None if bounds is None else np.maximum(bounds * FRAME / 16000 - UNIT_DELAY, 0)
    print(f"aligned {len(clips) - failed} clips, {failed} too short", flush=True)
    trainee.train()


def admitted(clips: list[Clip], fold: str, replay: float) -> list[Clip]:
    """The clips a fold trains on. `replay` scales how often the clips come that its starting point knows."""
    chosen = []
    for clip in clips:
        human = clip.speaker in HUMAN_MANDARIN
        if clip.split in TRAINED and clip.ids and (clip.speaker in FOLDS[fold] or not human):
            clip.repeat *= 1.0 if human else replay
            chosen.append(clip)
    return chosen


def make_optimizers(trainee: Trainee, lr: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks and of the front end, AdamW for the rest."""
    matrices = [p for n, p in trainee.net.named_parameters() if p.ndim > 1 and (".blk." in n or n == "encoder.proj.weight" or (n.startswith("frontend.conv") and ".0." not in n))]
    taken = {id(p) for p in matrices}
    rest = [p for p in trainee.parameters() if id(p) not in taken]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": 0.02, "scale": 1.0},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0, "scale": 1.0},
    ]
    return [torch.optim.AdamW(groups, lr, (0.9, 0.98), fused=True), Muon([{"params": matrices, "scale": 2.0}], lr)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    runs = runs_folder()
    parser.add_argument("--fold", choices=FOLDS, default="base")
    parser.add_argument("--name", help="run folder under $MOSS_RUNS (default: encoder-FOLD)")
    parser.add_argument("--init", help="run to start from: its fold's name or a checkpoint file")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--align", action="store_true", help="give recordings without durations frame targets by forced alignment (with --resume; always with --init)")
    parser.add_argument("--minutes", type=float, default=65, help="processor time to spend; time, on a GPU")
    parser.add_argument("--device", default="cpu", type=torch.device)
    parser.add_argument("--workers", type=int, default=0, help="processes that make the batches; 0: this one does")
    parser.add_argument("--lr", type=float, help="peak (default 1.5e-3, from --init 4e-4)")
    parser.add_argument("--seconds", type=float, default=28, help="audio a batch, padding included")
    parser.add_argument("--replay", type=float, help="how often known clips come beside the fold's new speakers (default 1, from --init 0.35)")
    parser.add_argument("--dropout", type=float, default=0.05)
    parser.add_argument("--augmentation", type=float, default=0.7, help="scales how often filters, noise and codecs come")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--evaluate-every", type=float, default=5, help="minutes")
    parser.add_argument("--publish", action="store_true", help="also keep $MOSS_RUNS/encoder/latest.pt")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    clock = time.monotonic
    if args.device.type == "cpu":
        fast_gelu.enable()
        clock = clock if args.workers else time.process_time
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    run = runs / (args.name or f"encoder-{args.fold}")
    run.mkdir(parents=True, exist_ok=True)
    corpora = Corpora(runs)
    replay = args.replay if args.replay is not None else 0.35 if args.init else 1.0
    trainee = Trainee().to(args.device)
    examples = Examples(corpora, lambda clips: admitted(clips, args.fold, replay), trainee.net.configs["frontend"].tail_padding, args.seed, args.augmentation)
    sets = held_out(corpora)
    state_path = run / "state.pt"
    elapsed, step, hours = 0.0, 0, 0.0
    peak = args.lr or (4e-4 if args.init else 1.5e-3)
    optimizers = make_optimizers(trainee, peak)
    if args.init:
        source = Path(args.init) if args.init.endswith(".pt") else runs / f"encoder-{args.init}" / "model.pt"
        trainee.load_state_dict(checkpoint.load(source)["trainee"])
    average = checkpoint.Average(trainee)
    if args.resume and state_path.exists():
        state = checkpoint.load(state_path)
        trainee.load_state_dict(state["trainee"])
        for optimizer, saved in zip(optimizers, state["optimizers"]):
            optimizer.load_state_dict(saved)
        average.load_state_dict(state["average"])
        elapsed, step = state["elapsed"], state["step"]
        print(f"resumed at step {step}, {elapsed / 60:.1f} min", flush=True)
    if args.init or args.align:
        found = checkpoint.load(run / "alignment.pt") if (run / "alignment.pt").exists() else {}
        for clip in examples.clips:
            clip.bounds = found.get(clip.key, clip.bounds)
        align(trainee, examples, [c for c in examples.clips if c.bounds is None and c.corpus != "bursts"])
        checkpoint.save(run / "alignment.pt", {c.key: c.bounds for c in examples.clips if c.bounds is not None and c.f0 is None})
    epoch = sum(c.samples * c.repeat for c in examples.clips) / 16000 / 3600
    print(f"{run.name}: {len(examples.clips)} clips, {epoch:.2f} h an epoch, {sum(p.numel() for p in trainee.net.parameters()) / 1e6:.2f} M parameters", flush=True)

    def keep_state() -> None:
        checkpoint.save(state_path, {"trainee": trainee.state_dict(), "optimizers": [o.state_dict() for o in optimizers], "average": average.state_dict(), "elapsed": elapsed, "step": step})

    def keep_model() -> None:
        """Evaluates and keeps the averaged weights."""
        average.swap()
        result = evaluate(trainee.net, examples, sets)
        saved = {**trainee.net.export(), "trainee": trainee.state_dict(), "step": step, "fold": args.fold}
        checkpoint.save(run / "model.pt", saved)
        if args.publish:
            checkpoint.save(runs / "encoder" / "latest.pt", saved)
        average.swap()
        record = {"step": step, "minutes": round(elapsed / 60, 2), "hours": round(hours, 1), **{k: round(v, 4) for k, v in result.items()}}
        print(json.dumps(record), flush=True)
        with open(run / "log.jsonl", "a") as log:
            log.write(json.dumps(record) + "\n")

    stop = stop_signals()

    front = list(trainee.net.frontend.parameters())
    parts = [front, [p for p in trainee.parameters() if all(p is not q for q in front)]]

    def made(worker: int) -> Iterator[dict[str, torch.Tensor]]:
        examples.rng = np.random.default_rng([args.seed, step, worker])
        return map(collate, examples.batches(args.seconds))

    batches = stream(made, args.workers, args.device)
    rng = np.random.default_rng([args.seed, step])
    warmup = 100 if not args.init else 50
    total = args.minutes * 60
    sums: dict[str, torch.Tensor] = {}
    heard, last, next_save, next_evaluation = 0.0, clock(), elapsed + 60, elapsed + args.evaluate_every * 60
    since = (step, elapsed)
    while elapsed < total:
        progress = elapsed / total
        rate = peak * min(1.0, (step + 1) / warmup) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate * group["scale"]
        batch = next(batches)
        chunk = int(rng.choice(CHUNKS, p=CHUNK_ODDS))
        mask = hide_frames(batch["frame_ids"].shape[1], len(batch["lengths"]), rng).to(args.device)
        with autocast(args.device):
            losses = trainee.losses(batch, chunk, args.dropout, mask)
        aid = 1.0 - 0.7 * progress  # the frame targets lead at first; CTC is what is used
        loss = min(1.0, 0.05 + step / 600) * losses["ctc"] + aid * (losses["frame"] + 0.5 * losses["middle"]) + 0.3 * losses["pitch"] + 0.5 * losses["tone"]
        loss.backward()
        # Apart, because near-silent frames, which the layer norms amplify, give the front end a spike now and then.
        norm = sum(nn.utils.clip_grad_norm_(part, 2.0) for part in parts)
        for optimizer in optimizers:
            if torch.isfinite(norm):
                optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        step += 1
        average.update()
        heard += batch["lengths"].sum() * FRAME / 16000
        for name, value in losses.items():
            sums[name] = sums.get(name, 0.0) + value.detach()
        now = clock()
        elapsed, last = elapsed + now - last, now
        if step % 50 == 0:
            speed = heard / max(elapsed - since[1], 1e-3)
            print(f"{elapsed / 60:6.2f} min  step {step}  lr {rate:.1e}  norm {norm.item():.2f}  " + "  ".join(f"{k} {v / 50:.3f}" for k, v in sums.items()) + f"  {speed:.0f}x", flush=True)
            hours += float(heard) / 3600
            sums, heard, since = {}, 0.0, (step, elapsed)
        if elapsed >= next_save or stop:
            keep_state()
            if stop:
                print(f"stopped at step {step}; --resume goes on", flush=True)
                return
            next_save = elapsed + 180
        if elapsed >= next_evaluation:
            keep_model()
            next_evaluation = elapsed + args.evaluate_every * 60
            last = clock()
    keep_state()
    keep_model()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
