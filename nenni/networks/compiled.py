"""Passes of a network by ``torch.compile``, where this machine has a compiler."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import nn

from nenni.core.errors import in_a_line

_ROUNDING = "its passes were compiled: they agree with the others within rounding"


@contextmanager
def compiled(model: nn.Module, device: torch.device, *, wanted: bool) -> Iterator[None]:
    """Within, the passes of a network are compiled: few fused operations in place of many.

    Results agree within rounding, which a hard mask may amplify. What cannot be compiled goes on as
    it is, with a warning: all of it where torch finds no compiler, or a part that it cannot trace.

    Parameters
    ----------
    model : Module
        Changed in place within; its parameters and layers keep their names.
    device : torch.device
        Where it is.
    wanted : bool
        Whether to compile at all.
    """
    if not wanted:
        yield
        return
    if lacks := what_lacks(device.type):
        warnings.warn(
            f"compile: nothing can be compiled for the device {device.type} ({lacks}); the network "
            "goes on uncompiled",
            stacklevel=3,
        )
        yield
        return
    before, strict = model._compiled_call_impl, torch._dynamo.config.suppress_errors
    torch._dynamo.config.suppress_errors = True
    warnings.warn(_ROUNDING, stacklevel=3)
    model.compile()
    try:
        yield
    finally:
        model._compiled_call_impl = before
        torch._dynamo.config.suppress_errors = strict


@cache
def what_lacks(device: str) -> str:
    """Why torch.compile does not work for a device, in a line; nothing where it does."""
    try:
        torch.compile(lambda x: x.sin() + 1, fullgraph=True)(torch.zeros(2, device=device))
    except Exception as error:
        return in_a_line(error)
    return ""
