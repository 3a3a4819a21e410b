"""Losses of the decoder: spectral distances, the posterior's divergence from the prior, and the adversarial pair (LSGAN)."""

from __future__ import annotations

import librosa
import torch
import torch.nn.functional as F
from torch import nn

Judged = list[tuple[torch.Tensor, list[torch.Tensor]]]


def magnitude(wave: torch.Tensor, n_fft: int, hop: int, win: int, window: torch.Tensor, center: bool = True) -> torch.Tensor:
    """[B, N] -> [B, n_fft / 2 + 1, T]."""
    s = torch.stft(wave, n_fft, hop, win, window, center=center, return_complex=True)
    return (s.real**2 + s.imag**2 + 1e-9).sqrt()


class Spectra(nn.Module):
    """Mel and multi-resolution STFT distances, and the posterior's input."""

    def __init__(self, sample_rate: int = 16000, hop: int = 200, mels: int = 80):
        super().__init__()
        self.hop = hop
        self.resolutions = [(1024, 200, 800), (512, 100, 400), (256, 50, 200), (128, 25, 100)]
        for n_fft, _, win in self.resolutions:
            self.register_buffer(f"window{win}", torch.hann_window(win), persistent=False)
        self.register_buffer("mel_basis", torch.tensor(librosa.filters.mel(sr=sample_rate, n_fft=1024, n_mels=mels)), persistent=False)
        self.register_buffer("mel_basis_fine", torch.tensor(librosa.filters.mel(sr=sample_rate, n_fft=512, n_mels=40)), persistent=False)

    def linear(self, wave: torch.Tensor) -> torch.Tensor:
        """The posterior's input: log magnitudes, frame t centred on sample 200 t + 100. [B, 200 T + 824] -> [B, 513, T].

        `wave` carries 412 samples more on either side than the frames it describes.
        """
        return magnitude(wave, 1024, self.hop, 800, self.window800, center=False).clamp(min=1e-4).log() * 0.5 + 2

    def log_mel(self, wave: torch.Tensor) -> torch.Tensor:
        return (self.mel_basis @ magnitude(wave, 1024, self.hop, 800, self.window800)).clamp(min=1e-5).log()

    def forward(self, fake: torch.Tensor, real: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """[B, N] each -> L1 of the log mel spectrograms, multi-resolution STFT distance."""
        mel, stft = torch.zeros(()), torch.zeros(())
        for n_fft, hop, win in self.resolutions:
            a, b = (magnitude(x, n_fft, hop, win, getattr(self, f"window{win}")) for x in (fake, real))
            convergence = (b - a).norm(dim=(1, 2)) / b.norm(dim=(1, 2)).clamp(min=1e-3)
            stft = stft + convergence.mean() + F.l1_loss(a.clamp(min=1e-4).log(), b.clamp(min=1e-4).log())
            basis = {1024: self.mel_basis, 512: self.mel_basis_fine}.get(n_fft)
            if basis is not None:
                mel = mel + 0.5 * F.l1_loss((basis @ a).clamp(min=1e-5).log(), (basis @ b).clamp(min=1e-5).log())
        return mel, stft / len(self.resolutions)


def divergence(z: torch.Tensor, q_log_scale: torch.Tensor, p_mean: torch.Tensor, p_log_scale: torch.Tensor, valid: torch.Tensor) -> torch.Tensor:
    """KL(q || p) per frame, as VITS estimates it: z is the flow's image of a sample of q. All [B, Z, T], valid [B, 1, T]."""
    kl = p_log_scale - q_log_scale - 0.5 + 0.5 * (z - p_mean) ** 2 * torch.exp(-2 * p_log_scale)
    return (kl * valid).sum() / valid.sum()


def masked_mean(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return (x * mask).sum() / mask.sum().clamp(min=1)


def adversarial_losses(judged: Judged) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of a batch whose first half is real and second generated -> the discriminators' loss, the generator's, and feature matching."""
    discriminator, generator, feature = torch.zeros(()), torch.zeros(()), torch.zeros(())
    for score, features in judged:
        real, fake = score.float().chunk(2)
        discriminator = discriminator + ((1 - real) ** 2).mean() + (fake**2).mean()
        generator = generator + ((1 - fake) ** 2).mean()
        for x in features:
            a, b = x.chunk(2)
            feature = feature + F.l1_loss(b, a.detach()).float()
    return discriminator, generator, feature
