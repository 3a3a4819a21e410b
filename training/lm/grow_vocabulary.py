"""A language model's state for a tokenizer that has got more characters: what is new begins as what sounds like it.

    python -m training.lm.grow_vocabulary $MOSS_RUNS/lm-before/state.pt $MOSS_RUNS/lm-after/state.pt

A new character's embedding is the mean of those of the old ones whose units are nearest to its own, with noise to tell it from them;
its row of each output is what the old ids' rows are of their embeddings, by least squares.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import torch.nn.functional as F

from ..data.edit_distance import distance
from ..data.g2p import to_symbols
from ..data.template import Template
from ..loop import checkpoint

NOISE = 0.7  # of the spread of the old characters' embeddings, in each dimension
RIDGE = 1e-2


def new_embeddings(old: torch.Tensor, template: Template) -> torch.Tensor:
    """old [V, H] -> those of the template's ids from V on."""
    count, size = old.shape
    texts = [template.decode([i]) for i in range(template.tokenizer.get_vocab_size())]
    sounds = {i: to_symbols(text, "zh") for i, text in enumerate(texts) if len(text) == 1 and "\u4e00" <= text <= "\u9fff"}
    known = {i: sound for i, sound in sounds.items() if i < count}
    spread = old[list(known)].std(0)
    rows = []
    for i in range(count, len(texts)):
        far = {k: distance(sounds[i], sound) for k, sound in known.items()}
        least = min(far.values())
        nearest = [k for k, d in far.items() if d == least]
        rows.append(old[nearest].mean(0) + NOISE * spread * torch.randn(size))
    return torch.stack(rows)


def new_rows(embeddings: torch.Tensor, outputs: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """Of an output [V, H]: the best linear map of the embeddings, at the new ones."""
    x, at = (F.pad(rows / embeddings.std(), (0, 1), value=1.0) for rows in (embeddings, new))
    return at @ torch.linalg.solve(x.T @ x + RIDGE * len(x) * torch.eye(x.shape[1]), x.T @ outputs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    args = parser.parse_args()

    torch.manual_seed(1)
    state = checkpoint.load(args.before)
    model = {name: value.float() for name, value in state["model"].items()}
    embeddings = model["lm.text_embd.weight"]
    new = new_embeddings(embeddings, Template())
    for name in ("lm.text_output.weight", "words.weight"):
        if name in model:
            model[name] = torch.cat([model[name], new_rows(embeddings, model[name], new)])
    if "words.bias" in model:
        model["words.bias"] = torch.cat([model["words.bias"], model["words.bias"].mean().expand(len(new))])
    model["lm.text_embd.weight"] = torch.cat([embeddings, new])
    args.after.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.save(args.after, state | {"model": model})
    print(f"{len(embeddings)} ids and {len(new)} new ones in {args.after}")


if __name__ == "__main__":
    main()
