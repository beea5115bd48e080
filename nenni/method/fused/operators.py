"""Where the operators are registered, and what their kernels are made with."""

import functools
import os
import shutil
from collections.abc import Callable
from importlib import metadata

import torch
from torch import Tensor

_OLDEST_TRITON = (3, 6)
"""With which the kernels were tested."""


def register(
    signature: str,
    formula: Callable[..., Tensor],
    kernel: Callable[..., Tensor],
    shape: Callable[..., Tensor],
) -> None:
    """Make an operator ``torch.ops.nenni.<name>``, which has no gradient.

    Parameters
    ----------
    signature : str
        Name, arguments and result, e.g. ``"twice(Tensor x) -> Tensor"``.
    formula, kernel : callable
        What computes it on any device, and on a GPU.
    shape : callable
        Gives an empty result, for whoever traces or counts.
    """
    bracket = signature.index("(")
    name = f"nenni::{signature[:bracket]}"
    torch.library.define(name, signature[bracket:])
    torch.library.impl(name, "default", formula)
    torch.library.impl(name, "cuda", kernel)
    torch.library.register_fake(name, shape)


def elementwise(code: str, **defaults: float) -> Callable[..., Tensor]:
    """A kernel of a scalar function in C++, compiled by CUDA's own compiler when first called."""

    @functools.cache
    def compiled() -> Callable[..., Tensor]:
        kernel: Callable[..., Tensor] = torch.cuda.jiterator._create_jit_fn(code, **defaults)
        return kernel

    return lambda *tensors, **numbers: compiled()(*tensors, **numbers)


@functools.cache
def has_triton() -> bool:
    """Whether Triton is there, and the C compiler with which it builds what starts a kernel."""
    compilers = (os.environ.get("CC", "cc"), "gcc", "clang")
    try:
        version = tuple(int(part) for part in metadata.version("triton").split(".")[:2])
    except metadata.PackageNotFoundError:
        return False
    return version >= _OLDEST_TRITON and any(map(shutil.which, compilers))
