"""Turns through the shipped library: `run_turns.mjs` in a process of its own, one turn after the other."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterable

ROOT = Path(__file__).resolve().parents[2]
DRIVER = Path(__file__).with_name("run_turns.mjs")


@dataclass
class Turn:
    """One answer of the library; `error` is set where there was none."""

    id: str
    units: str = ""  # spoken
    text: str = ""
    heard: dict[str, Any] = field(default_factory=dict)  # text, language, units, pinyin
    timings: dict[str, float] = field(default_factory=dict)
    cpuSeconds: float = 0.0  # of all threads
    wav: str = ""
    error: str = ""

    @property
    def seconds(self) -> float:
        """Input and reply."""
        return self.timings.get("inputSeconds", 0.0) + self.timings.get("replySeconds", 0.0)


class Library:
    """A loaded model in a node process. `info` is the model's description."""

    def __init__(self, model: Path, threads: int, wavs: Path | None = None):
        node = shutil.which("node")
        if node is None:
            raise RuntimeError("node is not on the PATH")
        if not (ROOT / "dist" / "lib" / "index.mjs").exists():
            raise RuntimeError("the library is not built: npm ci")
        command = [node, str(DRIVER), str(model.resolve()), "--threads", str(threads), *(["--out", str(wavs)] if wavs else [])]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        first = self.process.stdout.readline()
        if not first:
            raise RuntimeError(f"{model} could not be loaded (see above)")
        self.info: dict[str, Any] = json.loads(first)["model"]

    def run(self, jobs: Iterable[dict[str, Any]], label: str) -> dict[str, Turn]:
        """The turns of `jobs` (see run_turns.mjs) by their ids."""
        jobs = list(jobs)

        def feed() -> None:
            for job in jobs:
                self.process.stdin.write(json.dumps(job, ensure_ascii=False) + "\n")
            self.process.stdin.flush()

        feeder = threading.Thread(target=feed, daemon=True)
        feeder.start()
        done: dict[str, Turn] = {}
        for job in jobs:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f"the library stopped at {job['id']}")
            row = {k: v for k, v in json.loads(line).items() if v is not None}
            done[row["id"]] = Turn(**row)
            if sys.stderr.isatty():
                print(f"\r{label}: {len(done)}/{len(jobs)} ", end="\n" if len(done) == len(jobs) else "", file=sys.stderr, flush=True)
        feeder.join()
        failed = [t for t in done.values() if t.error]
        if failed:
            print(f"{label}: {len(failed)} of {len(done)} turns failed, the first with {failed[0].error}", file=sys.stderr)
        return done

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()

    def __enter__(self) -> Library:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
