"""Cross-modal aligner: down-sampled encoder frames attend to the language model's text embeddings.

Keys and values are the text embedding table itself, so what comes out lies in the space that the language model reads.
Positions do not look at each other: position p depends on encoder frames 4p .. 4p + 3 only. In nano v0's weights the attention adds nothing: see the model card.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .config import AlignerConfig


class AlignerBlock(nn.Module):
    def __init__(self, config: AlignerConfig, text_size: int):
        super().__init__()
        size, self.heads = config.embedding_length, config.head_count
        self.attn_norm = nn.LayerNorm(size)
        self.attn_q, self.attn_out = nn.Linear(size, size), nn.Linear(size, size)
        self.attn_k, self.attn_v = nn.Linear(text_size, size), nn.Linear(text_size, size)
        self.ffn_norm = nn.LayerNorm(size)
        self.ffn_up = nn.Linear(size, config.feed_forward_length)
        self.ffn_down = nn.Linear(config.feed_forward_length, size)

    def forward(self, x: torch.Tensor, text_embd: torch.Tensor) -> torch.Tensor:
        """x [B, P, E], text_embd [V, H] -> [B, P, E]."""
        batch, positions, size = x.shape
        q = self.attn_q(self.attn_norm(x)).view(batch, positions, self.heads, -1).transpose(1, 2)  # [B, H, P, D]
        k, v = (p(text_embd).view(1, -1, self.heads, size // self.heads).transpose(1, 2).expand(batch, -1, -1, -1) for p in (self.attn_k, self.attn_v))
        y = F.scaled_dot_product_attention(q, k, v)
        x = x + self.attn_out(y.transpose(1, 2).reshape(batch, positions, size))
        return x + self.ffn_down(F.gelu(self.ffn_up(self.ffn_norm(x))))


class Aligner(nn.Module):
    def __init__(self, config: AlignerConfig, encoder_size: int, text_size: int):
        super().__init__()
        self.config = config
        self.down = nn.Conv1d(encoder_size, config.embedding_length, config.downsample, config.downsample)
        self.blk = nn.ModuleList(AlignerBlock(config, text_size) for _ in range(config.block_count))
        self.out_norm = nn.LayerNorm(config.embedding_length)
        self.out = nn.Linear(config.embedding_length, text_size)

    def forward(self, hidden: torch.Tensor, text_embd: torch.Tensor, stages: dict | None = None) -> torch.Tensor:
        """hidden [B, T, E], text_embd [V, H] -> embeddings [B, T / 4, H]."""
        x = self.down(hidden.transpose(1, 2)).transpose(1, 2)  # [B, P, E]
        if stages is not None:
            stages["aligner.down"] = x
        for i, block in enumerate(self.blk):
            x = block(x, text_embd)
            if stages is not None:
                stages[f"aligner.blk.{i}"] = x
        x = self.out(self.out_norm(x))  # [B, P, H]
        if stages is not None:
            stages["aligner.embd"] = x
        return x
