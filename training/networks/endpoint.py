"""End of turn: whether the speaker has finished, from the encoder's states up to a pause.

A convolution sees the neighbours of each state; each of a few heads weighs the states by what they are and by how long ago they were, and the weighted means
become one probability. It needs no more than the states that the encoder has computed while the user spoke.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .config import EndpointConfig


class Endpoint(nn.Module):
    def __init__(self, config: EndpointConfig, encoder_size: int):
        super().__init__()
        self.config = config
        self.proj = nn.Linear(encoder_size, config.hidden)
        self.conv = nn.Conv1d(config.hidden, config.hidden, config.kernel_size)
        self.score = nn.Linear(config.hidden, config.heads)
        self.age = nn.Parameter(torch.zeros(config.frames, config.heads))  # added to the scores; the last row is that of the newest frame
        self.up = nn.Linear(config.heads * config.hidden, config.feed_forward)
        self.out = nn.Linear(config.feed_forward, 1)

    def forward(self, states: torch.Tensor, frames: torch.Tensor | None = None, dropout: float = 0.0, stages: dict | None = None) -> torch.Tensor:
        """states [B, T, E], the newest last, T <= config.frames, of which the last frames [B] are a turn's -> logits [B]."""
        count = states.shape[1]
        there = torch.ones(states.shape[:2], dtype=torch.bool) if frames is None else torch.arange(count)[None] >= count - frames[:, None]  # [B, T]
        x = F.gelu(self.proj(F.dropout(states, dropout))) * there[..., None]  # [B, T, H]
        if stages is not None:
            stages["endpoint.proj"] = x
        seen = F.pad(x.transpose(1, 2), (self.config.kernel_size - 1, 0))
        x = x + F.gelu(self.conv(seen).transpose(1, 2))  # [B, T, H]
        if stages is not None:
            stages["endpoint.conv"] = x
        scores = self.score(x) + self.age[self.config.frames - count :]  # [B, T, heads]
        weights = scores.masked_fill(~there[..., None], -torch.inf).softmax(1)
        pooled = weights.transpose(1, 2) @ x  # [B, heads, H]
        if stages is not None:
            stages["endpoint.pooled"] = pooled
        x = F.gelu(self.up(F.dropout(pooled.flatten(1), dropout)))
        logit = self.out(x)[:, 0]
        if stages is not None:
            stages["endpoint.probability"] = logit.sigmoid()[:, None]
        return logit
