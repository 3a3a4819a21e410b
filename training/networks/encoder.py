"""Wav2Vec2 transformer over the front end's frames, with a chunk-causal mask and a CTC head over the units.

Follows transformers' Wav2Vec2Model: feature projection, grouped positional convolution (here causal), post- or pre-norm
blocks. A frame attends to its own chunk and to `left_context` frames before the chunk's start.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .config import EncoderConfig, of_block


def chunk_mask(frames: int, chunk_size: int, left_context: int, device=None) -> torch.Tensor | None:
    """[T, T] boolean, True where the row's frame may look; None for chunk_size 0, the full context."""
    if chunk_size == 0:
        return None
    start = torch.arange(frames, device=device) // chunk_size * chunk_size  # of the row's chunk
    column = torch.arange(frames, device=device)
    return (column[None] < start[:, None] + chunk_size) & (column[None] >= start[:, None] - left_context)


class EncoderBlock(nn.Module):
    def __init__(self, config: EncoderConfig, index: int):
        super().__init__()
        size, self.heads, self.norm_first = config.embedding_length, of_block(config.head_count, index), config.norm_first
        heads_size = self.heads * (config.key_length or size // self.heads)
        self.attn_norm = nn.LayerNorm(size, config.layer_norm_epsilon)
        self.attn_q, self.attn_k, self.attn_v = (nn.Linear(size, heads_size) for _ in range(3))
        self.attn_out = nn.Linear(heads_size, size)
        self.ffn_norm = nn.LayerNorm(size, config.layer_norm_epsilon)
        self.ffn_up = nn.Linear(size, config.feed_forward_length)
        self.ffn_down = nn.Linear(config.feed_forward_length, size)

    def attention(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        batch, frames, _ = x.shape
        q, k, v = (p(x).view(batch, frames, self.heads, -1).transpose(1, 2) for p in (self.attn_q, self.attn_k, self.attn_v))
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # [B, H, T, D]
        return self.attn_out(x.transpose(1, 2).reshape(batch, frames, -1))

    def feed_forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.ffn_down(F.gelu(self.ffn_up(x)))

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None, dropout: float = 0.0) -> torch.Tensor:
        drop = lambda y: F.dropout(y, dropout, self.training)  # noqa: E731
        if self.norm_first:
            x = x + drop(self.attention(self.attn_norm(x), mask))
            return x + drop(self.feed_forward(self.ffn_norm(x)))
        x = self.attn_norm(x + drop(self.attention(x, mask)))
        return self.ffn_norm(x + drop(self.feed_forward(x)))


class Encoder(nn.Module):
    def __init__(self, config: EncoderConfig, feature_size: int, unit_count: int):
        super().__init__()
        self.config = config
        size = config.embedding_length
        self.proj_norm = nn.LayerNorm(feature_size, config.layer_norm_epsilon)
        self.proj = nn.Linear(feature_size, size)
        self.pos_conv = nn.Conv1d(size, size, config.pos_conv_kernel, groups=config.pos_conv_groups)
        self.norm = nn.LayerNorm(size, config.layer_norm_epsilon)
        self.blk = nn.ModuleList(EncoderBlock(config, i) for i in range(config.block_count))
        self.ctc = nn.Linear(size, unit_count)

    def forward(
        self,
        features: torch.Tensor,
        tone_embedding: torch.Tensor | None,
        chunk_size: int,
        lengths: torch.Tensor | None = None,
        dropout: float = 0.0,
        stages: dict | None = None,
    ) -> torch.Tensor:
        """features [B, T, C], tone_embedding [B, T, E], lengths [B] (frames; the rest is padding) -> hidden [B, T, E]."""
        config = self.config
        x = self.proj(self.proj_norm(features))  # [B, T, E]
        if tone_embedding is not None:
            x = x + tone_embedding
        if stages is not None:
            stages["encoder.input"] = x
        kernel = config.pos_conv_kernel
        pad = (kernel - 1, 0) if config.pos_conv_causal else (kernel // 2, kernel - 1 - kernel // 2)
        x = x + F.gelu(self.pos_conv(F.pad(x.transpose(1, 2), pad)).transpose(1, 2))
        if not config.norm_first:
            x = self.norm(x)
        if stages is not None:
            stages["encoder.pos"] = x
        mask = chunk_mask(x.shape[1], chunk_size, config.left_context, x.device)
        if lengths is not None:
            valid = torch.arange(x.shape[1], device=x.device)[None] < lengths[:, None]  # [B, T]
            mask = valid[:, None, None, :] if mask is None else valid[:, None, None, :] & mask[None, None]
            mask = mask | torch.eye(x.shape[1], dtype=torch.bool, device=x.device)  # padding looks at itself: no NaN
        for i, block in enumerate(self.blk):
            x = block(x, mask, dropout)
            if stages is not None:
                stages[f"encoder.blk.{i}"] = x
        if config.norm_first:
            x = self.norm(x)
        if stages is not None:
            stages["encoder.hidden"] = x
        return x
