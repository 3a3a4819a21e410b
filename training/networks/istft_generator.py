"""Waveform generator of Kokoro-82M and StyleTTS 2 (iSTFTNet with a harmonic source; Apache-2.0): features and F0 to a waveform.

    features [B, 512, T at 80 Hz] ─► up 10 ─► residual blocks ─► up 6 ─► residual blocks ─► log magnitude and phase ─► iSTFT ─► 24 kHz
                                      ▲                           ▲
             F0 ─► sines ─► STFT ─► noise convolution 0       noise convolution 1

Its normalisations take mean and variance over the whole utterance, so it cannot stream. `freeze` replaces them by constants of the voice,
averaged over clips: the network is a plain convolutional one then, whose windows equal the whole. The sines' phase is counted from the start.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import nn

EPSILON = 1e-5
HARMONICS = 9
SINE_AMPLITUDE = 0.1
VOICED_ABOVE = 10.0  # Hz
LEAST_PART = 1e-7  # of a bin of the source: what is smaller is rounding


@dataclass
class IstftGeneratorConfig:
    feature_size: int = 512
    style_size: int = 128
    channels: list[int] = field(default_factory=lambda: [256, 128])  # after each up-sampling
    upsample_rates: list[int] = field(default_factory=lambda: [10, 6])
    upsample_kernels: list[int] = field(default_factory=lambda: [20, 12])
    resblock_kernels: list[int] = field(default_factory=lambda: [3, 7, 11])
    resblock_dilations: list[int] = field(default_factory=lambda: [1, 3, 5])
    noise_kernels: list[int] = field(default_factory=lambda: [7, 11])  # of the residual block behind each noise convolution
    istft_n_fft: int = 20
    istft_hop: int = 5
    sample_rate: int = 24000

    @property
    def hop_length(self) -> int:
        return math.prod(self.upsample_rates) * self.istft_hop


class AdaIn(nn.Module):
    """Instance norm whose scale and shift depend on the style; with constants instead of the utterance's statistics once frozen."""

    def __init__(self, style_size: int, channels: int):
        super().__init__()
        self.fc = nn.Linear(style_size, 2 * channels)
        self.constant: tuple[torch.Tensor, torch.Tensor] | None = None  # mean and variance [C] of the voice, or [B, C] of a voice each
        self.seen: list[tuple[int, torch.Tensor, torch.Tensor]] | None = None  # where statistics are collected

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        """x [B, C, T], style [B, S] -> [B, C, T]."""
        gain, shift = self.fc(style)[..., None].chunk(2, 1)
        if self.constant is not None:
            mean, variance = (c[..., None] for c in self.constant)
            scale = (1 + gain) / (variance + EPSILON).sqrt()
            return torch.addcmul(shift - mean * scale, x, scale)
        mean, variance = x.mean(2, keepdim=True), x.var(2, keepdim=True, unbiased=False)
        if self.seen is not None:
            self.seen.append((x.shape[2], mean[0, :, 0].detach(), variance[0, :, 0].detach()))
        return (1 + gain) * (x - mean) / (variance + EPSILON).sqrt() + shift


class Snake(nn.Module):
    """x + sin²(αx) / α, an α a channel."""

    def __init__(self, channels: int):
        super().__init__()
        self.alpha = nn.Parameter(torch.ones(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        alpha = self.alpha[:, None]
        return x + (alpha * x).sin().square() / alpha


class ResBlock(nn.Module):
    """HiFi-GAN's residual block of type 1 with AdaIN and snakes."""

    def __init__(self, style_size: int, channels: int, kernel: int, dilations: list[int]):
        super().__init__()
        conv = lambda d: nn.Conv1d(channels, channels, kernel, dilation=d, padding=(kernel - 1) * d // 2)  # noqa: E731
        count = len(dilations)
        self.conv1, self.conv2 = nn.ModuleList(map(conv, dilations)), nn.ModuleList(conv(1) for _ in dilations)
        self.norm1, self.norm2 = (nn.ModuleList(AdaIn(style_size, channels) for _ in range(count)) for _ in range(2))
        self.snake1, self.snake2 = (nn.ModuleList(Snake(channels) for _ in range(count)) for _ in range(2))

    def forward(self, x: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        for conv1, conv2, norm1, norm2, snake1, snake2 in zip(self.conv1, self.conv2, self.norm1, self.norm2, self.snake1, self.snake2):
            x = x + conv2(snake2(norm2(conv1(snake1(norm1(x, style))), style)))
        return x


class IstftGenerator(nn.Module):
    def __init__(self, config: IstftGeneratorConfig):
        super().__init__()
        self.config = config
        bins = config.istft_n_fft // 2 + 1
        self.source = nn.Linear(HARMONICS, 1)
        self.up, self.res, self.noise_conv, self.noise_res = (nn.ModuleList() for _ in range(4))
        channels = config.feature_size
        for i, (rate, kernel, width) in enumerate(zip(config.upsample_rates, config.upsample_kernels, config.channels)):
            self.up.append(nn.ConvTranspose1d(channels, width, kernel, rate, (kernel - rate) // 2))
            channels = width
            stride = math.prod(config.upsample_rates[i + 1 :])  # from the spectrum's frames to this level's
            self.noise_conv.append(nn.Conv1d(2 * bins, width, 2 * stride if stride > 1 else 1, stride, (stride + 1) // 2 if stride > 1 else 0))
            self.noise_res.append(ResBlock(config.style_size, width, config.noise_kernels[i], config.resblock_dilations))
            self.res.extend(ResBlock(config.style_size, width, kernel, config.resblock_dilations) for kernel in config.resblock_kernels)
        self.post = nn.Conv1d(channels, 2 * bins, 7, padding=3)
        self.register_buffer("window", torch.hann_window(config.istft_n_fft), persistent=False)

    def harmonics(self, f0: torch.Tensor) -> torch.Tensor:
        """F0 in Hz [B, T] -> the source [B, hop T] in double precision: nine sines through a learned mixture and tanh; zero where unvoiced but for the bias.

        The phase is the sum over frames of F0's turns a frame and runs in a straight line between the frames' middles, constant in the first and the last half frame.
        """
        hop, rate = self.config.hop_length, self.config.sample_rate
        order = torch.arange(1, HARMONICS + 1, dtype=torch.float64, device=f0.device)
        turns = (f0.double()[:, None] * order[:, None] / rate) % 1  # [B, 9, T], of a sample
        phase = turns.cumsum(2) * hop  # in turns, at the middle of a frame
        phase = F.interpolate(phase, scale_factor=float(hop), mode="linear")  # [B, 9, hop T]
        voiced = (f0 > VOICED_ABOVE).repeat_interleave(hop, 1)[:, None]
        sines = SINE_AMPLITUDE * (2 * math.pi * (phase % 1)).sin() * voiced
        return F.linear(sines.transpose(1, 2), self.source.weight.double(), self.source.bias.double()).tanh()[..., 0]

    def spectrum(self, wave: torch.Tensor) -> torch.Tensor:
        """[B, n] -> magnitudes and phases of its STFT [B, 2 bins, n / istft_hop + 1], the edges mirrored.

        In double precision: what the sines leak into the bins far above them is small, and its phase is an input like any other. Nothing depends on
        rounding: where the source is constant, unvoiced, a bin is 0, of phase 0, or real, of phase 0 or pi.
        """
        config = self.config
        window = torch.hann_window(config.istft_n_fft, dtype=torch.float64, device=wave.device)
        parts = torch.stft(wave.double(), config.istft_n_fft, config.istft_hop, window=window, center=True, pad_mode="reflect", return_complex=True)
        imaginary = parts.imag.masked_fill(parts.imag.abs() < LEAST_PART, 0.0)
        magnitude = torch.hypot(parts.real, imaginary)
        phase = torch.atan2(imaginary, parts.real).masked_fill(magnitude < LEAST_PART, 0.0)
        return torch.cat([magnitude, phase], 1).float()

    def frames(self, features: torch.Tensor, style: torch.Tensor, source: torch.Tensor, stages: dict | None = None) -> torch.Tensor:
        """features [B, 512, T], style [B, S], source spectrum [B, 2 bins, 60 T + 1] -> log magnitudes and phases [B, 2 bins, 60 T + 1]."""
        x = features
        for i in range(len(self.up)):
            x = self.level(i, x, style, source, stages)
        return self.post(F.leaky_relu(x))  # slope 0.01

    def level(self, i: int, x: torch.Tensor, style: torch.Tensor, source: torch.Tensor, stages: dict | None = None) -> torch.Tensor:
        """The output of the level before, or the features, [B, C, T] -> this level's [B, C', rate T], the last one's a frame longer."""
        blocks = len(self.config.resblock_kernels)
        x = self.up[i](F.leaky_relu(x, 0.1))
        if i == len(self.up) - 1:
            x = F.pad(x, (1, 0), mode="reflect")  # the STFT has a frame more than it has hops
        x = x + self.noise_res[i](self.noise_conv[i](source), style)
        if stages is not None:
            stages[f"generator.up.{i}"] = x
        x = sum(block(x, style) for block in self.res[i * blocks : (i + 1) * blocks]) / blocks
        if stages is not None:
            stages[f"generator.res.{i}"] = x
        return x

    def forward(self, features: torch.Tensor, style: torch.Tensor, f0: torch.Tensor, stages: dict | None = None) -> torch.Tensor:
        """features [B, 512, T], style [B, S], F0 in Hz [B, T], 0 where unvoiced -> waveform [B, 300 T]."""
        source = self.spectrum(self.harmonics(f0))
        x = self.frames(features, style, source, stages)
        wave = self.waveform(x)
        if stages is not None:
            stages.update({"generator.source": source, "generator.post": x, "generator.wave": wave})
        return wave

    def waveform(self, x: torch.Tensor) -> torch.Tensor:
        """Log magnitudes and phases [B, 2 bins, 60 T + 1] -> waveform [B, 300 T]."""
        log_magnitude, phase = x.float().chunk(2, 1)
        parts = torch.polar(log_magnitude.exp(), phase.sin())
        return torch.istft(parts, self.config.istft_n_fft, self.config.istft_hop, window=self.window, center=True)

    def norms(self) -> list[AdaIn]:
        return [module for module in self.modules() if isinstance(module, AdaIn)]

    def collect(self) -> None:
        """Statistics of the utterances that come now are kept, for `statistics`."""
        for norm in self.norms():
            norm.constant, norm.seen = None, []

    def statistics(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Mean and variance of every norm over what came since `collect`, weighted by length."""
        result = []
        for norm in self.norms():
            total = sum(n for n, _, _ in norm.seen)
            result.append(tuple(sum(n * part[i] for n, *part in norm.seen) / total for i in (0, 1)))
            norm.seen = None
        return result

    def freeze(self, statistics: list[tuple[torch.Tensor, torch.Tensor]] | None) -> None:
        """Constants of a voice instead of the utterance's statistics; None: the utterance's again."""
        for i, norm in enumerate(self.norms()):
            norm.constant = statistics[i] if statistics is not None else None
