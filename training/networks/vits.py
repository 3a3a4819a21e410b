"""The decoder: units to waveform. Unit encoder -> durations -> prosody -> prior -> inverse flow -> generator."""

from __future__ import annotations

import torch
from torch import nn

from .config import DecoderConfig
from .vits_flow import Flow
from .vits_generator import Generator
from .vits_prosody import Duration, Prosody, expand
from .vits_text import UnitEncoder


class Decoder(nn.Module):
    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.config = config
        self.speaker = nn.Linear(config.style_size, config.gin_channels)
        self.text = UnitEncoder(config)
        self.duration = Duration(config)
        self.prosody = Prosody(config)
        self.flow = Flow(config)
        self.gen = Generator(config)

    @torch.no_grad()
    def infer(
        self,
        units: torch.Tensor,
        speaker: torch.Tensor,
        style: torch.Tensor,
        noise: torch.Tensor | None = None,
        noise_scale: float = 0.667,
        speed: float = 1.0,
        durations: torch.Tensor | None = None,
        pitch_shift: float = 0.0,
        pitch_range: float = 1.0,
        energy_shift: float = 0.0,
        source_noise: torch.Tensor | None = None,
        stages: dict | None = None,
    ) -> torch.Tensor:
        """units [1, U], speaker and style [1, S], noise [1, T', Z] (T' >= T), source_noise [1, 88, 10 T'] -> waveform [1, 200 T].

        pitch_shift in ln F0, pitch_range a factor about the voice's mean in log F0, energy_shift in ln energy's deviations.
        """
        config = self.config
        g = self.speaker(speaker)  # [1, G]
        x = self.text(units, style, torch.ones(1, units.shape[1], 1), stages=stages)  # [1, U, C]
        log_durations = self.duration(x, torch.ones(1, units.shape[1], 1))
        if durations is None:
            durations = (log_durations.exp() / speed).round().clamp(min=1).long()  # [1, U]
        frames = int(durations.sum())
        valid = torch.ones(1, frames, 1)
        trunk, prosody = self.prosody(expand(x, durations, frames), valid)
        pitch = prosody[..., 0] * pitch_range + pitch_shift / config.log_f0_std
        voicing, energy = prosody[..., 1].sigmoid(), prosody[..., 2] + energy_shift
        mean, log_scale = self.prosody.prior(trunk, pitch, voicing, energy, valid)
        if noise is None:
            noise = torch.randn(1, frames, config.flow_size)
        z = mean + noise[:, :frames] * log_scale.exp() * noise_scale  # [1, T, Z]
        z = self.flow.inverse(z.transpose(1, 2), valid.transpose(1, 2), g)  # [1, Z, T]
        if stages is not None:
            stages.update({"decoder.text": x, "decoder.log_durations": log_durations, "decoder.durations": durations, "decoder.trunk": trunk,
                           "decoder.prosody": prosody, "decoder.prior_mean": mean, "decoder.prior_log_scale": log_scale, "decoder.z": z})
        if not config.source:
            return self.gen(z, g, stages=stages)
        source = self.gen.source(pitch, voicing)
        if source_noise is None:
            source_noise = torch.randn(source.shape)
        if stages is not None:
            stages["decoder.gen.source"] = source
        return self.gen(z, g, source, source_noise[..., : source.shape[-1]], stages)
