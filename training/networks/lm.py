"""Layer-split language model: shared Qwen3 blocks, then a text tail and an audio tail in parallel.

Blocks follow transformers' Qwen3 (RMSNorm, per-head QK-norm, rotate-half RoPE, grouped-query attention, SwiGLU).
A position is a pair (text id, audio id) whose embeddings are summed, or one embedding of the aligner.
`gguf_name` maps these parameters to the names that llama.cpp's family uses.
"""

from __future__ import annotations

import re

import torch
import torch.nn.functional as F
from torch import nn

from .config import LMConfig, of_block


class RMSNorm(nn.Module):
    def __init__(self, size: int, epsilon: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(x.float(), self.weight.shape, self.weight.float(), self.epsilon).to(x.dtype)


def rope(x: torch.Tensor, positions: torch.Tensor, base: float) -> torch.Tensor:
    """x [B, H, T, D], positions [T]; rotate-half (NEOX) order."""
    half = x.shape[-1] // 2
    angle = positions[:, None].float() * base ** (-torch.arange(half, device=x.device).float() / half)  # [T, D/2]
    cos, sin = angle.cos(), angle.sin()
    a, b = x[..., :half].float(), x[..., half:].float()
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1).to(x.dtype)


class LMBlock(nn.Module):
    def __init__(self, config: LMConfig, index: int):
        super().__init__()
        self.config = config
        self.heads, self.heads_kv = of_block(config.head_count, index), of_block(config.head_count_kv, index)
        size, dim = config.embedding_length, config.key_length
        self.attn_norm = RMSNorm(size, config.rms_epsilon)
        self.attn_q = nn.Linear(size, self.heads * dim, bias=False)
        self.attn_k = nn.Linear(size, self.heads_kv * dim, bias=False)
        self.attn_v = nn.Linear(size, self.heads_kv * dim, bias=False)
        self.attn_output = nn.Linear(self.heads * dim, size, bias=False)
        self.attn_q_norm = RMSNorm(dim, config.rms_epsilon)
        self.attn_k_norm = RMSNorm(dim, config.rms_epsilon)
        self.ffn_norm = RMSNorm(size, config.rms_epsilon)
        self.ffn_gate = nn.Linear(size, config.feed_forward_length, bias=False)
        self.ffn_up = nn.Linear(size, config.feed_forward_length, bias=False)
        self.ffn_down = nn.Linear(config.feed_forward_length, size, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x [B, T, H], causal; padding must stand on the right."""
        config = self.config
        batch, rows, _ = x.shape
        positions = torch.arange(rows, device=x.device)
        y = self.attn_norm(x)
        q = self.attn_q(y).view(batch, rows, self.heads, -1)
        k = self.attn_k(y).view(batch, rows, self.heads_kv, -1)
        v = self.attn_v(y).view(batch, rows, self.heads_kv, -1).transpose(1, 2)
        q = rope(self.attn_q_norm(q).transpose(1, 2), positions, config.rope_freq_base)
        k = rope(self.attn_k_norm(k).transpose(1, 2), positions, config.rope_freq_base)
        groups = self.heads // self.heads_kv
        k, v = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.attn_output(y.transpose(1, 2).reshape(batch, rows, -1))
        y = self.ffn_norm(x)
        return x + self.ffn_down(F.silu(self.ffn_gate(y)) * self.ffn_up(y))


class LM(nn.Module):
    def __init__(self, config: LMConfig):
        super().__init__()
        self.config = config
        size = config.embedding_length
        self.text_embd = nn.Embedding(config.text_vocab_size, size)
        self.audio_embd = nn.Embedding(config.audio_vocab_size, size)
        shared, text, audio = config.shared_block_count, config.text_block_count, config.audio_block_count
        self.shared = nn.ModuleList(LMBlock(config, i) for i in range(shared))
        self.text = nn.ModuleList(LMBlock(config, shared + i) for i in range(text))
        self.audio = nn.ModuleList(LMBlock(config, shared + text + i) for i in range(audio))
        self.text_norm = RMSNorm(size, config.rms_epsilon)
        self.audio_norm = RMSNorm(size, config.rms_epsilon)
        self.text_output = nn.Linear(size, config.text_vocab_size, bias=False)
        self.audio_output = nn.Linear(size, config.audio_vocab_size, bias=False)
        for embedding in (self.text_embd, self.audio_embd):
            nn.init.normal_(embedding.weight, std=0.02)

    def embed(self, text: torch.Tensor, audio: torch.Tensor) -> torch.Tensor:
        """Grid rows: text, audio [B, T] ids -> [B, T, H]."""
        return self.text_embd(text) + self.audio_embd(audio)

    def trunk(self, rows: torch.Tensor, stages: dict | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """rows [B, T, H] -> what the text head and the audio head read, [B, T, H] each."""
        x = rows
        for i, block in enumerate(self.shared):
            x = block(x)
            if stages is not None:
                stages[f"lm.blk.{i}"] = x
        text = audio = x
        for block in self.text:
            text = block(text)
        for block in self.audio:
            audio = block(audio)
        return self.text_norm(text), self.audio_norm(audio)

    def forward(self, rows: torch.Tensor, stages: dict | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """rows [B, T, H] -> text logits [B, T, V], audio logits [B, T, A]."""
        text, audio = self.trunk(rows, stages)
        text, audio = self.text_output(text), self.audio_output(audio)
        if stages is not None:
            stages["lm.text_logits"], stages["lm.audio_logits"] = text, audio
        return text, audio


def gguf_name(name: str) -> str:
    """`shared.0.attn_q.weight` -> `blk.0.attn_q.weight`; `text.0.…` -> `text.blk.0.…`; `text_embd.weight` -> `text.token_embd.weight`."""
    for pattern, target in (
        (r"^shared\.", "blk."),
        (r"^(text|audio)\.(\d+)\.", r"\1.blk.\2."),
        (r"^(text|audio)_embd\.", r"\1.token_embd."),
        (r"^(text|audio)_norm\.", r"\1.output_norm."),
        (r"^(text|audio)_output\.", r"\1.output."),
    ):
        name, count = re.subn(pattern, target, name)
        if count:
            return name
    raise KeyError(name)
