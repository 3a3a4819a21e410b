"""How often the language model's greedy answer is exactly right, on the phrasings that are held out to watch it (`data/held_out.py`).

With the right answer fed in, every step's best unit is right if and only if greedy decoding gives that answer: one pass is enough.
"""

from __future__ import annotations

import random

import torch

from ..data.domain import KINDS, LANGUAGES, Domain, Item
from ..data.template import IGNORE, Positions, Template
from ..data.units import text_to_ids
from ..loop.precision import autocast
from ..loop.streams import to_device
from .examples import Spoken, collate, whole_rows


def answered(template: Template, item: Item, **question) -> Positions:
    """A turn with the right answer, spoken and written."""
    return Positions(template).user(**question).reply(template.encode(item.reply), text_to_ids(item.reply_units))


def watched_turns(template: Template, spoken: list[Spoken], typed: int = 40) -> dict[str, list[Positions]]:
    """Sequences by kind: `typed.en.number`, `spoken.zh.home` …"""
    groups: dict[str, list[Positions]] = {}
    domain, rng = Domain("watch"), random.Random(5)
    for lang in LANGUAGES:
        for kind in KINDS:
            try:
                items = [domain.sample(rng, lang, kind) for _ in range(typed)]
            except ValueError:  # without the corpora's texts some kinds have none that is held out
                continue
            groups[f"typed.{lang}.{kind}"] = [answered(template, item, text=template.encode(item.user)) for item in items]
    for s in spoken:
        if s.item is not None:
            groups.setdefault(f"spoken.{s.item.lang}.{s.item.kind}", []).append(answered(template, s.item, hidden=whole_rows(s.states[0])))
    return groups


@torch.no_grad()
def evaluate(model, template: Template, groups: dict[str, list[Positions]], limit: int = 200) -> dict[str, str]:
    scores, device = {}, next(model.parameters()).device
    for kind, sequences in sorted(groups.items()):
        right = right_text = 0
        sequences = sequences[:: max(1, len(sequences) // limit)]
        for first in range(0, len(sequences), 32):
            part = sequences[first : first + 32]
            batch = to_device(collate(part, template.special["pad"]), device)
            with autocast(device):
                text, audio = model(batch)
            right += int(exact(audio, batch["audio_target"]).sum())
            right_text += int(exact(text, batch["text_target"]).sum())
        scores[kind] = f"{right}/{len(sequences)}, text {right_text}"
    return scores


def exact(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """[B]: every target of the sequence is its position's best id."""
    return ((logits.argmax(-1) == target) | (target == IGNORE)).all(1)
