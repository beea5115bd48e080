"""A defended network without its noise."""

from torch import nn

from nenni.adversary.through import Through
from nenni.method.baseline import baseline_layers
from nenni.method.defend import WithoutNoise
from nenni.method.injection import noisy_layers


def without_noise(model: nn.Module) -> nn.Module | None:
    """A defended network whose noise is switched off; None of one that has none."""
    if any(noisy_layers(model)):
        return Through(model, "exact")
    if any(layer.draws for _, layer in baseline_layers(model)):
        return WithoutNoise(model)
    return None
