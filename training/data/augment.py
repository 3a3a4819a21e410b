"""Waveform augmentation, cheap enough to run beside the training on the same core.

Everything linear (reverberation, band limits, tilt) is one multiplication in the frequency domain.
"""

from __future__ import annotations

from typing import Callable

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft

SAMPLE_RATE = 16000


def resample(wave: np.ndarray, rate: float) -> np.ndarray:
    """Plays `wave` `rate` times as fast: shorter, higher in pitch and formants. Linear interpolation."""
    if abs(rate - 1) < 1e-3:
        return wave
    length = max(1, int(len(wave) / rate))
    place = np.arange(length, dtype=np.float32) * np.float32(rate)
    left = np.minimum(place.astype(np.int32), len(wave) - 1)
    fraction = place - left
    return wave[left] * (1 - fraction) + wave[np.minimum(left + 1, len(wave) - 1)] * fraction


def room_response(rng: np.random.Generator) -> np.ndarray:
    """Direct path and an exponentially decaying noise tail. T60 0.08–0.6 s, direct to reverberant 0–15 dB."""
    t60 = np.exp(rng.uniform(np.log(0.08), np.log(0.6)))
    length = int(min(t60, 0.35) * SAMPLE_RATE)
    tail = rng.standard_normal(length).astype(np.float32) * np.exp(-6.9 / t60 * np.arange(length, dtype=np.float32) / SAMPLE_RATE)
    tail[: int(rng.uniform(0.001, 0.006) * SAMPLE_RATE)] = 0  # the first reflection comes after the direct path
    tail *= 10 ** (-rng.uniform(0, 15) / 20) / (np.sqrt((tail**2).sum()) + 1e-6)
    tail[0] = 1.0
    return tail


def band_gain(frequencies: np.ndarray, low: float, high: float) -> np.ndarray:
    """Band pass with skirts of 24 dB an octave below and a steep edge above."""
    gain = np.ones_like(frequencies)
    if low > 0:
        gain = np.minimum(gain, (frequencies / low) ** 4)
    return gain / (1 + (frequencies / high) ** 24)


class NoiseBank:
    """A minute each of white, pink and brown noise, sliced at random; and hum."""

    def __init__(self, seed: int = 0, seconds: int = 60):
        rng = np.random.default_rng(seed)
        length = seconds * SAMPLE_RATE
        spectrum = rfft(rng.standard_normal(length).astype(np.float32))
        f = np.maximum(np.arange(len(spectrum), dtype=np.float32) / seconds, 20)
        self.noises = []
        for power in (0.0, 0.5, 1.0):
            noise = irfft(spectrum * f**-power, length).astype(np.float32)
            self.noises.append(noise / noise.std())
        hum = sum(np.sin(2 * np.pi * 50 * k * np.arange(length) / SAMPLE_RATE) / k for k in (1, 2, 3, 5)).astype(np.float32)
        self.noises.append(hum / hum.std() + 0.1 * self.noises[1])

    def slice(self, length: int, rng: np.random.Generator) -> np.ndarray:
        noise = self.noises[rng.choice(len(self.noises), p=[0.3, 0.4, 0.2, 0.1])]
        start = rng.integers(0, len(noise))
        return np.take(noise, np.arange(start, start + length), mode="wrap")


class Augment:
    """Degrades a clean utterance. `babble(rng)` returns a random clip (float32, 16 kHz) to talk in the background."""

    def __init__(self, babble: Callable[[np.random.Generator], np.ndarray], strength: float = 1.0):
        self.bank, self.babble, self.strength = NoiseBank(), babble, strength

    def filtered(self, wave: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        p = self.strength
        reverb, band, tilt = rng.random() < 0.3 * p, rng.random() < 0.3 * p, rng.random() < 0.4 * p
        if not (reverb or band or tilt):
            return wave
        length = len(wave)
        size = next_fast_len(length + (6000 if reverb else 800), real=True)
        spectrum = rfft(wave, size)
        frequencies = np.arange(len(spectrum), dtype=np.float32) * (SAMPLE_RATE / size)
        if reverb:
            spectrum *= rfft(room_response(rng), size)
        if band:
            kind = rng.random()
            if kind < 0.4:
                spectrum *= band_gain(frequencies, 0, rng.uniform(3300, 4000))  # an 8 kHz recording
            elif kind < 0.75:
                spectrum *= band_gain(frequencies, rng.uniform(150, 350), rng.uniform(3000, 3800))  # telephone
            else:
                spectrum *= band_gain(frequencies, rng.uniform(50, 400), rng.uniform(4000, 7600))  # small loudspeaker or microphone
        if tilt:
            octaves = np.log2(np.maximum(frequencies, 60) / 1000)
            slope, bump = rng.uniform(-4, 4), rng.uniform(-6, 6)
            center, width = rng.uniform(-2, 2.5), rng.uniform(0.3, 1.0)
            decibel = slope * octaves + bump * np.exp(-(((octaves - center) / width) ** 2))
            spectrum *= (10 ** (decibel / 20)).astype(np.float32)
        return irfft(spectrum, size)[:length].astype(np.float32)

    def noisy(self, wave: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
        """Adds noise 5–40 dB below `level`, the root mean square of the speech."""
        if rng.random() < 0.6 * self.strength:
            if rng.random() < 0.3:
                noise = np.zeros(len(wave), np.float32)
                for _ in range(rng.integers(1, 4)):
                    other = self.babble(rng)[: len(wave)]
                    start = rng.integers(0, len(wave) - len(other) + 1)
                    noise[start : start + len(other)] += other / (other.std() + 1e-4)
                decibel = rng.uniform(8, 30)
            else:
                noise, decibel = self.bank.slice(len(wave), rng), rng.uniform(5, 40)
            wave = wave + noise * np.float32(level * 10 ** (-decibel / 20) / (noise.std() + 1e-4))
        return wave

    def __call__(self, wave: np.ndarray, level: float, rng: np.random.Generator) -> np.ndarray:
        """wave [N] float32 → the same length: filters, noise, level (-30–0 dB below full scale), clipping, quantization."""
        wave = self.noisy(self.filtered(wave, rng), level, rng)
        wave = wave * np.float32(0.9 * 10 ** (-rng.uniform(0, 30) / 20) / (np.abs(wave).max() + 1e-5))
        kind = rng.random()
        if kind < 0.04 * self.strength:
            wave = np.clip(wave * np.float32(rng.uniform(1.5, 4)), -0.9 * np.abs(wave).max(), 0.9 * np.abs(wave).max())
        elif kind < 0.10 * self.strength:  # mu-law, as telephone networks
            peak = np.abs(wave).max() + 1e-6
            code = np.round(np.sign(wave) * np.log1p(255 * np.abs(wave) / peak) / np.log(256) * 127) / 127
            wave = np.sign(code) * ((256 ** np.abs(code)) - 1) / 255 * peak
        elif kind < 0.5:
            wave = np.round(wave * 32767) / 32767
        return wave.astype(np.float32)
