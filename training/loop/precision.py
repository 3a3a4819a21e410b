"""BF16 where the processor computes in it; elsewhere (AVX2) it is emulated, many times slower than F32."""

from __future__ import annotations

import torch


def computes_bf16(device: torch.device) -> bool:
    return device.type != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()


def autocast(device: torch.device, enabled: bool = True) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled and computes_bf16(device))
