"""Copies of networks as people have them."""

import copy
from itertools import chain
from typing import TypeVar

from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)

_COMPILED = "_orig_mod"
"""Name, in a module that torch.compile gave, of the one that it was given."""


def copied(model: M) -> M:
    """A deep copy, without compilation; tensors computed from parameters are copied as numbers.

    ``copy.deepcopy`` refuses those of ``torch.nn.utils.weight_norm``, ``spectral_norm`` and
    ``prune``, which are made anew in each forward pass. What ``torch.compile`` gave would be
    compiled again, with other names, and runs no hooks.
    """
    known: dict[int, Tensor | nn.Module] = {}
    for module in model.modules():
        for value in chain(vars(module).values(), module.buffers(recurse=False)):
            if isinstance(value, Tensor) and not value.is_leaf:
                known[id(value)] = value.detach().clone()
    for module in reversed([*model.modules()]):
        if is_compiled(module):
            known[id(module)] = copy.deepcopy(uncompiled(module), known)
    return copy.deepcopy(model, known)


def is_compiled(module: nn.Module) -> bool:
    """Whether ``torch.compile`` gave a module."""
    return _COMPILED in module._modules


def uncompiled(model: nn.Module) -> nn.Module:
    """The network that ``torch.compile`` was given, or the network itself; nothing is copied."""
    return model.get_submodule(_COMPILED) if is_compiled(model) else model


def copied_or_none(model: nn.Module | None) -> nn.Module | None:
    """A copy of a network; None of what cannot be copied."""
    try:
        return None if model is None else copied(model)
    except Exception:
        return None
