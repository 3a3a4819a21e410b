"""Spoken sentences that nobody spoke: encoder states of any unit sequence, spliced from the states of real clips.

The aligner and the language model must learn many more phrasings than there are recordings of. The encoder is frozen by then, so a
sentence is as good as its states: for each unit, the frames of the same unit in the same neighbourhood, from a clip whose
alignment is known; runs of units stay together where a clip has them.
"""

from __future__ import annotations

import random
from collections import defaultdict

import numpy as np

FRAMES_PER_SECOND = 50


class SpliceBank:
    def __init__(self) -> None:
        self.units: list[int] = []  # all clips' units, one after the other, 0 between clips
        self.span: list[tuple[int, int]] = []  # the frames of each unit
        self.frames: list[np.ndarray] = []
        self.clip: list[int] = []
        self.lead: list[np.ndarray] = []
        self.tail: list[np.ndarray] = []
        self._by_context: dict[tuple, list[int]] | None = None

    def add(self, hidden: np.ndarray, units: list[int], durations: list[int], lead: int, duration_seconds: float = 0.025) -> None:
        """hidden [T, E]; durations of the units and of the silence before them, in steps of `duration_seconds`."""
        self._by_context = None
        clip = len(self.frames)
        self.frames.append(hidden)
        edges = np.rint(np.cumsum([lead, *durations]) * duration_seconds * FRAMES_PER_SECOND).astype(int)
        self.lead.append(hidden[: edges[0]])
        self.tail.append(hidden[edges[-1] :])
        for unit, start, end in zip([0, *units, 0], [0, *edges[:-1], 0], [0, *edges[1:], 0]):
            self.units.append(unit)
            self.span.append((int(start), int(end)))
            self.clip.append(clip)

    def _index(self) -> dict[tuple, list[int]]:
        if self._by_context is None:
            self._by_context = defaultdict(list)
            u = self.units
            for i in range(1, len(u) - 1):
                if u[i]:
                    for key in ((u[i - 1], u[i], u[i + 1]), (u[i], u[i + 1], "right"), (u[i - 1], u[i], "left"), (u[i],)):
                        self._by_context[key].append(i)
        return self._by_context

    def splice(self, units: list[int], rng: random.Random, keep_run: float = 0.85) -> np.ndarray | None:
        """Encoder states [T, E] that say `units`, or None where the bank lacks one of them."""
        index = self._index()
        pieces: list[np.ndarray] = []
        previous = -1
        context = [0, *units, 0]
        for left, unit, right in zip(context, units, context[2:]):
            follows = previous >= 0 and self.units[previous + 1] == unit
            if follows and rng.random() < keep_run:
                place = previous + 1
            else:
                for key in ((left, unit, right), (unit, right, "right"), (left, unit, "left"), (unit,)):
                    if places := index.get(key):
                        place = rng.choice(places)
                        break
                else:
                    return None
            start, end = self.span[place]
            pieces.append(self.frames[self.clip[place]][start:end])
            previous = place
        lead, tail = rng.choice(self.lead), rng.choice(self.tail)
        return np.concatenate([lead[rng.randrange(max(1, len(lead) // 2)) :], *pieces, tail])
