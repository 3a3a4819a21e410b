"""Muon: momentum whose matrix updates are orthogonalised (Jordan et al. 2024), with the step matched to AdamW's (Liu et al. 2025)."""

from __future__ import annotations

from collections import defaultdict

import torch

from .precision import computes_bf16

COEFFICIENTS = [(4.0848, -6.8946, 2.9270), (3.9505, -6.3029, 2.6377), (3.7418, -5.5913, 2.3037), (2.8769, -3.1427, 1.2046)]


def orthogonalized(x: torch.Tensor) -> torch.Tensor:
    """[N, R, C] with R <= C → nearly the polar factor of each, by four Newton–Schulz steps."""
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    if computes_bf16(x.device):
        x = x.bfloat16()
    for a, b, c in COEFFICIENTS:
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x


class Muon(torch.optim.Optimizer):
    """For weights of two and more dimensions (a convolution counts as [outputs, inputs × kernel]). Equal shapes are done at once."""

    def __init__(self, params, lr: float, momentum: float = 0.95, weight_decay: float = 0.02):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            shapes: dict[tuple[int, int], list[tuple[torch.Tensor, torch.Tensor, bool]]] = defaultdict(list)
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(state["momentum"], group["momentum"]).flatten(1)  # Nesterov
                tall = update.shape[0] > update.shape[1]
                update = update.mT if tall else update
                shapes[tuple(update.shape)].append((p, update, tall))
            for (rows, columns), items in shapes.items():
                updates = orthogonalized(torch.stack([u for _, u, _ in items])).float()
                for (p, _, tall), update in zip(items, updates):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_((update.mT if tall else update).reshape(p.shape), alpha=-0.2 * max(rows, columns) ** 0.5 * group["lr"])
