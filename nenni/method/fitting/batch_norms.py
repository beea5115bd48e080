"""Statistics of batch norms, as the injected network gives them."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from nenni.networks.tracing import BatchNorm


def measuring(noisy: nn.Module) -> list[RemovableHandle]:
    """Let batch norms take the statistics of the second half of what reaches them.

    The first half goes on by those that each has now.
    """
    found = (module for module in noisy.modules() if isinstance(module, BatchNorm))
    return [
        norm.register_forward_hook(_halves(norm)) for norm in found if norm.running_mean is not None
    ]


def measure_statistics(norm: BatchNorm, x: Tensor) -> None:
    """Give a batch norm the mean and the variance per channel of x (N, C, ...)."""
    rows = x.transpose(0, 1).flatten(1).double()
    variance, mean = torch.var_mean(rows, 1, correction=0)
    norm.load_state_dict({"running_mean": mean, "running_var": variance}, strict=False)


def _halves(norm: BatchNorm) -> Callable[[BatchNorm, tuple[Tensor, ...], Tensor], Tensor]:
    before = {name: buffer.clone() for name, buffer in norm.named_buffers()}
    mean, variance = before["running_mean"], before["running_var"]

    def reached(norm: BatchNorm, inputs: tuple[Tensor, ...], _: Tensor) -> Tensor:
        first, second = inputs[0].chunk(2)
        measure_statistics(norm, second)
        kept = F.batch_norm(first, mean, variance, norm.weight, norm.bias, False, 0.0, norm.eps)
        return torch.cat([kept, norm.forward(second)])

    return reached
