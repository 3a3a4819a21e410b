"""Wav2Vec-style feature encoder: 6 strided convolutions over the waveform, 16 kHz in, 50 Hz out.

Follows transformers' Wav2Vec2FeatureEncoder (norm = "layer" or "group"); with `causal` each convolution is padded on
the left by kernel - stride, so that frame t depends on samples before 320 (t + 1) only.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .config import FrontendConfig


class Frontend(nn.Module):
    def __init__(self, config: FrontendConfig):
        super().__init__()
        self.config = config
        inputs = [1, *config.channels[:-1]]
        self.conv = nn.ModuleList(
            nn.Conv1d(i, o, k, s) for i, o, k, s in zip(inputs, config.channels, config.kernel_sizes, config.strides)
        )
        if config.norm == "layer":
            self.norm = nn.ModuleList(nn.LayerNorm(c) for c in config.channels)
        else:
            self.norm = nn.ModuleList([nn.GroupNorm(config.channels[0], config.channels[0])])

    def forward(self, wave: torch.Tensor, stages: dict | None = None) -> torch.Tensor:
        """wave [B, N] -> [B, T, C], T = N / 320 (causal)."""
        x = wave[:, None, :]  # [B, 1, N]
        for i, conv in enumerate(self.conv):
            if self.config.causal:
                x = F.pad(x, (conv.kernel_size[0] - conv.stride[0], 0))
            x = conv(x)  # [B, C_i, N / stride]
            if self.config.norm == "layer":
                x = self.norm[i](x.transpose(1, 2)).transpose(1, 2)
            elif i == 0:
                x = self.norm[0](x)
            x = F.gelu(x)
            if stages is not None:
                stages[f"frontend.conv.{i}"] = x
        return x.transpose(1, 2)  # [B, T, C]
