"""Mandarin tone module: pitch from the waveform, tones from the pitch, all causal.

1. NCCF: the normalised cross-correlation of the last 40 ms with the same samples `lag` earlier, for log-spaced lags of
   60-500 Hz. It is a smooth function of the samples, so no pitch candidate is ever picked: C++ and PyTorch cannot disagree.
2. Two causal convolutions and a linear layer turn it into a distribution over lags (its mean is ln F0) and a voicing probability.
3. ln F0 less its causal, voicing-weighted running mean goes through dilated causal convolutions to tone logits and to an
   embedding that the encoder adds to its input.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from .config import ToneConfig

HOP = 320
NCCF_EPSILON = 1e-6


def nccf(wave: torch.Tensor, lags: list[int]) -> torch.Tensor:
    """wave [B, N] -> [B, N / 320, lags + 1]; the last column is 0.1 ln(mean square + 1e-7)."""
    batch, length = wave.shape
    frames = length // HOP
    wave = wave[:, : frames * HOP]
    padded = F.pad(wave, (max(lags), 0))

    def windowed(x: torch.Tensor) -> torch.Tensor:  # sums over the frame and the one before it
        blocks = x.reshape(batch, frames, HOP).sum(-1)  # [B, T]
        return blocks + F.pad(blocks, (1, 0))[:, :-1]

    energy = windowed(wave * wave)
    columns = []
    for lag in lags:
        delayed = padded[:, max(lags) - lag : max(lags) - lag + frames * HOP]
        cross = windowed(wave * delayed)
        columns.append(cross / torch.sqrt(energy * windowed(delayed * delayed) + NCCF_EPSILON))
    columns.append(0.1 * torch.log(energy / (2 * HOP) + 1e-7))
    return torch.stack(columns, -1)


def causal_mean(values: torch.Tensor, weights: torch.Tensor, config: ToneConfig) -> torch.Tensor:
    """Exponentially forgetting weighted mean with a prior, up to and including each frame. [B, T] -> [B, T]."""
    age = torch.arange(values.shape[1], device=values.device)
    age = age[:, None] - age  # [T, T]: of the column's frame, when the row's comes
    decay = torch.where(age >= 0, config.mean_decay ** age.clamp(min=0), 0.0).T.to(values.dtype)
    total, count = (weights * values) @ decay, weights @ decay
    return (total + config.mean_prior_weight * config.mean_prior) / (count + config.mean_prior_weight)


class Tone(nn.Module):
    def __init__(self, config: ToneConfig, embedding_length: int):
        super().__init__()
        self.config = config
        lags = len(config.lags)
        self.conv = nn.ModuleList([nn.Conv1d(lags + 1, config.hidden, 3), nn.Conv1d(config.hidden, config.hidden, 3)])
        self.f0 = nn.Linear(config.hidden, lags + 1)
        inputs = [config.hidden + 2] + [config.tcn_channels] * (len(config.dilations) - 1)
        self.tcn = nn.ModuleList(
            nn.Conv1d(i, config.tcn_channels, config.kernel_size, dilation=d) for i, d in zip(inputs, config.dilations)
        )
        self.logits = nn.Linear(config.tcn_channels, config.classes)
        self.embd = nn.Linear(config.tcn_channels, embedding_length)
        self.register_buffer("log_f0", torch.tensor([math.log(16000 / lag) for lag in config.lags]), persistent=False)

    def forward(self, wave: torch.Tensor, stages: dict | None = None) -> dict[str, torch.Tensor]:
        """wave [B, N] -> log_f0, voicing [B, T]; lag_logits [B, T, lags]; voicing_logit [B, T]; logits [B, T, 6]; embedding [B, T, E]."""
        with torch.autocast(wave.device.type, enabled=False):
            features = nccf(wave.float(), self.config.lags)
        x = features.transpose(1, 2)  # [B, lags + 1, T]
        for conv in self.conv:
            x = F.gelu(conv(F.pad(x, (conv.kernel_size[0] - 1, 0))))
        pitch = self.f0(x.transpose(1, 2))  # [B, T, lags + 1]
        lag_logits, voicing_logit = pitch[..., :-1].float(), pitch[..., -1].float()
        log_f0 = (lag_logits.softmax(-1) * self.log_f0).sum(-1)
        voicing = voicing_logit.sigmoid()
        # The mean is a statistic, not a path for gradients: training through it buys nothing.
        with torch.autocast(wave.device.type, enabled=False):
            mean = causal_mean(log_f0.detach(), voicing.detach(), self.config)
        relative = 4 * voicing * (log_f0 - mean)
        x = torch.cat([x, relative[:, None].to(x.dtype), voicing[:, None].to(x.dtype)], 1)  # [B, hidden + 2, T]
        for i, conv in enumerate(self.tcn):
            y = F.gelu(conv(F.pad(x, ((conv.kernel_size[0] - 1) * conv.dilation[0], 0))))
            x = y if i == 0 else x + y  # [B, tcn_channels, T]
        x = x.transpose(1, 2)
        out = {
            "log_f0": log_f0,
            "voicing": voicing,
            "lag_logits": lag_logits,
            "voicing_logit": voicing_logit,
            "logits": self.logits(x),
            "embedding": self.embd(x),
        }
        if stages is not None:
            stages.update({"tone.nccf": features, "tone.log_f0": log_f0, "tone.voicing": voicing, "tone.logits": out["logits"], "tone.embedding": out["embedding"]})
        return out
