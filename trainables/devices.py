"""Where a trial computes, and in which precision."""

from __future__ import annotations

import resource
import sys
from contextlib import AbstractContextManager, nullcontext

import torch


def choose(assigned_gpus: float) -> torch.device:
    """Return the GPU if one was assigned and is there, else the CPU.

    What was assigned decides, not what is visible: a CPU trial on a GPU machine must not take cuda:0.
    """
    return torch.device("cuda" if assigned_gpus > 0 and torch.cuda.is_available() else "cpu")


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of the forward call: ``auto`` is fp32 on a CPU and bf16 on a GPU."""
    wanted = precision == "bf16" or (precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, dtype=torch.bfloat16) if wanted else nullcontext()


def peak_memory_mb(device: torch.device) -> float:
    """Return the peak memory in MB: of the GPU's allocator, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10
