"""Keeps what hours of training made: the weights of the encoder's and the language model's runs as FP16, small enough to commit.

    python -m training.pack_checkpoints

reads $MOSS_RUNS/encoder-base/state.pt and $MOSS_RUNS/lm/state.pt and writes training/checkpoints/{encoder-base,lm}.pt, which
`train_encoder --init training/checkpoints/encoder-base.pt` and `train_lm --init training/checkpoints/lm.pt` start from. Optimizer
states are left out: they are warm again after a hundred steps. The decoder's trainer packs its own (`train_decoder --export`).
"""

from __future__ import annotations

from pathlib import Path

from . import checkpoint
from .folders import runs_folder

FOLDER = Path(__file__).with_name("checkpoints")
RUNS = {"encoder-base": "trainee", "lm": "model"}  # run: the key of its weights


def main() -> None:
    for run, key in RUNS.items():
        state = checkpoint.load(runs_folder() / run / "state.pt")
        path = FOLDER / f"{run}.pt"
        checkpoint.save(path, {key: checkpoint.half(state[key]), "step": state["step"]})
        print(f"{path}: step {state['step']}, {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
