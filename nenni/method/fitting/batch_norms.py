"""Statistics of batch norms, as the injected network gives them."""

from collections.abc import Callable, Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from nenni.method.halves import Calls, Halves
from nenni.networks.tracing import BatchNorm

Moments = tuple[int, tuple[Tensor, Tensor]]
"""How many rows there are, and their mean and variance (C,)."""
Measured = dict[nn.Module, list[Moments]]
"""Batch norms, and what was measured at each of their calls so far."""


def with_statistics(noisy: nn.Module) -> list[BatchNorm]:
    """The batch norms that have statistics."""
    found = (module for module in noisy.modules() if isinstance(module, BatchNorm))
    return [norm for norm in found if norm.running_mean is not None]


def measuring(noisy: nn.Module, calls: Calls, measured: Measured) -> list[RemovableHandle]:
    """Let batch norms take the statistics of the second half of what reaches them, for one pass.

    The first half goes on by those that each has now. What is measured is pooled over the calls so
    far, and kept in `measured`.
    """
    return [
        norm.register_forward_hook(_halves(norm, iter(calls[norm]), measured))
        for norm in with_statistics(noisy)
    ]


def measure_statistics(norm: BatchNorm, x: Tensor, before: Sequence[Moments] = ()) -> Moments:
    """Give a batch norm the mean and the variance per channel of x (N, C, ...), and return them.

    They are pooled with those of its calls before.
    """
    rows = x.transpose(0, 1).flatten(1).double()
    variance, mean = torch.var_mean(rows, 1, correction=0)
    moments = rows.shape[1], (mean, variance)
    sizes, found = zip(*before, moments, strict=True)
    set_statistics(norm, *pooled(sizes, found))
    return moments


def set_statistics(norm: BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """Give a batch norm a mean and a variance (C,)."""
    norm.load_state_dict({"running_mean": mean, "running_var": variance}, strict=False)


def statistics_of(norm: BatchNorm) -> tuple[Tensor, Tensor]:
    """Mean and variance (C,) of a batch norm, in float64."""
    mean, variance = (norm.get_buffer(f"running_{name}").double() for name in ("mean", "var"))
    return mean, variance


def pooled(sizes: Sequence[int], found: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Mean and variance (C,) of batches together, from their sizes and those of each."""
    means, variances = zip(*found, strict=True)
    mean = mean_over(sizes, means)
    within = [variance + (m - mean).square() for m, variance in zip(means, variances, strict=True)]
    return mean, mean_over(sizes, within)


def mean_over(sizes: Sequence[int], of_batches: Sequence[Tensor]) -> Tensor:
    """Mean over batches of their sizes, in float64."""
    weighted = [size / sum(sizes) * x for size, x in zip(sizes, of_batches, strict=True)]
    return torch.stack(weighted).double().sum(0)


def _halves(
    norm: BatchNorm, halves: Iterator[Halves], measured: Measured
) -> Callable[[BatchNorm, tuple[Tensor, ...], Tensor], Tensor]:
    before = {name: buffer.clone() for name, buffer in norm.named_buffers()}
    mean, variance = before["running_mean"], before["running_var"]

    def reached(norm: BatchNorm, inputs: tuple[Tensor, ...], _: Tensor) -> Tensor:
        here = next(halves)
        first, second = here.apart(inputs[0])
        so_far = measured.setdefault(norm, [])
        so_far.append(measure_statistics(norm, second, so_far))
        kept = F.batch_norm(first, mean, variance, norm.weight, norm.bias, False, 0.0, norm.eps)
        return here.together(kept, norm.forward(second))

    return reached
