"""nano's voice: phonemes to the generator's features and pitch. Unit encoder -> durations -> prosody -> features; then `istft_generator`."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from .config import FeatureDecoderConfig
from .generator_features import Features
from .vits_prosody import Duration, Trunk, expand
from .vits_text import UnitEncoder


class VoiceFeatures(NamedTuple):
    features: torch.Tensor  # [1, T, 512]
    f0: torch.Tensor  # [1, T] Hz, 0 where unvoiced
    durations: torch.Tensor  # [1, U] frames


class FeatureDecoder(nn.Module):
    def __init__(self, config: FeatureDecoderConfig):
        super().__init__()
        self.config = config
        self.speaker = nn.Linear(2 * config.style_size, config.gin_channels)
        self.text = UnitEncoder(config)
        self.duration = Duration(config)
        self.prosody = Trunk(config)
        self.features = Features(config)

    @torch.no_grad()
    def infer(self, units: torch.Tensor, speaker: torch.Tensor, style: torch.Tensor, speed: float = 1.0, durations: torch.Tensor | None = None,
              pitch_shift: float = 0.0, pitch_range: float = 1.0, energy_shift: float = 0.0, prosody: torch.Tensor | None = None,
              stages: dict | None = None) -> VoiceFeatures:  # fmt: skip
        """units [1, U], speaker and style [1, S] raw voice vectors; durations [1, U] and prosody [1, T, 3] (pitch, voicing 0 or 1, energy) where the true ones are to be used."""
        config = self.config
        valid = torch.ones(1, units.shape[1], 1)
        g = nn.functional.gelu(self.speaker(torch.cat([speaker, style], -1)))  # [1, G]
        x = self.text(units, style, valid)  # [1, U, C]
        log_durations = self.duration(x, valid)
        if durations is None:
            durations = (log_durations.exp() / speed).round().clamp(min=1).long()  # [1, U]
        frames = int(durations.sum())
        valid = torch.ones(1, frames, 1)
        trunk, predicted = self.prosody(expand(x, durations, frames), valid)
        pitch, voicing, energy = predicted[..., 0], (predicted[..., 1] > 0).float(), predicted[..., 2]
        if prosody is not None:
            pitch, voicing, energy = prosody.unbind(-1)
        pitch, energy = pitch * pitch_range + pitch_shift / config.log_f0_std, energy + energy_shift
        features = self.features(trunk, pitch, voicing, energy, g, valid)
        if stages is not None:
            stages.update({"decoder.text": x, "decoder.log_durations": log_durations, "decoder.durations": durations.float(),
                           "decoder.trunk": trunk, "decoder.prosody": predicted, "decoder.features": features})  # fmt: skip
        return VoiceFeatures(features, (pitch * config.log_f0_std + config.log_f0_mean).exp() * voicing, durations)
