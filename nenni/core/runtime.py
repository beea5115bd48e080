"""Make torch deterministic, on the device that the config names."""

import ctypes
import os
import sys
from typing import Any

import torch

from nenni.core.errors import UserError
from nenni.core.instruction_set import AUTO, use_instruction_set

_M_MMAP_MAX, _M_TRIM_THRESHOLD = -4, -1
"""Parameters of mallopt, from glibc's malloc.h."""


def prepare(config: dict[str, Any]) -> torch.device:
    """Fix threads and device as a stage's config says, and make torch deterministic.

    Results depend on the number of threads in the last bit, and hard masks amplify it: threads and
    device come from the config, never from the machine. The instruction set was fixed before torch
    was imported (:mod:`nenni.core.instruction_set`); here it is checked. On a CPU that is all it
    takes; the switch for deterministic algorithms, which a GPU needs, loads torch's compiler and
    costs seconds.

    Parameters
    ----------
    config : dict
        ``threads``, ``device``, ``instruction_set`` unless it is ``auto``, and for a GPU
        ``deterministic`` and ``tf32``, both true unless it says otherwise.

    Raises
    ------
    UserError
        If the config asks for a GPU and there is none, or for an instruction set that torch did not
        take or does not bind.
    """
    _check_instruction_set(config.get("instruction_set", AUTO))
    keep_freed_memory()
    torch.set_num_threads(config["threads"])
    if config["device"] == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UserError("device: cuda is asked for, and torch finds none; set device: cpu")
    if deterministic := config.get("deterministic", True):
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not deterministic
    torch.backends.cudnn.allow_tf32 = config.get("tf32", True)
    torch.backends.cuda.matmul.allow_tf32 = config.get("tf32", True)
    return torch.device("cuda")


def _check_instruction_set(name: str) -> None:
    use_instruction_set(name)
    if name == AUTO:
        return
    found = torch.backends.cpu.get_cpu_capability().lower()
    if found != name:
        raise UserError(f"instruction_set: {name} is asked for, and torch took {found}; set auto")
    if not (torch.backends.mkl.is_available() and torch.backends.mkldnn.is_available()):
        raise UserError(
            f"instruction_set: {name} is asked for, and this torch computes products without MKL "
            "or oneDNN, with what it does not bind; set auto"
        )


def may_look(x: torch.Tensor) -> bool:
    """Whether a tensor's values may steer what is computed.

    On a CPU they may, and save work. A GPU would make the program wait for them, and a graph that
    ``torch.compile`` traces holds no values.
    """
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


def as_one_kernel(x: torch.Tensor) -> bool:
    """Whether a step is best one operator: a CPU's formulas, and a compiler's, are several."""
    return x.device.type != "cpu" and not torch.compiler.is_compiling()


def as_bytes(mask: torch.Tensor) -> torch.Tensor:
    """A boolean mask as bytes of 0 and 1: its own memory, which not every compiler reads anew."""
    return mask.to(torch.uint8) if torch.compiler.is_compiling() else mask.view(torch.uint8)


def return_freed_memory() -> None:
    """Let glibc give freed memory back to the system, so that what is resident is in use.

    Does nothing with another C library.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def keep_freed_memory() -> None:
    """Let glibc keep freed memory for the next tensor, which saves a fault on each of its pages.

    Large tensors are otherwise mapped and unmapped one by one; on small networks that is a good
    part of the time. Does nothing with another C library.
    """
    if sys.platform == "linux":
        allocator = getattr(ctypes.CDLL(None), "mallopt", None)
        if allocator is not None:
            allocator(_M_MMAP_MAX, 0)
            allocator(_M_TRIM_THRESHOLD, 2**31 - 1)
