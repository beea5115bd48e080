"""What a machine is, in words: results hold for a processor and the versions of packages."""

import platform
from importlib import metadata

from nenni.core import processor as cpu

_DECIDING = ("nenni", "torch", "torchvision", "numpy", "scipy", "pandas", "snakemake")
"""Packages whose versions results may depend on."""


def processor() -> str:
    """Name of the CPU; with family and model where the name has no number, as in some clouds."""
    name, model = cpu.name(), cpu.model()
    return f"{name} ({model})" if model and not any(c.isdigit() for c in name) else name


def gpu() -> str:
    """Name of the GPU."""
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "none found here"


def versions() -> dict[str, str]:
    """Version of Python and of each package that results may depend on and that is installed."""
    found = {"Python": platform.python_version()}
    for name in _DECIDING:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
