"""Results as rows: the bars first, then the rest; on the terminal, in JSON, and in the model card."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .judging import error_interval, wilson


@dataclass
class Row:
    what: str
    value: float | None  # None: not measured
    unit: str = "%"
    low: float | None = None
    high: float | None = None
    n: str = ""
    bar: float | None = None
    higher: bool = True  # is better
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.bar is None:
            return ""
        if self.value is None:
            return "not measured"
        return "PASS" if (self.value >= self.bar if self.higher else self.value <= self.bar) else "MISS"

    def _number(self, value: float) -> str:
        return f"{100 * value:.1f} %" if self.unit == "%" else f"{value:.2f} {self.unit}".strip()

    def cells(self) -> list[str]:
        value = "–" if self.value is None else self._number(self.value)
        interval = "" if self.low is None or self.high is None else f"{self._number(self.low)} – {self._number(self.high)}"
        bar = "" if self.bar is None else ("≥ " if self.higher else "≤ ") + (f"{100 * self.bar:.0f} %" if self.unit == "%" else f"{self.bar:g} {self.unit}".strip())
        return [self.what, value, interval, self.n, bar, self.verdict, self.note]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "verdict": self.verdict}


def share(what: str, right: int, n: int, bar: float | None = None, note: str = "") -> Row:
    """A proportion that should be high, with its Wilson interval."""
    if n == 0:
        return Row(what, None, bar=bar, note=note or "no data")
    return Row(what, right / n, "%", *wilson(right, n), n=str(n), bar=bar, note=note)


def error_rate(what: str, pairs: Sequence[tuple[int, int]], of: str, bar: float | None = None, note: str = "") -> Row:
    """Wrong over all, (wrong, all) a clip, with a bootstrap interval over clips."""
    total = sum(n for _, n in pairs)
    if total == 0:
        return Row(what, None, bar=bar, higher=False, note=note or "no data")
    return Row(what, sum(w for w, _ in pairs) / total, "%", *error_interval(pairs), n=f"{total} {of}, {len(pairs)} clips", bar=bar, higher=False, note=note)


HEADER = ["what", "result", "95 %", "n", "bar", "", "note"]


def _width(text: str) -> int:
    return sum(2 if "\u2e80" <= c <= "\uffef" else 1 for c in text)


def plain(rows: Sequence[Row]) -> str:
    table = [HEADER, *(row.cells() for row in rows)]
    widths = [max(_width(line[i]) for line in table) for i in range(len(HEADER))]
    return "\n".join("  ".join(cell + " " * (w - _width(cell)) for cell, w in zip(line, widths)).rstrip() for line in table)


def markdown(rows: Sequence[Row]) -> str:
    lines = [HEADER, ["---"] * len(HEADER), *(row.cells() for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def components_markdown(info: dict[str, Any]) -> str:
    lines = ["| component | parameters | in the file |", "| --- | ---: | ---: |"]
    for name, c in info["components"].items():
        lines.append(f"| `{name}` | {c['parameters'] / 1e6:.2f} M | {c['bytes'] / 1e6:.2f} MB |")
    total = info["components"].values()
    lines.append(f"| all | {sum(c['parameters'] for c in total) / 1e6:.2f} M | {sum(c['bytes'] for c in total) / 1e6:.2f} MB |")
    return "\n".join(lines)


def merged(old: str, rows: Sequence[Row]) -> str:
    """A Markdown table with the rows that were measured, and the old rows of what was not, each in its old place."""
    measured = {row.what: markdown([row]).splitlines()[2] for row in rows if row.value is not None}
    lines = []
    for line in old.strip().splitlines()[2:]:
        lines.append(measured.pop(line.split(" | ")[0].removeprefix("| "), line))
    return "\n".join([*markdown([]).splitlines(), *lines, *measured.values()])


def write_card(path: Path, sections: dict[str, Callable[[str], str]]) -> None:
    """Replaces what stands between `<!-- NAME:begin -->` and `<!-- NAME:end -->` by what is made of it. Raises ValueError where a marker is missing."""
    text = path.read_text(encoding="utf-8")
    for name, made in sections.items():
        pattern = re.compile(rf"(<!-- {name}:begin -->\n)(.*?)(<!-- {name}:end -->)", re.S)
        if not pattern.search(text):
            raise ValueError(f"{path} has no section {name}")
        text = pattern.sub(lambda m: f"{m[1]}\n{made(m[2])}\n\n{m[3]}", text)
    path.write_text(text, encoding="utf-8")
