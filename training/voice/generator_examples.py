"""Windows of the teacher's features with the source's spectrum, and what a waveform generator makes of them: examples for a smaller generator.

A generator with frozen norms is a plain convolutional network. It sees a window as it sees a short utterance, but for the source, whose phase counts from the start of
the clip.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..export.istft_generator import FrozenVoice
from ..networks.istft_generator import IstftGenerator
from .examples import Clip, Clips


@dataclass
class Windows:
    """A batch of windows of T frames of 12.5 ms."""

    voices: torch.Tensor  # [N] numbers of the voices
    features: torch.Tensor  # [N, 512, T]
    source: torch.Tensor  # [N, 2 bins, 60 T + 1]

    def __len__(self) -> int:
        return len(self.voices)


def set_voices(generator: IstftGenerator, constants: list[FrozenVoice], voices: torch.Tensor) -> torch.Tensor:
    """Freezes the norms for a batch of voices; returns their styles [N, S]."""
    chosen = [constants[v] for v in voices.tolist()]
    generator.freeze([tuple(torch.stack([voice.statistics[i][j] for voice in chosen]) for j in (0, 1)) for i in range(len(generator.norms()))])
    return torch.stack([voice.style for voice in chosen])


class WindowDraw:
    """Draws windows of the named voices' clips: the voices equally often, a clip by its length."""

    def __init__(self, data: Clips, clips: list[Clip], names: list[str], frames: int, rng: np.random.Generator):
        self.data, self.frames, self.rng = data, frames, rng
        self.clips = [[clip for clip in clips if clip.voice == name and clip.frames >= frames] for name in names]
        missing = [name for name, found in zip(names, self.clips) if not found]
        if missing:
            raise ValueError(f"{missing[0]}: no clip of {frames} frames")

    @torch.no_grad()
    def draw(self, teacher: IstftGenerator, voices: list[int]) -> Windows:
        features, sources = [], []
        for voice in voices:
            weights = np.array([clip.frames - self.frames + 1 for clip in self.clips[voice]], np.float64)
            clip = self.clips[voice][self.rng.choice(len(weights), p=weights / weights.sum())]
            start = int(self.rng.integers(clip.frames - self.frames + 1))
            first = clip.start + start
            features.append(torch.tensor(self.data.features[first : first + self.frames].astype(np.float32)).T)
            f0 = torch.tensor(self.data.prosody[clip.start : clip.start + clip.frames, 0])[None]
            per_frame = teacher.config.hop_length // teacher.config.istft_hop
            sources.append(teacher.spectrum(teacher.harmonics(f0))[0, :, per_frame * start : per_frame * (start + self.frames) + 1])
        return Windows(torch.tensor(voices), torch.stack(features), torch.stack(sources))
