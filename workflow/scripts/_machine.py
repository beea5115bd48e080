"""What a measurement was made on, in words."""

from pathlib import Path

import torch


def processor() -> str:
    """Name of the CPU."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return "CPU"


def device_name(device: torch.device) -> str:
    """Name of the GPU, or of the CPU, of which one thread works."""
    if device.type == "cuda":
        return torch.cuda.get_device_name()
    return f"{processor()}, one thread"
