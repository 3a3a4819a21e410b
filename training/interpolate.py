"""Weights between two runs of one network: what a fine-tuning learned, without all of what it forgot (Wortsman et al. 2022, WiSE-FT).

    python -m training.interpolate runs/encoder-base/model.pt runs/encoder-shipped/model.pt 0.7 --out runs/encoder-shipped/model.pt

0 is the first, 1 the second. The second must have been trained from the first.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from . import checkpoint


def between(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor], share: float) -> dict[str, torch.Tensor]:
    """(1 - share) a + share b, tensor by tensor; integers are b's."""
    if a.keys() != b.keys():
        raise ValueError(f"the runs differ in their tensors: {sorted(a.keys() ^ b.keys())}")
    return {name: torch.lerp(a[name].float(), value.float(), share) if value.is_floating_point() else value for name, value in b.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("share", type=float)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    first, second = checkpoint.load(args.first), checkpoint.load(args.second)
    weights = {key: between(first[key], second[key], args.share) for key in ("model", "trainee") if key in second}
    checkpoint.save(args.out, {**second, **weights})


if __name__ == "__main__":
    main()
