"""Starting weights that spare the network the rediscovery of filter banks and pitch tracking from raw samples."""

from __future__ import annotations

import math

import torch

from ..networks.frontend import Frontend
from ..networks.tone import Tone


@torch.no_grad()
def gabor_filters(frontend: Frontend, low: float = 70.0, high: float = 7400.0) -> None:
    """The first convolution becomes a mel-spaced bank of Gabor filters of alternating phase, pre-emphasised, without bias.

    The default bias would drown quiet signals before the layer norm, and speech's high bands are 20–30 dB below its low ones.
    """
    conv = frontend.conv[0]
    count, _, taps = conv.weight.shape
    mel = torch.linspace(math.log1p(low / 700), math.log1p(high / 700), count)
    center = 700 * torch.expm1(mel)  # Hz
    bandwidth = (24.7 + 0.108 * center).clamp(min=110.0)  # equivalent rectangular bandwidth, as far as the kernel resolves it
    time = (torch.arange(taps) - (taps - 1) / 2) / frontend.config.sample_rate
    window = torch.exp(-0.5 * (2 * math.pi * 0.7 * bandwidth[:, None] * time) ** 2) * torch.hann_window(taps, periodic=False)
    phase = torch.arange(count) % 4 * (math.pi / 2)
    filters = window * torch.cos(2 * math.pi * center[:, None] * time + phase[:, None])
    filters = filters - filters.mean(1, keepdim=True)
    emphasis = (center / 500).clamp(0.7, 16).pow(0.8)
    conv.weight.copy_((emphasis[:, None] * filters / filters.norm(dim=1, keepdim=True))[:, None])
    conv.bias.zero_()


@torch.no_grad()
def correlation_peaks(tone: Tone, gain: float = 3.0) -> None:
    """The pitch layers pass the correlation of each lag through, so that the likeliest lag is that of the highest peak."""
    lags = len(tone.config.lags)
    count = min(lags, tone.config.hidden)
    for conv in tone.conv:
        conv.weight.mul_(0.3)
        conv.weight[range(count), range(count), -1] += gain if conv is tone.conv[0] else 1.0
    tone.f0.weight.mul_(0.3)
    tone.f0.weight[range(count), range(count)] += 2 * gain
    tone.f0.bias[:lags] = 0.03 * torch.arange(lags).flip(0)  # of equal peaks the shortest lag is the period


def initialize(frontend: Frontend, tone: Tone) -> None:
    gabor_filters(frontend)
    correlation_peaks(tone)
