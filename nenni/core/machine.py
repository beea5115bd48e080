"""What a machine is, in words: results hold for a processor and the versions of packages."""

import platform
from importlib import metadata
from pathlib import Path

_DECIDING = ("nenni", "torch", "torchvision", "numpy", "scipy", "pandas", "snakemake")
"""Packages whose versions results may depend on."""


def processor() -> str:
    """Name of the CPU."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine() or "CPU"


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
