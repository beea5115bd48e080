"""Layers of many geometries, as if they were fitted."""

from typing import Any

import pytest
import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from nenni.method.noisy_conv2d import NoisyConv2d
from nenni.method.noisy_layer import NoisyLayer
from nenni.method.noisy_linear import NoisyLinear
from nenni.method.projection.count_sketch import CountSketch
from nenni.method.projection.gaussian import Gaussian
from nenni.method.projection.sparse import Sparse
from nenni.method.projection.tap_shared import TapShared
from nenni.method.projection.tap_shared_pca import TapSharedPCA
from nenni.method.selection.all import All
from nenni.method.selection.block import Block
from nenni.method.selection.channel import Channel
from nenni.method.selection.inverted import Inverted
from nenni.method.selection.n_m import NM
from nenni.method.selection.none import Nothing
from nenni.method.selection.oracle import Oracle
from nenni.method.selection.threshold import Threshold
from nenni.method.selection.topk import TopK
from nenni.method.selection_base import Selection
from nenni.method.spec import Choices

PROJECTIONS = [Sparse, Gaussian, CountSketch, TapShared, TapSharedPCA]


DETERMINISTIC: list[Selection] = [
    TopK(0.4), Threshold(0.4), NM(2, 4), Block(0.5, 3, 4), Channel(0.5), Inverted(0.4), Oracle(0.4),
    All(), Nothing(),
]  # fmt: skip


EXACT = {"weight_bits": 32, "input_bits": 32, "projected_bits": 32}


Geometry = tuple[nn.Conv2d | nn.Linear, tuple[int, ...]]


@st.composite
def convolutions(draw: st.DrawFn) -> Geometry:
    """A convolution and the shape of one of its inputs."""
    kernel = draw(st.sampled_from([1, 2, 3, (3, 1)]))
    padding = draw(st.sampled_from([0, 1, (1, 0), "same", "valid"]))
    stride = 1 if padding == "same" else draw(st.sampled_from([1, 2, (2, 1)]))
    with torch.random.fork_rng():
        torch.manual_seed(draw(st.integers(0, 2**31)))
        layer = nn.Conv2d(
            draw(st.sampled_from([1, 3, 8])),
            draw(st.sampled_from([1, 4, 6])),
            kernel,
            stride,
            padding,
            dilation=draw(st.sampled_from([1, 2, (1, 2)])),
            bias=draw(st.booleans()),
            padding_mode=draw(st.sampled_from(["zeros", "reflect", "circular"])),
        )
    return layer, (layer.in_channels, *draw(st.sampled_from([(7, 7), (6, 9)])))


@st.composite
def linear_layers(draw: st.DrawFn) -> Geometry:
    with torch.random.fork_rng():
        torch.manual_seed(draw(st.integers(0, 2**31)))
        layer = nn.Linear(
            draw(st.sampled_from([1, 5, 16])), draw(st.sampled_from([1, 4, 6])), draw(st.booleans())
        )
    return layer, (*draw(st.sampled_from([(), (1,), (5,)])), layer.in_features)


geometries = st.one_of(convolutions(), linear_layers())


projections = st.builds(
    lambda kind, ratio: kind(ratio),
    st.sampled_from(PROJECTIONS),
    st.sampled_from([1e-9, 0.3, 0.9, 1.0]),
)


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def inputs(count: int, shape: tuple[int, ...], seed: int = 1, **kind: Any) -> Tensor:
    return torch.randn(count, *shape, generator=draws(seed), **kind)


def noisy(wrapped: nn.Conv2d | nn.Linear, selection: Selection, **choices: Any) -> NoisyLayer:
    """A noisy layer as if it were fitted: W~ and b~ drawn, scales that clip some values."""
    kind = NoisyConv2d if isinstance(wrapped, nn.Conv2d) else NoisyLinear
    defaults = {"projection": Sparse(0.5), "normalise": False}
    layer = kind(wrapped, Choices(selection, **(defaults | choices)), draws())  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in (layer.W_tilde, layer.b_tilde):
            parameter.copy_(torch.randn(parameter.shape, generator=draws(2)))
        layer.input_scale.fill_(0.2)
        layer.projected_scale.fill_(0.3)
        layer.exact_scale.fill_(0.25)
        layer.threshold.fill_(0.1)
    return layer


def conv(**choices: Any) -> nn.Conv2d:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Conv2d(8, 6, 3, **({"padding": 1} | choices))


def linear() -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Linear(16, 12)


WRAPPED = [(conv, (8, 5, 7)), (linear, (16,)), (linear, (3, 16))]


each_kind = pytest.mark.parametrize(("wrapped", "shape"), WRAPPED)


BORDERS: list[Selection] = [
    TopK(0.5), Threshold(0.5), NM(2, 4), Block(0.5, 2, 2), Channel(0.5), Inverted(0.5), Oracle(0.5),
]  # fmt: skip


def small(selection: Selection, shape: tuple[int, ...], score: Any) -> tuple[NoisyLayer, list[str]]:
    """A layer in float64 without rounding, and the names of what is learned in it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        wrapped = nn.Linear(6, 4) if len(shape) == 1 else nn.Conv2d(3, 4, 2)
    layer = noisy(wrapped.double(), selection, score=score, normalise=True, **EXACT)
    layer.threshold.zero_()
    scores = layer.score(layer.approximate(inputs(2, shape, dtype=torch.float64))).detach()
    layer.threshold.copy_((scores.max() + scores.min()) / 2)
    return layer, ["wrapped.weight", "wrapped.bias", "W_tilde", "b_tilde"]
