"""Where a trial computes, in which precision, and with how much memory. The file that knows CUDA."""

from __future__ import annotations

import gc
import resource
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

import torch

# Bytes of a GPU that a process takes beside its tensors: the driver's context, libraries, workspaces.
CONTEXT = 2**30
STATUS, FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")  # Linux only


def choose(assigned_gpus: float) -> torch.device:
    """Return the GPU if one was assigned and is there, else the CPU.

    What was assigned decides, not what is visible: a CPU trial on a GPU machine must not take cuda:0.
    """
    return torch.device("cuda" if assigned_gpus > 0 and torch.cuda.is_available() else "cpu")


def has_own_memory(device: torch.device) -> bool:
    """Tell whether ``device`` has a memory of its own, in which an allocation may fail."""
    return device.type == "cuda"


def cap_memory(device: torch.device, share: float) -> None:
    """Let this process take ``share`` of a GPU's memory: where it wants more it runs out, and its neighbours do not."""
    if device.type == "cuda" and 0 < share < 1:
        torch.cuda.set_per_process_memory_fraction(share_of_tensors(share, _total(device)), torch.cuda.current_device())


def share_of_tensors(share: float, total: int) -> float:
    """Return the fraction of a GPU's ``total`` bytes left to tensors where a process may take ``share`` of them."""
    return max(share - CONTEXT / total, share / 2)


def spare_memory(device: torch.device) -> int:
    """Return the bytes that this process may still take, beside the most that it has taken at once; 0 of a CPU.

    The most since it was last forgotten, so that what a training step takes is not given to something else.
    """
    if device.type != "cuda":
        return 0
    allowed = int(torch.cuda.get_per_process_memory_fraction(torch.cuda.current_device()) * _total(device))
    return max(0, min(allowed, usable_memory(device)) - torch.cuda.max_memory_allocated(device))


def usable_memory(device: torch.device) -> int:
    """Return the bytes of a GPU that other processes leave to the tensors of this one; 0 of a CPU."""
    if device.type != "cuda":
        return 0
    return int(torch.cuda.mem_get_info(device)[0]) + torch.cuda.memory_reserved(device)


def peak_reserved(device: torch.device) -> int:
    """Return the most bytes of a GPU that were reserved for tensors since the peak was last forgotten; 0 of a CPU."""
    return torch.cuda.max_memory_reserved(device) if device.type == "cuda" else 0


def release(device: torch.device) -> None:
    """Give memory that nothing refers to any more back to the device."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def settled(device: torch.device) -> None:
    """Wait until the device has done all that it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def rounds_coarsely(device: torch.device) -> bool:
    """Tell whether products of 32-bit floats are rounded to TF32, ten bits, by the GPU's convolutions."""
    return device.type == "cuda" and torch.backends.cudnn.allow_tf32


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


def _total(device: torch.device) -> int:
    return int(torch.cuda.get_device_properties(device).total_memory)


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
