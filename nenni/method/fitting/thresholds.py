"""The thresholds of selections that are calibrated: their nominal fraction lies above."""

import math

import torch
from torch import Tensor

from nenni.method.noisy_layer import NoisyLayer
from nenni.method.visit import Seen, visit_all

_SAMPLED_SCORES = 1000
"""Scores of each layer and image from which a threshold is read."""


@torch.no_grad()
def read_thresholds(seen: Seen) -> None:
    """Set the thresholds of calibrated selections so that their nominal fraction lies above."""
    layers = seen.layers.items()
    calibrated = {name: a for name, a in layers if a.choices.selection.calibrated}
    if not calibrated:
        return
    scores: dict[str, list[Tensor]] = {name: [] for name in calibrated}
    draws = torch.Generator().manual_seed(0)

    def visit(name: str, layer: NoisyLayer, x: Tensor, _: Tensor) -> None:
        if name in scores:
            before = layer.threshold.clone()
            layer.threshold.zero_()
            for i in range(layer.pool):
                score = layer.score(layer.approximate(x, i)).flatten()
                scores[name].append(sampled(score, _SAMPLED_SCORES * len(x), draws))
            layer.threshold.copy_(before)

    visit_all(seen, visit)
    for name, layer in calibrated.items():
        fraction = layer.choices.selection.nominal()
        layer.threshold.fill_(upper_quantile(torch.cat(scores[name]), fraction))


def upper_quantile(sample: Tensor, fraction: float) -> float:
    """The number above which a fraction of a sample lies; infinite for none of it, or all."""
    below = round((1 - fraction) * len(sample))
    if below in (0, len(sample)):
        return math.inf if below else -math.inf
    return float(sample.sort().values[below - 1])


def sampled(values: Tensor, count: int, draws: torch.Generator) -> Tensor:
    """At most so many of the values, drawn: a stride may keep step with the rows of an image."""
    if values.numel() <= count:
        return values
    chosen = torch.randint(values.numel(), (count,), generator=draws)
    return values[chosen.to(values.device)]
