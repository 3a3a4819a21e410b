"""Trains the head that tells whether a turn is complete, on the states that examples.py has made.

    nice python -m training.endpoint.train --minutes 6          # → runs/endpoint/model.pt
    python -m training.endpoint.train --export training/checkpoints/endpoint.pt

The weights with the least error on the choice's pauses are kept, of averaged ones. The test is not looked at.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ..folders import runs_folder
from ..loop import checkpoint
from ..networks.config import EncoderConfig, EndpointConfig
from ..networks.endpoint import Endpoint

BATCH = 128
# How often an example of a kind is drawn: pauses of people are few, and the teacher's ends are many.
SHARES = {"end": 0.42, "word": 0.05, "pause": 0.10, "lengthened": 0.22, "cut": 0.18, "beginning": 0.03}


def load_endpoint(path: Path) -> Endpoint:
    """A trained head, ready for inference."""
    saved = checkpoint.load(path)
    head = Endpoint(EndpointConfig(**saved["config"]["endpoint"]), EncoderConfig().embedding_length)
    head.load_state_dict({name.removeprefix("endpoint."): t.float() for name, t in saved["model"].items()})
    return head.eval()


@torch.no_grad()
def completeness(head: Endpoint, states: dict) -> torch.Tensor:
    """The probability of each example of examples.states."""
    count = head.config.frames
    batches = zip(states["hidden"].split(256), states["frames"].clamp(max=count).split(256))
    return torch.cat([head(hidden[:, -count:].float(), frames).sigmoid() for hidden, frames in batches])


def exported(head: nn.Module) -> dict:
    return {"config": {"endpoint": asdict(head.config)}, "model": checkpoint.half({f"endpoint.{k}": v.detach().clone() for k, v in head.state_dict().items()})}


def weights(data: dict, without: list[str]) -> np.ndarray:
    """The probability with which each example is drawn: by kind, people's as often as the teacher's, none of the corpora `without`."""
    kinds, people = np.array(data["kind"]), np.array([not c.startswith(("teacher", "spoken", "zh-words")) for c in data["corpus"]])
    drawn, heard = np.zeros(len(kinds)), np.array([c not in without for c in data["corpus"]])
    for kind, share in SHARES.items():
        groups = [chosen for group in (people, ~people) if (chosen := (kinds == kind) & group & heard).any()]
        for chosen in groups:
            drawn[chosen] = share / len(groups) / chosen.sum()
    return drawn / drawn.sum()


def ranked(probability: torch.Tensor, complete: torch.Tensor) -> float:
    """How often a complete pause is given more than an incomplete one: the area under the ROC curve."""
    order = probability.argsort().argsort().double()
    yes = complete.sum().item()
    return ((order[complete].sum() - yes * (yes - 1) / 2) / (yes * (len(complete) - yes))).item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--hidden", type=int, default=EndpointConfig.hidden)
    parser.add_argument("--frames", type=int, default=EndpointConfig.frames)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--without", nargs="*", default=[], help="corpora that it does not hear: how well does it take to other people?")
    parser.add_argument("--out", type=Path, default=runs_folder() / "endpoint" / "model.pt")
    parser.add_argument("--export", type=Path, help="only write the FP16 checkpoint of --out")
    args = parser.parse_args()
    if args.export:
        checkpoint.save(args.export, exported(load_endpoint(args.out)))
        return
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    folder = runs_folder() / "endpoint"
    train, valid = checkpoint.load(folder / "train.pt"), checkpoint.load(folder / "valid.pt")
    head = Endpoint(EndpointConfig(hidden=args.hidden, frames=args.frames), EncoderConfig().embedding_length)
    optimizer = torch.optim.AdamW(head.parameters(), args.lr, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, total_steps=args.steps, pct_start=0.1)
    average = checkpoint.Average(head, 0.99)
    rng, drawn, started = np.random.default_rng(args.seed), weights(train, args.without), time.time()
    counts = {kind: train["kind"].count(kind) for kind in SHARES}
    print(f"{sum(p.numel() for p in head.parameters())} parameters; {counts}", flush=True)
    best, losses = 0.0, []
    for step in range(1, args.steps + 1):
        chosen = torch.from_numpy(rng.choice(len(drawn), BATCH, p=drawn))
        hidden, frames = train["hidden"][chosen, -args.frames :].float(), train["frames"][chosen].clamp(max=args.frames)
        # A turn of which only the last seconds are seen: what is far back must not tell more than what it says.
        shown = torch.from_numpy(rng.integers(25, args.frames + 1, BATCH))
        frames = torch.where(torch.from_numpy(rng.random(BATCH) < 0.3), torch.minimum(frames, shown), frames)
        logits = head(hidden, frames, dropout=0.2)
        target = train["complete"][chosen].float() * 0.96 + 0.02
        loss = F.binary_cross_entropy_with_logits(logits, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        average.update()
        losses.append(loss.item())
        if step % 100 == 0 or time.time() - started > args.minutes * 60:
            average.swap()
            head.eval()
            probability = completeness(head, valid)
            by_corpus = {}
            for corpus in sorted(set(valid["corpus"])):
                of = torch.tensor([c == corpus for c in valid["corpus"]])
                if 0 < valid["complete"][of].sum() < of.sum():
                    by_corpus[corpus] = round(ranked(probability[of], valid["complete"][of]), 3)
            area = sum(by_corpus.values()) / len(by_corpus)
            if area > best:
                best = area
                checkpoint.save(args.out, exported(head))
            average.swap()
            head.train()
            print(f"{step}: loss {np.mean(losses[-100:]):.3f}, area {area:.4f} {by_corpus}, {time.time() - started:.0f} s", flush=True)
            if time.time() - started > args.minutes * 60:
                break


if __name__ == "__main__":
    main()
