"""The precision of matrix products in training; weights, sums and the delivered link are float32."""

from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]


def product_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """bfloat16 or float32 as asked for; "auto" is bfloat16 where the device has it in hardware."""
    if precision != "auto":
        return torch.bfloat16 if precision == "bfloat16" else torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    onednn = device.type == "cpu" and torch.backends.mkldnn.is_available()
    return torch.bfloat16 if onednn and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) else torch.float32
