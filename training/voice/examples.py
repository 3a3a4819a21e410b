"""Training examples of nano's voice: random windows of the teacher's clips with units, prosody and the generator's features (data/teacher_features.py)."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..data.corpora import manifest_rows
from ..data.speakers import blend_split
from ..data.teacher_features import CHANNELS, FOLDER, FRAME
from ..data.units import SPACE, UNIT_ID, teacher_to_units
from ..data.voices import voice_vector
from ..decoder.examples import ENERGY, collate, padded, standardised_pitch, unit_window, with_edges
from ..folders import runs_folder
from ..networks.config import FeatureDecoderConfig

HELD_OUT = 40  # one sentence in so many, by its words: the same one in every voice
VOICED_ABOVE = 10.0  # Hz: the generator's own bound (istft_generator)


@dataclass
class Clip:
    id: str
    lang: str
    kind: str
    voice: str
    text: str
    tokens: int  # of the teacher, which choose the row of the voice's table
    ids: np.ndarray  # [U] units, with a space at both ends for the silence there
    durations: np.ndarray  # [U] frames of 12.5 ms
    start: int  # of the first frame, in the files
    pitch: np.ndarray  # [T] standardised ln F0, interpolated where unvoiced
    voiced: np.ndarray  # [T]
    energy: np.ndarray  # [T] standardised

    @property
    def frames(self) -> int:
        return len(self.pitch)


def normalised(text: str) -> str:
    """A sentence without case, spacing and punctuation: what decides whether it is held out."""
    return re.sub(r"[\W_]+", "", text.lower())


def held_out(text: str) -> bool:
    return zlib.crc32(normalised(text).encode()) % HELD_OUT == 0


class Clips:
    """What `data.teacher_features` made, mapped into memory."""

    def __init__(self, config: FeatureDecoderConfig, folder: Path | None = None):
        folder = folder or runs_folder() / FOLDER
        rows = list(manifest_rows(folder))
        total = sum(row["frames"] for row in rows)
        self.features = np.memmap(folder / "features.f16", np.float16, "r", shape=(total, CHANNELS))
        self.prosody = np.fromfile(folder / "prosody.f32", np.float32, 2 * total).reshape(total, 2)
        self.audio = np.memmap(folder / "audio.i16", np.int16, "r", shape=(total * FRAME,))
        self.clips = [clip for row in rows if (clip := self._clip(row, config))]

    def _clip(self, row: dict, config: FeatureDecoderConfig) -> Clip | None:
        if blend_split(row["voice"]) != "train":
            return None
        aligned = teacher_to_units(row["phonemes"], row["durations"], row["lang"])
        durations, skip = with_edges(aligned.lead, aligned.durations, aligned.tail)
        edge = UNIT_ID[SPACE]
        start, frames = row["start"] + skip, int(durations.sum())
        f0, energy = self.prosody[start : start + frames].T
        voiced = f0 > VOICED_ABOVE
        if skip + frames > row["frames"] or not voiced.any():
            return None
        pitch = standardised_pitch(f0, voiced, config)
        return Clip(row["id"], row["lang"], row["kind"], row["voice"], row["text"], row["style_row"], np.array([edge, *aligned.ids, edge]), durations, start,
                    pitch, voiced.astype(np.float32), ((energy - ENERGY[0]) / ENERGY[1]).astype(np.float32))  # fmt: skip

    def train(self) -> list[Clip]:
        return [clip for clip in self.clips if not held_out(clip.text)]

    def valid(self) -> list[Clip]:
        return [clip for clip in self.clips if held_out(clip.text)]

    def statistics(self, clips: list[Clip]) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean over time of each feature, and its deviation within clips, averaged over at most 400 of them: [512] each."""
        clips = clips[:: max(1, len(clips) // 400)]
        values = [self.features[clip.start : clip.start + clip.frames].astype(np.float32) for clip in clips]
        mean = np.mean([v.mean(0) for v in values], 0)
        return torch.tensor(mean), torch.tensor(np.sqrt(np.mean([((v - mean) ** 2).mean(0) for v in values], 0)))

    def window(self, clip: Clip, window: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
        start, item = unit_window(clip.ids, clip.durations, window, rng)
        speaker, style = voice_vector(clip.voice, None if rng.random() < 0.5 else clip.tokens)
        first = clip.start + start
        features = padded(self.features[first : first + min(window, clip.frames - start)].astype(np.float32), 0, window)
        prosody = {name: padded(getattr(clip, name), start, window) for name in ("pitch", "voiced", "energy")}
        return {**item, **prosody, "features": features, "speaker": speaker, "style": style}

    def batch(self, clips: list[Clip], chances: np.ndarray, size: int, window: int, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        return collate([self.window(clips[i], window, rng) for i in rng.choice(len(clips), size, p=chances)])


def chances(clips: list[Clip]) -> np.ndarray:
    """A clip is drawn by its length, single words oftener than that; the languages equally."""
    weights = np.array([60 + min(clip.frames, 400) for clip in clips], np.float64)
    for lang in {clip.lang for clip in clips}:
        mine = np.array([clip.lang == lang for clip in clips])
        weights[mine] /= weights[mine].sum()
    return weights / weights.sum()
