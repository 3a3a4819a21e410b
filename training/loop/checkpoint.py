"""Checkpoints that survive an interruption: written beside the old one, then renamed over it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn


def save(path: Path, state: Any) -> None:
    """Writes `state` to `path` atomically: a reader sees the old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    torch.save(state, part)
    os.replace(part, path)


def load(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=False)


def cached(path: Path | None, make: Callable[[], Any]) -> Any:
    """What `path` holds; where it is not there, what `make` gives, which is kept in it. Without a path: what `make` gives."""
    if path is not None and path.exists():
        return load(path)
    made = make()
    if path is not None:
        save(path, made)
    return made


def half(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Floating-point tensors of a state dictionary as FP16: what is kept of a finished run."""
    return {name: t.half() if t.is_floating_point() else t for name, t in state.items()}


class Average:
    """Exponential moving average of a module's parameters, with a ramp so that early averages forget the initial weights."""

    def __init__(self, module: nn.Module, decay: float = 0.998):
        self.module, self.decay, self.steps = module, decay, 0
        self.values = [p.detach().clone() for p in module.parameters()]

    @torch.no_grad()
    def update(self) -> None:
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.values, [p.detach() for p in self.module.parameters()], 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchanges the module's weights with the averages; called again, it undoes that."""
        for value, parameter in zip(self.values, self.module.parameters()):
            keep = parameter.detach().clone()
            parameter.copy_(value)
            value.copy_(keep)

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self.steps, "values": self.values}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.steps = state["steps"]
        for value, saved in zip(self.values, state["values"]):
            value.copy_(saved)
