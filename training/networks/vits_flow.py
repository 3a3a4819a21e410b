"""Residual coupling flow with WaveNet conditioners (transformers' VitsResidualCouplingBlock), mean-only; and the posterior encoder."""

from __future__ import annotations

import torch
from torch import nn

from .config import DecoderConfig
from .vits_prosody import same_pad


class WaveNet(nn.Module):
    def __init__(self, hidden: int, layers: int, kernel: int, gin: int):
        super().__init__()
        self.hidden, self.kernel = hidden, kernel
        self.cond = nn.Linear(gin, 2 * hidden * layers)
        self.inp = nn.ModuleList(nn.Conv1d(hidden, 2 * hidden, kernel) for _ in range(layers))
        self.rs = nn.ModuleList(nn.Conv1d(hidden, 2 * hidden if i < layers - 1 else hidden, 1) for i in range(layers))

    def forward(self, x: torch.Tensor, valid: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        """x [B, H, T], valid [B, 1, T], g [B, G] -> [B, H, T]: the sum of the skip outputs."""
        condition = self.cond(g)[..., None]  # [B, 2 H L, 1]
        output = 0
        for i, (inp, rs) in enumerate(zip(self.inp, self.rs)):
            y = inp(same_pad(x, self.kernel)) + condition[:, 2 * self.hidden * i : 2 * self.hidden * (i + 1)]
            a, b = y.chunk(2, 1)
            y = rs(torch.tanh(a) * torch.sigmoid(b))
            if i < len(self.inp) - 1:
                x = (x + y[:, : self.hidden]) * valid
                output = output + y[:, self.hidden :]
            else:
                output = output + y
        return output * valid


class Coupling(nn.Module):
    def __init__(self, config: DecoderConfig):
        super().__init__()
        half = config.flow_size // 2
        self.pre = nn.Conv1d(half, config.wavenet_hidden, 1)
        self.wn = WaveNet(config.wavenet_hidden, config.wavenet_layers, config.wavenet_kernel, config.gin_channels)
        self.post = nn.Conv1d(config.wavenet_hidden, half, 1)
        nn.init.zeros_(self.post.weight)
        nn.init.zeros_(self.post.bias)

    def mean(self, first: torch.Tensor, valid: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        return self.post(self.wn(self.pre(first) * valid, valid, g)) * valid


class Flow(nn.Module):
    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.layers = nn.ModuleList(Coupling(config) for _ in range(config.flow_count))

    def forward(self, z: torch.Tensor, valid: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        """Posterior to prior: z [B, Z, T]."""
        for layer in self.layers:
            first, second = z.chunk(2, 1)
            z = torch.cat([first, second + layer.mean(first, valid, g)], 1).flip(1)
        return z

    def inverse(self, z: torch.Tensor, valid: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
        """Prior to posterior."""
        for layer in reversed(self.layers):
            first, second = z.flip(1).chunk(2, 1)
            z = torch.cat([first, second - layer.mean(first, valid, g)], 1)
        return z


class Posterior(nn.Module):
    """q(z | spectrogram), training only. Linear magnitudes [B, n_fft / 2 + 1, T] -> z, mean, log deviation [B, Z, T]."""

    def __init__(self, config: DecoderConfig, bins: int):
        super().__init__()
        self.pre = nn.Conv1d(bins, config.wavenet_hidden, 1)
        self.wn = WaveNet(config.wavenet_hidden, config.posterior_layers, config.wavenet_kernel, config.gin_channels)
        self.proj = nn.Conv1d(config.wavenet_hidden, 2 * config.flow_size, 1)

    def forward(self, spectrogram: torch.Tensor, valid: torch.Tensor, g: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        mean, log_scale = (self.proj(self.wn(self.pre(spectrogram) * valid, valid, g)) * valid).chunk(2, 1)
        return (mean + torch.randn_like(mean) * log_scale.exp()) * valid, mean, log_scale
