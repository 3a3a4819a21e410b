"""The mean of the weights of several encoders, or of several language models: better than each of them on voices that none has heard.

    python -m training.export.average --fold shipped --out $MOSS_RUNS/encoder-shipped/model.pt s2/model.pt b2/model.pt a/model.pt
    python -m training.export.average --out $MOSS_RUNS/lm/latest.pt before/latest.pt after/latest.pt

They must come from one start, as all of encoder.train's do from `base`: only then does the mean lie in the same valley. An encoder's fold is the one
whose speakers are all that any of them heard; a checkpoint that knows more is refused.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from ..encoder.train import FOLDS, Trainee
from ..loop import checkpoint


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoints", nargs="+", type=Path)
    parser.add_argument("--fold", choices=FOLDS, help="of encoders")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()

    saved = [checkpoint.load(path) for path in args.checkpoints]
    weights = "trainee" if "trainee" in saved[0] else "model"
    mean = {name: torch.stack([one[weights][name].float() for one in saved]).mean(0) for name in saved[0][weights]}
    if weights == "trainee":
        if args.fold is None:
            raise SystemExit("encoders want a --fold")
        for path, one in zip(args.checkpoints, saved):
            if not FOLDS[one["fold"]] <= FOLDS[args.fold]:
                raise SystemExit(f"{path} is of fold {one['fold']}: it heard speakers that fold {args.fold} must not know")
        trainee = Trainee()
        trainee.load_state_dict(mean)
        result = {**trainee.net.export(), "trainee": mean, "step": max(one["step"] for one in saved), "fold": args.fold}
    else:
        result = saved[-1] | {"model": mean}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.save(args.out, result)


if __name__ == "__main__":
    main()
