"""What the coffee orders say: fifty people and more, but no transcripts. Whisper-base writes them down; kept are those that hold the labelled slots.

    python -m training.data.coffee

Reads the en-coffee corpus and writes $MOSS_RUNS/en-coffee.jsonl (id, text; text is empty where a slot was misheard). Resumes.
"""

from __future__ import annotations

import json
import time

from ..folders import data_folder, runs_folder
from .asr_judge import Judge, normalise
from .corpora import COFFEE_TEXTS, coffee_texts, manifest_rows
from .prepare import decode

PROMPT = "Coffee orders: could I have a twelve ounce iced mocha, dark roast, double shot, with a little bit of skim milk and some brown sugar?"


def holds(text: str, slots: dict[str, str]) -> bool:
    """Whether every slot's words stand in the text as they are."""
    words = " ".join(["", *normalise(text, "en"), ""])
    return all(" ".join(["", *normalise(slot, "en"), ""]) in words for slot in slots.values())


def main() -> None:
    folder = data_folder() / "en-coffee"
    rows = list(manifest_rows(folder))
    out, done = runs_folder() / COFFEE_TEXTS, coffee_texts()
    judge, started, kept = Judge(), time.time(), 0
    for i, row in enumerate(rows):
        if row["id"] in done:
            continue
        text = judge.read(decode(str(folder / row["file"])), "en", PROMPT)
        fine = holds(text, row["slots"])
        kept += fine
        with open(out, "a", encoding="utf-8") as file:
            file.write(json.dumps({"id": row["id"], "text": " ".join(normalise(text, "en")) if fine else ""}) + "\n")
        if (i + 1) % 25 == 0:
            print(f"{i + 1} of {len(rows)}, {kept} kept, {time.time() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
