"""Discriminators of the waveform, training only: multi-period (HiFi-GAN) and multi-resolution spectrogram (UnivNet), made small."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

SLOPE = 0.1


class PeriodDiscriminator(nn.Module):
    """HiFi-GAN's, whose (5, 1) kernels see one phase of the period only: so the phases are rows of the batch."""

    def __init__(self, period: int, channels: list[int]):
        super().__init__()
        self.period = period
        sizes = [1, *channels]
        strides = [3] * (len(channels) - 1) + [1]
        self.convs = nn.ModuleList(weight_norm(nn.Conv1d(a, b, 5, s, 2)) for a, b, s in zip(sizes, sizes[1:], strides))
        self.post = weight_norm(nn.Conv1d(sizes[-1], 1, 3, 1, 1))

    def forward(self, wave: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """wave [B, N] -> score, features, each [B period, C, N / period / stride]."""
        x = F.pad(wave[:, None], (0, -wave.shape[1] % self.period), "reflect")
        x = x.view(wave.shape[0], -1, self.period).transpose(1, 2).reshape(wave.shape[0] * self.period, 1, -1)
        features = []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), SLOPE)
            features.append(x)
        return self.post(x), features


class SpectrogramDiscriminator(nn.Module):
    def __init__(self, n_fft: int, hop: int, channels: int):
        super().__init__()
        self.n_fft, self.hop = n_fft, hop
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        sizes = [1, channels, 2 * channels, 4 * channels, 4 * channels]
        strides = [(4, 2), (4, 1), (2, 1), (1, 1)]
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv2d(a, b, (7 if s[0] > 1 else 3, 3), s, (3 if s[0] > 1 else 1, 1))) for a, b, s in zip(sizes, sizes[1:], strides)
        )
        self.post = weight_norm(nn.Conv2d(sizes[-1], 1, 3, 1, 1))

    def forward(self, wave: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """wave [B, N] -> score, features."""
        spectrum = torch.stft(wave.float(), self.n_fft, self.hop, window=self.window, return_complex=True)
        x = (spectrum.real**2 + spectrum.imag**2 + 1e-9).sqrt()[:, None]  # [B, 1, n_fft / 2 + 1, T]
        x = (x + 1e-4).log() * 0.3 + 1
        features = []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), SLOPE)
            features.append(x)
        return self.post(x), features


class Discriminators(nn.Module):
    def __init__(
        self,
        periods: tuple[int, ...] = (2, 3, 5, 7, 11),
        period_channels: tuple[int, ...] = (16, 32, 64, 128, 128),
        resolutions: tuple[tuple[int, int], ...] = ((1024, 200), (320, 60)),
        spectrogram_channels: int = 16,
    ):
        super().__init__()
        self.all = nn.ModuleList(
            [PeriodDiscriminator(p, list(period_channels)) for p in periods]
            + [SpectrogramDiscriminator(n, hop, spectrogram_channels) for n, hop in resolutions]
        )

    def forward(self, wave: torch.Tensor) -> list[tuple[torch.Tensor, list[torch.Tensor]]]:
        """wave [B, N] -> (score, features) of each discriminator."""
        return [discriminator(wave) for discriminator in self.all]
