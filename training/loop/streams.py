"""Batches on their way to the device, made by worker processes where one core cannot keep up with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info


class _Stream(IterableDataset):
    def __init__(self, make: Callable[[int], Iterator[dict[str, Any]]]):
        self.make = make

    def __iter__(self) -> Iterator[dict[str, Any]]:
        info = get_worker_info()
        return self.make(info.id if info else 0)


def to_device(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    return {name: value.to(device, non_blocking=True) if isinstance(value, torch.Tensor) else value for name, value in batch.items()}


def stream(make: Callable[[int], Iterator[dict[str, Any]]], workers: int, device: torch.device) -> Iterator[dict[str, Any]]:
    """What `make(worker)` yields, collated batches, on `device`. 0 workers: made here, in between the steps."""
    pinned = device.type == "cuda" and workers > 0
    for batch in DataLoader(_Stream(make), batch_size=None, num_workers=workers, pin_memory=pinned, prefetch_factor=4 if workers else None):
        yield to_device(batch, device)
