"""The mean of several encoders' weights: better than each of them on voices that none has heard.

    python -m training.average_encoders --fold shipped --out $MOSS_RUNS/encoder-shipped/model.pt s2/model.pt b2/model.pt a/model.pt

They must come from one start, as all of train_encoder's do from `base`: only then does the mean lie in the same valley. The fold is the one whose
speakers are all that any of them heard; a checkpoint that knows more is refused.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from . import checkpoint
from .train_encoder import FOLDS, Trainee


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", type=Path)
    parser.add_argument("--fold", choices=FOLDS, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    saved = [checkpoint.load(path) for path in args.checkpoints]
    for path, one in zip(args.checkpoints, saved):
        if not FOLDS[one["fold"]] <= FOLDS[args.fold]:
            raise SystemExit(f"{path} is of fold {one['fold']}: it heard speakers that fold {args.fold} must not know")
    trainee = Trainee()
    trainee.load_state_dict({name: torch.stack([one["trainee"][name].float() for one in saved]).mean(0) for name in saved[0]["trainee"]})
    step = max(one["step"] for one in saved)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.save(args.out, {**trainee.net.export(), "trainee": trainee.state_dict(), "step": step, "fold": args.fold})


if __name__ == "__main__":
    main()
