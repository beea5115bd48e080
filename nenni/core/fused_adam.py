"""Adam, the same bits on every processor with the same instruction set."""

from collections.abc import Iterable

import torch
from torch import Tensor


def fused_adam(
    parameters: Iterable[Tensor], lr: float, weight_decay: float = 0.0
) -> torch.optim.Adam:
    """Torch's Adam; on a CPU its fused kernel, which rounds square roots correctly.

    Its others take MKL's square root there: see :func:`nenni.core.square_root.square_root`.
    """
    parameters = list(parameters)
    on_cpu = all(parameter.device.type == "cpu" for parameter in parameters)
    return torch.optim.Adam(parameters, lr, weight_decay=weight_decay, fused=on_cpu or None)
