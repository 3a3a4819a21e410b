"""Waveform generator: HiFi-GAN up-sampling with residual blocks, and a multi-band iSTFT head.

The head's last convolution gives, for each of 4 sub-bands, log magnitude and phase of an n_fft = 20 spectrum at 800 frames
a second. Inverse STFT (hop 5 at 4 kHz) and the synthesis filter bank are both linear and time-invariant, so their product
is one fixed transposed convolution with stride 20: `synthesis`. No window normalisation at the edges: every frame is alike,
which is what lets audio stream without a seam.

With `source` the head filters instead of inventing: the pitch gives a pulse train, the same filter bank and STFT take it apart, and
the last convolution's log magnitudes and phases multiply its spectrum and that of white noise (harmonic plus noise, as neural
source-filter vocoders do). Pitch is then followed to the letter, and training need not discover phase.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .config import DecoderConfig
from .vits_prosody import same_pad

SLOPE = 0.1


def pseudo_qmf(subbands: int, taps: int = 62, cutoff: float = 0.142, beta: float = 9.0) -> tuple[np.ndarray, np.ndarray]:
    """Near-perfect-reconstruction cosine-modulated filter bank: analysis and synthesis filters [subbands, taps + 1]."""
    n = np.arange(taps + 1) - taps / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        prototype = np.sin(np.pi * cutoff * n) / (np.pi * n)
    prototype[taps // 2] = cutoff
    prototype = prototype * np.kaiser(taps + 1, beta)
    k = np.arange(subbands)[:, None]
    angle = (2 * k + 1) * (np.pi / (2 * subbands)) * n[None]
    shift = (-1.0) ** k * np.pi / 4
    return 2 * prototype * np.cos(angle + shift), 2 * prototype * np.cos(angle - shift)


def synthesis_filter(config: DecoderConfig) -> tuple[torch.Tensor, int]:
    """Weight [subbands * 2 * (n_fft / 2 + 1), 1, K] of the transposed convolution, and how many samples to drop on the left.

    Input channels: for each sub-band the real parts of its bins, then the imaginary parts.
    """
    n_fft, bands = config.istft_n_fft, config.subbands
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)  # periodic Hann
    norm = (window**2).reshape(-1, config.istft_hop).sum(0).mean()  # the sum of squared windows, constant over time
    m, f = np.arange(n_fft), np.arange(n_fft // 2 + 1)[:, None]
    scale = np.where((f == 0) | (f == n_fft // 2), 1.0, 2.0) / n_fft
    real, imaginary = scale * np.cos(2 * np.pi * f * m / n_fft), -scale * np.sin(2 * np.pi * f * m / n_fft)
    basis = np.concatenate([real, imaginary]) * window / norm  # [2 bins, n_fft]
    _, synthesis = pseudo_qmf(bands)
    upsampled = np.zeros((basis.shape[0], (n_fft - 1) * bands + 1))
    upsampled[:, ::bands] = basis
    weight = np.stack([np.convolve(row, bands * filt) for filt in synthesis for row in upsampled])  # [bands * 2 bins, K]
    stride = config.istft_hop * bands
    # Frame t is centred on sample stride t + stride / 2.
    center = n_fft // 2 * bands + (synthesis.shape[1] - 1) // 2
    return torch.tensor(weight, dtype=torch.float32)[:, None], center - stride // 2


def analysis_filter(config: DecoderConfig) -> torch.Tensor:
    """Weight [subbands * 2 * (n_fft / 2 + 1), 1, K] of the convolution that takes a signal apart the way `synthesis` puts it together."""
    n_fft, bands = config.istft_n_fft, config.subbands
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)
    m, f = np.arange(n_fft), np.arange(n_fft // 2 + 1)[:, None]
    basis = np.concatenate([np.cos(2 * np.pi * f * m / n_fft), -np.sin(2 * np.pi * f * m / n_fft)]) * window
    analysis, _ = pseudo_qmf(bands)
    upsampled = np.zeros((basis.shape[0], (n_fft - 1) * bands + 1))
    upsampled[:, ::bands] = basis
    weight = np.stack([np.convolve(row, filt[::-1]) for filt in analysis for row in upsampled])
    return torch.tensor(weight, dtype=torch.float32)[:, None]


F0_RANGE = (50.0, 800.0)
F0_STEP = 0.125  # Hz: F0 is rounded, so that a last bit's difference in the pitch does not grow into the phase
HARMONICS_BELOW = 7600.0


def pulse_train(f0: torch.Tensor, voicing: torch.Tensor, hop: int, sample_rate: int, phase: torch.Tensor | None = None) -> torch.Tensor:
    """F0 in Hz and voicing in 0..1 [B, T], initial phase [B, 1] -> cosines of all harmonics, of unit power, [B, hop T].

    Within a frame both run in a straight line from the frame before to this one; the first frame is constant.
    """
    f0 = (f0.double().clamp(*F0_RANGE) / F0_STEP).round() * F0_STEP
    ramp = (torch.arange(hop, dtype=torch.float64) + 1) / hop

    def line(x: torch.Tensor) -> torch.Tensor:
        before = torch.cat([x[:, :1], x[:, :-1]], 1)
        return (before[..., None] + (x - before)[..., None] * ramp).flatten(1)

    f0, voicing = line(f0), line(voicing.double())  # [B, hop T]
    turns = (f0 / sample_rate).cumsum(1) + (0 if phase is None else phase)
    half = math.pi * (turns - turns.round())  # half the angle, in -pi/2..pi/2
    count = (HARMONICS_BELOW / f0).floor()
    near = half.abs() < 1e-6
    kernel = torch.where(near, count, torch.sin((2 * count + 1) * half) / (2 * torch.where(near, 1.0, torch.sin(half))) - 0.5)
    return (kernel * (2 / count).sqrt() * voicing).float()


class ResBlock(nn.Module):
    """HiFi-GAN residual block: type 1 has two convolutions a dilation, type 2 one."""

    def __init__(self, channels: int, kernel: int, dilations: list[int], kind: int):
        super().__init__()
        self.kernel = kernel
        self.conv1 = nn.ModuleList(nn.Conv1d(channels, channels, kernel, dilation=d) for d in dilations)
        self.conv2 = nn.ModuleList(nn.Conv1d(channels, channels, kernel) for _ in dilations) if kind == 1 else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i, conv in enumerate(self.conv1):
            half = (self.kernel - 1) * conv.dilation[0] // 2
            y = conv(F.pad(F.leaky_relu(x, SLOPE), (half, half)))
            if self.conv2 is not None:
                y = self.conv2[i](same_pad(F.leaky_relu(y, SLOPE), self.kernel))
            x = x + y
        return x


class Generator(nn.Module):
    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.config = config
        channels = config.upsample_initial
        self.pre = nn.Conv1d(config.flow_size, channels, 7)
        self.cond = nn.Linear(config.gin_channels, channels)
        self.up, self.res = nn.ModuleList(), nn.ModuleList()
        for rate, kernel in zip(config.upsample_rates, config.upsample_kernels):
            self.up.append(nn.ConvTranspose1d(channels, channels // 2, kernel, rate, (kernel - rate) // 2))
            channels //= 2
            for res_kernel in config.resblock_kernels:
                self.res.append(ResBlock(channels, res_kernel, config.resblock_dilations, config.resblock_type))
        bins = config.istft_n_fft // 2 + 1
        self.post = nn.Conv1d(channels, (2 if config.source else 1) * config.subbands * 2 * bins, 7)
        weight, self.drop = synthesis_filter(config)
        self.register_buffer("synthesis", weight)
        if config.source:
            self.register_buffer("analysis", analysis_filter(config))

    def source(self, pitch: torch.Tensor, voicing: torch.Tensor, phase: torch.Tensor | None = None) -> torch.Tensor:
        """Standardised ln F0 and voicing in 0..1 [B, T] -> the pulse train's spectrum [B, subbands * 2 bins, 10 T].

        Causal: a spectrum's window ends with its own 20 samples, so the pulses come 58 samples late.
        """
        config = self.config
        f0 = (pitch.double() * config.log_f0_std + config.log_f0_mean).exp()
        wave = pulse_train(f0, voicing, config.hop_length, config.sample_rate, phase)
        return F.conv1d(F.pad(wave[:, None], (self.analysis.shape[-1] - config.istft_hop * config.subbands, 0)), self.analysis, stride=config.istft_hop * config.subbands)

    def spectrum(self, z: torch.Tensor, g: torch.Tensor, source: torch.Tensor | None, noise: torch.Tensor | None, stages: dict | None = None) -> torch.Tensor:
        """z [B, Z, T], g [B, G], source and noise [B, subbands * 2 bins, 10 T] -> real and imaginary parts, of the same shape."""
        x = self.pre(same_pad(z, 7)) + self.cond(g)[..., None]
        if stages is not None:
            stages["decoder.gen.pre"] = x
        blocks = len(self.config.resblock_kernels)
        for i, up in enumerate(self.up):
            x = up(F.leaky_relu(x, SLOPE))
            x = sum(block(x) for block in self.res[i * blocks : (i + 1) * blocks]) / blocks
            if stages is not None:
                stages[f"decoder.gen.up.{i}"] = x
        x = self.post(same_pad(F.leaky_relu(x), 7)).float()  # slope 0.01, as HiFi-GAN
        if not self.config.source:
            return self.polar(x)
        noise_filter, source_filter = self.polar(x).chunk(2, 1)  # the first half of the channels filters the noise
        return self.product(noise_filter, noise) + self.product(source_filter, source)

    def parts(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """[B, n subbands * 2 bins, T] -> two of [B, n subbands, bins, T]: a sub-band has its first parts, then its second."""
        return x.view(x.shape[0], -1, 2, self.config.istft_n_fft // 2 + 1, x.shape[-1]).unbind(2)

    def polar(self, x: torch.Tensor) -> torch.Tensor:
        """Log magnitudes and phases -> real and imaginary parts."""
        magnitude, phase = self.parts(x)
        magnitude = magnitude.clamp(max=5.0).exp()
        return torch.stack([magnitude * phase.cos(), magnitude * phase.sin()], 2).reshape(x.shape)

    def product(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Of complex numbers in parts."""
        (ar, ai), (br, bi) = self.parts(a), self.parts(b)
        return torch.stack([ar * br - ai * bi, ar * bi + ai * br], 2).reshape(a.shape)

    def forward(self, z: torch.Tensor, g: torch.Tensor, source: torch.Tensor | None = None, noise: torch.Tensor | None = None, stages: dict | None = None) -> torch.Tensor:
        """-> waveform [B, 200 T]."""
        spectrum = self.spectrum(z, g, source, noise, stages)
        stride = self.config.istft_hop * self.config.subbands
        wave = F.conv_transpose1d(spectrum, self.synthesis, stride=stride)[:, 0]
        wave = wave[:, self.drop : self.drop + spectrum.shape[-1] * stride]
        if stages is not None:
            stages["decoder.gen.spectrum"], stages["decoder.wave"] = spectrum, wave
        return wave
