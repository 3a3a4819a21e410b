"""What the waveform generator is fed, frame by frame, from the prosody predictor's trunk: a plain network where VITS has a prior and a flow.

The teacher's features are nearly a function of phonemes, durations, pitch, voicing, energy and voice, so their mean is all that is needed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .config import FeatureDecoderConfig
from .vits_prosody import same_pad


class FeatureBlock(nn.Module):
    """Layer norm over channels, scaled and shifted by the speaker; a dilated convolution, GELU and a linear layer, around which a residual goes."""

    def __init__(self, size: int, gin_channels: int, kernel: int, dilation: int):
        super().__init__()
        self.span, self.norm = (kernel - 1) * dilation + 1, nn.LayerNorm(size, elementwise_affine=False)
        self.cond = nn.Linear(gin_channels, 2 * size)
        self.conv, self.out = nn.Conv1d(size, size, kernel, dilation=dilation), nn.Linear(size, size)

    def forward(self, x: torch.Tensor, g: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """x [B, T, C], g [B, G], valid [B, T, 1] -> [B, T, C]."""
        gain, shift = self.cond(g)[:, None].chunk(2, -1)
        y = (self.norm(x) * (1 + gain) + shift) * valid
        y = self.conv(same_pad(y.transpose(1, 2), self.span)).transpose(1, 2)
        return x + self.out(F.gelu(y))


class Features(nn.Module):
    def __init__(self, config: FeatureDecoderConfig):
        super().__init__()
        size = config.feature_hidden
        self.pre = nn.Conv1d(config.hidden_size + 3, size, 3)
        self.blk = nn.ModuleList(FeatureBlock(size, config.gin_channels, config.feature_kernel, d) for d in config.feature_dilations)
        self.out = nn.Linear(size, config.feature_size)

    def forward(self, trunk: torch.Tensor, pitch: torch.Tensor, voicing: torch.Tensor, energy: torch.Tensor, g: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
        """trunk [B, T, C]; pitch (standardised), voicing (0 or 1), energy [B, T]; speaker g [B, G] -> the generator's input [B, T, 512]."""
        prosody = torch.stack([pitch * voicing, voicing, energy], -1)
        x = torch.cat([trunk, prosody.to(trunk.dtype)], -1) * valid
        x = self.pre(same_pad(x.transpose(1, 2), 3)).transpose(1, 2)
        for block in self.blk:
            x = block(x, g, valid)
        return self.out(x)
