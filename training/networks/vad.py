"""Voice activity: whether somebody speaks, for each 32 ms of a recording. The network is Silero VAD v6 (MIT), 16 kHz, in its own weights.

A window of 512 samples, with the 64 samples before it, is seen as the magnitudes of four spectra; convolutions make one vector of them, and an
LSTM, which alone remembers what was before, turns it into a probability.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .config import VadConfig


class Vad(nn.Module):
    def __init__(self, config: VadConfig):
        super().__init__()
        self.config = config
        bins = config.fft_length // 2 + 1
        self.stft = nn.Linear(config.fft_length, 2 * bins, bias=False)  # a window function and a Fourier transform: real parts, imaginary parts
        inputs = [bins] + config.channels[:-1]
        self.conv = nn.ModuleList(nn.Conv1d(i, o, 3, s, padding=1) for i, o, s in zip(inputs, config.channels, config.strides))
        self.input = nn.Linear(config.channels[-1], 4 * config.hidden)  # the LSTM's gates: input, forget, cell, output
        self.recurrent = nn.Linear(config.hidden, 4 * config.hidden, bias=False)
        self.output = nn.Linear(config.hidden, 1)

    def windows(self, wave: torch.Tensor) -> torch.Tensor:
        """wave [N] -> [W, context + window + fft_length / 4]: the last part mirrors the window's end; the recording ends with zeros."""
        c = self.config
        count = -(-wave.shape[0] // c.window_length)
        wave = F.pad(wave, (c.context_length, count * c.window_length - wave.shape[0]))
        windows = wave.unfold(0, c.context_length + c.window_length, c.window_length)  # [W, 576]
        return F.pad(windows[:, None], (0, c.fft_length // 4), mode="reflect")[:, 0]  # [W, 640]

    def forward(self, wave: torch.Tensor, stages: dict | None = None) -> torch.Tensor:
        """wave [N] at 16 kHz -> probabilities [ceil(N / 512)]."""
        c = self.config
        frames = self.windows(wave).unfold(1, c.fft_length, c.hop_length)  # [W, 4, 256]
        spectrum = self.stft(frames)  # [W, 4, 258]
        real, imaginary = spectrum.chunk(2, -1)
        x = torch.sqrt(real * real + imaginary * imaginary).transpose(1, 2)  # [W, 129, 4]
        magnitudes = x
        for conv in self.conv:
            x = F.relu(conv(x))  # [W, 128, 4], [W, 64, 2], [W, 64, 1], [W, 128, 1]
        features = x[..., 0]
        start = torch.zeros(1, 1, c.hidden)
        weights = [self.input.weight, self.recurrent.weight, self.input.bias, torch.zeros_like(self.input.bias)]
        hidden = torch.lstm(features[None], (start, start), weights, True, 1, 0.0, False, False, True)[0][0]  # [W, hidden]
        probability = torch.sigmoid(self.output(F.relu(hidden)))[:, 0]
        if stages is not None:
            stages.update({"vad.magnitudes": magnitudes.transpose(1, 2).flatten(0, 1), "vad.features": features, "vad.hidden": hidden, "vad.probability": probability[:, None]})
        return probability
