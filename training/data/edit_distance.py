"""Levenshtein distance, which every error rate is made of."""

from __future__ import annotations

from collections.abc import Sequence


def distance(want: Sequence, got: Sequence) -> int:
    """Insertions, deletions and substitutions that turn one sequence into the other."""
    if want == got:
        return 0
    row = list(range(len(got) + 1))
    for i, a in enumerate(want, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(got, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]
