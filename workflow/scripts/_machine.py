"""What a measurement was made on, in words."""

import torch

from nenni.core.machine import processor


def device_name(device: torch.device) -> str:
    """Name of the GPU, or of the CPU, of which one thread works."""
    if device.type == "cuda":
        return torch.cuda.get_device_name()
    return f"{processor()}, one thread"
