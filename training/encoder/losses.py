"""Losses of the encoder, and the forced alignment that gives recordings the frame targets of the synthetic corpus."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from .examples import IGNORE, SILENCE


def ctc_loss(logits: torch.Tensor, lengths: torch.Tensor, ids: torch.Tensor, id_lengths: torch.Tensor) -> torch.Tensor:
    """logits [B, T, V] → nats per unit; an utterance weighs with the root of its length, so that single words count."""
    log_probs = logits.float().log_softmax(-1).transpose(0, 1)
    loss = F.ctc_loss(log_probs, ids, lengths, id_lengths, reduction="none", zero_infinity=True)  # [B]
    root = id_lengths.clamp(min=1).sqrt()
    return (loss / root).sum() / root.sum()


def frame_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy per frame; silence counts a quarter, the rest of the weight is the units'."""
    loss = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), reduction="none", ignore_index=IGNORE, label_smoothing=0.05)
    weight = (targets.flatten() != IGNORE).float() * torch.where(targets.flatten() == SILENCE, 0.25, 1.0)
    return (loss * weight).sum() / weight.sum().clamp(min=1)


def pitch_loss(lag_logits: torch.Tensor, voicing_logit: torch.Tensor, bins: torch.Tensor, log_f0: torch.Tensor, sigma: float = 0.03) -> torch.Tensor:
    """Soft cross-entropy over log-lag bins on voiced frames, and binary cross-entropy of voicing.

    bins [lags] is ln F0 of each lag; log_f0 [B, T] is ln Hz, 0 where unvoiced, NaN where unknown.
    """
    known = ~log_f0.isnan()
    voiced = known & (log_f0 > 0)
    voicing = F.binary_cross_entropy_with_logits(voicing_logit[known], voiced[known].float())
    if not voiced.any():
        return voicing
    target = torch.softmax(-0.5 * ((log_f0[voiced][:, None] - bins) / sigma) ** 2, -1)  # [voiced, lags]
    return voicing + F.cross_entropy(lag_logits[voiced], target)


def tone_loss(logits: torch.Tensor, tone: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    loss = F.cross_entropy(logits.float().flatten(0, 1), tone.flatten(), reduction="none", ignore_index=IGNORE)
    weight = weight.flatten() * (tone.flatten() != IGNORE)
    return (loss * weight).sum() / weight.sum().clamp(min=1)


def forced_alignment(log_probs: np.ndarray, ids: list[int]) -> np.ndarray | None:
    """Viterbi path of silence?, units, silence? through frame posteriors [T, V] → bounds in frames [units + 1]; None if T is too short."""
    states = np.asarray([SILENCE, *ids, SILENCE])
    frames, count = len(log_probs), len(states)
    if frames < len(ids):
        return None
    emission = log_probs[:, states]
    score = np.full(count, -np.inf)
    score[0], score[1] = emission[0, 0], emission[0, 1]
    came = np.zeros((frames, count), bool)  # True: from the state before
    for t in range(1, frames):
        moved = np.concatenate([[-np.inf], score[:-1]])
        came[t] = moved > score
        score = np.where(came[t], moved, score) + emission[t]
    state = count - 1 if score[-1] >= score[-2] else count - 2
    if not np.isfinite(score[state]):
        return None
    path = np.empty(frames, int)
    for t in range(frames - 1, -1, -1):
        path[t] = state
        state -= came[t, state]
    return np.searchsorted(path, np.arange(1, count))
