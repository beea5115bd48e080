"""Statistics of batch norms, as the injected network gives them."""

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from nenni.method.halves import Calls, Halves
from nenni.networks.tracing import BatchNorm


def with_statistics(noisy: nn.Module) -> list[BatchNorm]:
    """The batch norms that have statistics."""
    found = (module for module in noisy.modules() if isinstance(module, BatchNorm))
    return [norm for norm in found if norm.running_mean is not None]


def measuring(noisy: nn.Module, calls: Calls) -> list[RemovableHandle]:
    """Let batch norms take the statistics of the second half of what reaches them, for one pass.

    The first half goes on by those that each has now.
    """
    norms = with_statistics(noisy)
    return [norm.register_forward_hook(_halves(norm, iter(calls[norm]))) for norm in norms]


def measure_statistics(norm: BatchNorm, x: Tensor) -> None:
    """Give a batch norm the mean and the variance per channel of x (N, C, ...)."""
    rows = x.transpose(0, 1).flatten(1).double()
    variance, mean = torch.var_mean(rows, 1, correction=0)
    set_statistics(norm, mean, variance)


def set_statistics(norm: BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """Give a batch norm a mean and a variance (C,)."""
    norm.load_state_dict({"running_mean": mean, "running_var": variance}, strict=False)


def statistics_of(norm: BatchNorm) -> tuple[Tensor, Tensor]:
    """Mean and variance (C,) of a batch norm, in float64."""
    mean, variance = (norm.get_buffer(f"running_{name}").double() for name in ("mean", "var"))
    return mean, variance


def pooled(sizes: list[int], found: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Mean and variance (C,) of batches together, from their sizes and those of each."""
    means, variances = zip(*found, strict=True)
    mean = mean_over(sizes, means)
    within = [variance + (m - mean).square() for m, variance in zip(means, variances, strict=True)]
    return mean, mean_over(sizes, within)


def mean_over(sizes: list[int], of_batches: Sequence[Tensor]) -> Tensor:
    """Mean over batches of their sizes, in float64."""
    weighted = [size / sum(sizes) * x for size, x in zip(sizes, of_batches, strict=True)]
    return torch.stack(weighted).double().sum(0)


def _halves(
    norm: BatchNorm, halves: Iterator[Halves]
) -> Callable[[BatchNorm, tuple[Tensor, ...], Tensor], Tensor]:
    before = {name: buffer.clone() for name, buffer in norm.named_buffers()}
    mean, variance = before["running_mean"], before["running_var"]

    def reached(norm: BatchNorm, inputs: tuple[Tensor, ...], _: Tensor) -> Tensor:
        here = next(halves)
        first, second = here.apart(inputs[0])
        measure_statistics(norm, second)
        kept = F.batch_norm(first, mean, variance, norm.weight, norm.bias, False, 0.0, norm.eps)
        return here.together(kept, norm.forward(second))

    return reached
