"""Keeps what hours of training made: the weights of the encoder's and the language model's runs as FP16, small enough to commit.

    python -m training.export.pack_checkpoints

reads $MOSS_RUNS/{encoder-base/state.pt, encoder-{shipped,a,b}/model.pt, lm/state.pt}, what of them is there, and writes training/checkpoints/{encoder-base,encoder-shipped,encoder-a,encoder-b,lm}.pt:

    encoder.train --fold a --init training/checkpoints/encoder-base.pt        # never heard human Mandarin
    evaluation.nano --sets tones                                              # encoder-a.pt and encoder-b.pt: who claims tones publishes what they were measured with
    encoder.train --fold shipped --init training/checkpoints/encoder-shipped.pt
    lm.train --encoder training/checkpoints/encoder-shipped.pt --init training/checkpoints/lm.pt     # lm.pt hears with this encoder only

Optimizer states and the head that goes when training ends are left out: they are warm again after a hundred steps. The decoder's trainer packs its own (`decoder.train --export`).
"""

from __future__ import annotations

from pathlib import Path

from ..folders import runs_folder
from ..loop import checkpoint

FOLDER = Path(__file__).parents[1] / "checkpoints"
FILES = {  # checkpoint: the run's file, the key of its weights, what else is kept
    "encoder-base": ("encoder-base/state.pt", "trainee", ["step"]),
    "encoder-shipped": ("encoder-shipped/model.pt", "trainee", ["step", "config", "units", "fold"]),
    "encoder-a": ("encoder-a/model.pt", "trainee", ["step", "config", "units", "fold"]),
    "encoder-b": ("encoder-b/model.pt", "trainee", ["step", "config", "units", "fold"]),
    "lm": ("lm/state.pt", "model", ["step"]),
}


def main() -> None:
    for name, (file, weights, others) in FILES.items():
        if not (runs_folder() / file).exists():
            print(f"{name}: no {runs_folder() / file}, kept as it is")
            continue
        state = checkpoint.load(runs_folder() / file)
        path = FOLDER / f"{name}.pt"
        kept = {key: value for key, value in state[weights].items() if not key.startswith("words.")}  # lm.train's head of the words
        checkpoint.save(path, {weights: checkpoint.half(kept)} | {key: state[key] for key in others})
        print(f"{path}: step {state['step']}, {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
