"""Copies of networks as people have them."""

import copy
from itertools import chain
from typing import TypeVar

from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


def copied(model: M) -> M:
    """A deep copy; tensors that the network computes from its parameters are copied as numbers.

    ``copy.deepcopy`` refuses those of ``torch.nn.utils.weight_norm``, ``spectral_norm`` and
    ``prune``, which are made anew in each forward pass.
    """
    known: dict[int, Tensor] = {}
    for module in model.modules():
        for value in chain(vars(module).values(), module.buffers(recurse=False)):
            if isinstance(value, Tensor) and not value.is_leaf:
                known[id(value)] = value.detach().clone()
    return copy.deepcopy(model, known)
