"""Where a trial computes, and in which precision."""

from __future__ import annotations

import resource
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

import torch

STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # Linux only


def choose(assigned_gpus: float) -> torch.device:
    """Return the GPU if one was assigned and is there, else the CPU.

    What was assigned decides, not what is visible: a CPU trial on a GPU machine must not take cuda:0.
    """
    return torch.device("cuda" if assigned_gpus > 0 and torch.cuda.is_available() else "cpu")


def autocast(precision: str, device: torch.device) -> AbstractContextManager[object]:
    """Return the context of the forward call: ``auto`` is fp32 on a CPU and bf16 on a GPU."""
    wanted = precision == "bf16" or (precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, dtype=torch.bfloat16) if wanted else nullcontext()


def forget_peak_memory(device: torch.device) -> None:
    """Start measuring the peak anew, so that a worker's next trial is not charged with its last one.

    Where the system cannot forget (macOS), the peak remains that of the process's whole life.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif FORGET.exists():
        with suppress(OSError):  # a container may forbid it
            FORGET.write_text("5")


def peak_memory_mb(device: torch.device) -> float:
    """Return the peak memory in MB since it was last forgotten: of the GPU's allocator, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if STATUS.exists():
        peak = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(peak.split()[1]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def computing(device: torch.device) -> dict[str, str | int | bool]:
    """Return what decides the last digits of a trial: the device, the threads, and torch's switches, as they stand."""
    gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if gpu else device.type,
        "threads": torch.get_num_threads(),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "matmul_precision": torch.get_float32_matmul_precision(),
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
    }
