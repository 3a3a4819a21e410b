"""GELU whose gradient is cheap on a CPU: exact forward, the derivative of x sigmoid(1.702 x) backward (within 0.02 of the exact one).

ATen's BF16 `gelu_backward` is a seventh of a training step on one core; this is a third of that.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

exact_gelu = F.gelu


class FastGelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x)
        return exact_gelu(x)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> torch.Tensor:
        (x,) = ctx.saved_tensors
        x = x * 1.702
        gate = torch.sigmoid(x)
        return torch.addcmul(gate, x.mul_(gate), 1 - gate).mul_(gradient)


def enable() -> None:
    """Replaces torch.nn.functional.gelu in this process."""
    F.gelu = lambda x: FastGelu.apply(x) if torch.is_grad_enabled() else exact_gelu(x)
