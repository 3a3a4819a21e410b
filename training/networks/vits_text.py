"""VITS unit encoder: relative-window attention blocks over unit ids (transformers' VitsTextEncoder), with a banded mask.

VITS attention is global; its window only clips relative positions. Here a unit sees `mask_left` units to the left and
`mask_right` to the right in each layer, so the lookahead of the whole stack is finite and does not depend on how units arrive.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from .config import DecoderConfig, FeatureDecoderConfig


def band_mask(units: int, left: int, right: int, device=None) -> torch.Tensor:
    """[U, U] boolean: row i sees columns i - left .. i + right."""
    offset = torch.arange(units, device=device)[None] - torch.arange(units, device=device)[:, None]
    return (offset >= -left) & (offset <= right)


class UnitAttention(nn.Module):
    def __init__(self, config: DecoderConfig | FeatureDecoderConfig):
        super().__init__()
        size, self.heads, self.window = config.hidden_size, config.head_count, config.window_size
        self.q, self.k, self.v, self.o = (nn.Linear(size, size) for _ in range(4))
        dim = size // self.heads
        self.rel_k = nn.Parameter(torch.randn(2 * self.window + 1, dim) * dim**-0.5)  # shared by the heads
        self.rel_v = nn.Parameter(torch.randn(2 * self.window + 1, dim) * dim**-0.5)

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """x [B, U, C], mask [B or 1, 1, U, U] boolean."""
        batch, units, size = x.shape
        q, k, v = (p(x).view(batch, units, self.heads, -1).transpose(1, 2) for p in (self.q, self.k, self.v))  # [B, H, U, D]
        q = q / math.sqrt(q.shape[-1])
        offset = torch.arange(units)[None] - torch.arange(units)[:, None]  # [U, U], column less row
        near = offset.abs() <= self.window
        index = (offset.clamp(-self.window, self.window) + self.window).to(x.device)  # [U, U] rows of rel_k and rel_v
        near = near.to(x.device)
        relative = (q @ self.rel_k.T).gather(-1, index.expand(batch, self.heads, units, units))
        scores = q @ k.transpose(-1, -2) + relative * near  # beyond the window: no relative term (as VITS)
        weights = scores.masked_fill(~mask, -1e4).softmax(-1)
        x = weights @ v
        bucket = torch.zeros(batch, self.heads, units, 2 * self.window + 1, dtype=weights.dtype, device=weights.device)
        bucket = bucket.scatter_add(-1, index.expand_as(weights), weights * near)  # [B, H, U, 2w + 1]
        x = x + bucket @ self.rel_v.to(bucket.dtype)
        return self.o(x.transpose(1, 2).reshape(batch, units, size))


class UnitBlock(nn.Module):
    """Post-norm, as VITS: attention, then a two-layer convolutional feed-forward with ReLU."""

    def __init__(self, config: DecoderConfig | FeatureDecoderConfig):
        super().__init__()
        size, self.kernel = config.hidden_size, config.ffn_kernel
        self.attn = UnitAttention(config)
        self.attn_norm = nn.LayerNorm(size)
        self.ffn_in = nn.Conv1d(size, config.ffn_size, self.kernel)
        self.ffn_out = nn.Conv1d(config.ffn_size, size, self.kernel)
        self.ffn_norm = nn.LayerNorm(size)

    def forward(self, x: torch.Tensor, valid: torch.Tensor, mask: torch.Tensor, dropout: float) -> torch.Tensor:
        """x [B, U, C], valid [B, U, 1]: 1 where there is a unit."""
        drop = lambda y: F.dropout(y, dropout, self.training)  # noqa: E731
        x = self.attn_norm(x + drop(self.attn(x, mask)))
        pad = ((self.kernel - 1) // 2, self.kernel // 2)
        y = F.relu(self.ffn_in(F.pad((x * valid).transpose(1, 2), pad)))
        y = self.ffn_out(F.pad(drop(y) * valid.transpose(1, 2), pad)).transpose(1, 2)
        return self.ffn_norm(x + drop(y))


class UnitEncoder(nn.Module):
    def __init__(self, config: DecoderConfig | FeatureDecoderConfig):
        super().__init__()
        self.config = config
        self.embd = nn.Embedding(config.unit_count, config.hidden_size)
        nn.init.normal_(self.embd.weight, 0.0, config.hidden_size**-0.5)
        self.style = nn.Linear(config.style_size, config.hidden_size)
        self.blk = nn.ModuleList(UnitBlock(config) for _ in range(config.block_count))

    def forward(self, units: torch.Tensor, style: torch.Tensor, valid: torch.Tensor, dropout: float = 0.0, stages: dict | None = None) -> torch.Tensor:
        """units [B, U] ids, style [B, S], valid [B, U, 1] -> [B, U, C]."""
        config = self.config
        x = self.embd(units) * math.sqrt(config.hidden_size) + self.style(style)[:, None]
        mask = band_mask(units.shape[1], config.mask_left, config.mask_right, units.device)[None, None] & (valid[..., 0] > 0)[:, None, None, :]
        for i, block in enumerate(self.blk):
            x = block(x, valid, mask, dropout)
            if stages is not None:
                stages[f"decoder.text.blk.{i}"] = x
        return x * valid
