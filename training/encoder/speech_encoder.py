"""Front end, tone module and encoder as one module: the half of the model that listens."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from ..data.units import N_UNITS, UNITS
from ..loop import checkpoint
from ..networks.config import EncoderConfig, FrontendConfig, ToneConfig
from ..networks.encoder import Encoder
from ..networks.frontend import Frontend
from ..networks.tone import Tone

FRAME = 320  # samples
ROW = 1280  # samples of one aligner row; utterances are rounded up to it


class SpeechEncoder(nn.Module):
    def __init__(self, frontend: FrontendConfig | None = None, tone: ToneConfig | None = None, encoder: EncoderConfig | None = None, unit_count: int = N_UNITS):
        super().__init__()
        self.configs = {"frontend": frontend or FrontendConfig(), "tone": tone or ToneConfig(), "encoder": encoder or EncoderConfig()}
        self.frontend = Frontend(self.configs["frontend"])
        self.tone = Tone(self.configs["tone"], self.configs["encoder"].embedding_length)
        self.encoder = Encoder(self.configs["encoder"], self.configs["frontend"].channels[-1], unit_count)

    def forward(self, wave: torch.Tensor, lengths: torch.Tensor, chunk_size: int, dropout: float = 0.0, stages: dict | None = None, feature_mask: torch.Tensor | None = None) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """wave [B, N], lengths [B] in frames, feature_mask [B, T, 1] (0 where features are hidden) → hidden [B, T, E], the tone module's outputs."""
        features = self.frontend(wave)  # [B, T, C]
        if feature_mask is not None:
            features = features * feature_mask.to(features.dtype)
        tone = self.tone(wave)
        return self.encoder(features, tone["embedding"], chunk_size, lengths, dropout, stages), tone

    def export(self) -> dict:
        """What other trainers and the GGUF exporter read: configurations, units, tensors named `component.tensor`."""
        return {"config": {name: asdict(c) for name, c in self.configs.items()}, "units": UNITS, "model": {k: v.detach().clone() for k, v in self.state_dict().items()}}


def padded_length(samples: int, tail_padding: int) -> int:
    """Samples of an utterance as live use hears it: `tail_padding` zeros, then up to whole positions of the aligner."""
    return -(-(samples + tail_padding) // ROW) * ROW


def load_encoder(path: Path) -> SpeechEncoder:
    """A trained encoder, ready for inference. Raises ValueError when it was trained on other units."""
    saved = checkpoint.load(path)
    if saved["units"] != UNITS:
        raise ValueError(f"{path}: trained on another unit inventory ({len(saved['units'])} units, here {len(UNITS)})")
    configs = saved["config"]
    model = SpeechEncoder(FrontendConfig(**configs["frontend"]), ToneConfig(**configs["tone"]), EncoderConfig(**configs["encoder"]))
    weights = saved.get("model") or {k.removeprefix("net."): v for k, v in saved["trainee"].items() if k.startswith("net.")}
    model.load_state_dict({k: v.float() for k, v in weights.items()})
    return model.eval()
