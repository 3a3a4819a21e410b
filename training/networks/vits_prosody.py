"""Prosody predictor: duration of each unit; then, frame by frame, pitch, voicing and energy; then the prior's statistics."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .config import DecoderConfig, FeatureDecoderConfig


def same_pad(x: torch.Tensor, kernel: int) -> torch.Tensor:
    return F.pad(x, ((kernel - 1) // 2, kernel // 2))


class ConvNorm(nn.Module):
    """Convolution over time, ReLU, layer norm over channels."""

    def __init__(self, inputs: int, outputs: int, kernel: int):
        super().__init__()
        self.kernel = kernel
        self.conv = nn.Conv1d(inputs, outputs, kernel)
        self.norm = nn.LayerNorm(outputs)

    def forward(self, x: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """x [B, T, C], valid [B, T, 1]."""
        x = F.relu(self.conv(same_pad((x * valid).transpose(1, 2), self.kernel))).transpose(1, 2)
        return self.norm(x)


class Duration(nn.Module):
    """ln(frames) of each unit (VitsDurationPredictor's shape). Frames are 1 / 80 s."""

    def __init__(self, config: DecoderConfig | FeatureDecoderConfig):
        super().__init__()
        self.conv = nn.ModuleList([ConvNorm(config.hidden_size, config.duration_channels, 3), ConvNorm(config.duration_channels, config.duration_channels, 3)])
        self.proj = nn.Linear(config.duration_channels, 1)

    def forward(self, x: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        for conv in self.conv:
            x = conv(x, valid)
        return self.proj(x)[..., 0]  # [B, U]


def expand(x: torch.Tensor, durations: torch.Tensor, frames: int) -> torch.Tensor:
    """Repeat unit i durations[i] times and append its place: x [B, U, C], durations [B, U] -> [B, T, C + 2].

    The two last channels are (k + 0.5) / d, the place within the unit, and 0.1 d, its length in frames.
    """
    ends = durations.cumsum(1)  # [B, U]
    frame = torch.arange(frames, device=x.device)
    index = torch.searchsorted(ends, frame[None].expand(x.shape[0], -1).contiguous(), right=True).clamp(max=x.shape[1] - 1)  # [B, T]
    length = durations.gather(1, index).clamp(min=1)
    start = ends.gather(1, index) - durations.gather(1, index)
    place = (frame[None] - start + 0.5) / length
    x = x.gather(1, index[..., None].expand(-1, -1, x.shape[2]))
    return torch.cat([x, place[..., None].to(x.dtype), (0.1 * length)[..., None].to(x.dtype)], -1)


class Trunk(nn.Module):
    """Frame-level trunk with heads for pitch, voicing and energy."""

    def __init__(self, config: DecoderConfig | FeatureDecoderConfig):
        super().__init__()
        self.config = config
        size = config.hidden_size
        self.pre = nn.Linear(size + 2, size)
        self.conv = nn.ModuleList(ConvNorm(size, size, config.prosody_kernel) for _ in range(config.prosody_layers))
        self.out = nn.Linear(size, 3)

    def forward(self, x: torch.Tensor, valid: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """x [B, T, C + 2] of `expand` -> trunk [B, T, C], prosody [B, T, 3].

        Prosody channels: (ln F0 - log_f0_mean) / log_f0_std, voicing logit, ln energy (standardised by the data).
        """
        x = self.pre(x)
        for conv in self.conv:
            x = x + conv(x, valid)
        return x, self.out(x)


class Prosody(Trunk):
    """The trunk, and the prior's mean and log deviation."""

    def __init__(self, config: DecoderConfig):
        super().__init__(config)
        size = config.hidden_size
        self.embd = nn.Conv1d(3, size, 3)
        self.stats_conv = ConvNorm(size, size, config.prosody_kernel)
        self.stats = nn.Linear(size, 2 * config.flow_size)

    def prior(self, trunk: torch.Tensor, pitch: torch.Tensor, voicing: torch.Tensor, energy: torch.Tensor, valid: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """trunk [B, T, C]; pitch (standardised), voicing in 0..1, energy [B, T] -> mean, log deviation [B, T, Z]."""
        prosody = torch.stack([pitch * voicing, voicing, energy], 1)  # [B, 3, T]
        x = trunk + self.embd(same_pad(prosody.to(trunk.dtype) * valid.transpose(1, 2).to(trunk.dtype), 3)).transpose(1, 2)
        x = x + self.stats_conv(x, valid)
        mean, log_scale = self.stats(x).chunk(2, -1)
        return mean, log_scale
