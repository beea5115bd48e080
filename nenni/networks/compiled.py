"""Passes of a network by ``torch.compile``, where this machine has a compiler."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import nn

from nenni.core.errors import in_a_line

_KINDS = 64
"""Kinds of passes that are compiled, of all networks of one class in a process."""
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
    before, config = model._compiled_call_impl, torch._dynamo.config
    limit = "recompile_limit" if hasattr(config, "recompile_limit") else "cache_size_limit"
    warnings.warn(_ROUNDING, stacklevel=3)
    model._compiled_call_impl = torch.compile(_seen_whole(model._call_impl))
    try:
        with config.patch({"suppress_errors": True, limit: _KINDS}):
            yield
    finally:
        model._compiled_call_impl = before


def _seen_whole(call: Callable[..., Any]) -> Callable[..., Any]:
    """A function of this package: of torch's own frames some versions see only what they call."""

    def passed(*args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)

    return passed


@cache
def what_lacks(device: str) -> str:
    """Why torch.compile does not work for a device, in a line; nothing where it does."""
    try:
        torch.compile(lambda x: x.sin() + 1, fullgraph=True)(torch.zeros(2, device=device))
    except Exception as error:
        return in_a_line(error)
    return ""
