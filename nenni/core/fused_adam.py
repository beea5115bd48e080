"""Adam, the same bits on every processor with the same instruction set."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


def fused_adam(
    parameters: Iterable[Tensor | dict[str, Any]], lr: float, weight_decay: float = 0.0
) -> torch.optim.Adam:
    """Torch's Adam; on a CPU its fused kernel, which rounds square roots correctly.

    Its others take MKL's square root there: see :func:`nenni.core.square_root.square_root`.

    Parameters
    ----------
    parameters : iterable
        Of tensors, or of groups as torch's optimisers take them.
    lr, weight_decay : float
        Of those whose group says nothing else.
    """
    given: list[Any] = list(parameters)
    every = [p for of in given for p in (of["params"] if isinstance(of, dict) else [of])]
    on_cpu = all(parameter.device.type == "cpu" for parameter in every)
    return torch.optim.Adam(given, lr, weight_decay=weight_decay, fused=on_cpu or None)
