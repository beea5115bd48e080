"""The soft mask: its limit, its range and its gradient."""

from typing import Any

import pytest
import torch
from layer_cases import BORDERS, EXACT, draws, each_kind, inputs, linear, noisy, small
from torch import Tensor

from nenni.core.seeding import seeded
from nenni.method.mixing import mix
from nenni.method.noise.zero import Zero
from nenni.method.noise_base import Noise
from nenni.method.selection.all import All
from nenni.method.selection.none import Nothing
from nenni.method.selection.oracle import Oracle
from nenni.method.selection.random import Random
from nenni.method.selection.threshold import Threshold
from nenni.method.selection.topk import TopK
from nenni.method.selection_base import Selection


@pytest.mark.parametrize("selection", [TopK(0.5), Threshold(0.5), Oracle(0.5)], ids=str)
@pytest.mark.parametrize(("shape", "score"), [((3, 4, 3), "signed"), ((6,), "magnitude")])
def test_soft_gradients_agree_with_finite_differences(
    selection: Selection, shape: tuple[int, ...], score: Any
) -> None:
    """With the border and the width of the mask held constant, as the backward pass holds them."""
    layer, names = small(selection, shape, score)
    layer.path, layer.temperature = "soft", 0.3
    x = inputs(2, shape, dtype=torch.float64).requires_grad_()

    def judged(x: Tensor) -> Tensor:
        return layer.score(layer.exact(x) if selection.judges_exact else layer.approximate(x))

    with torch.no_grad():
        s = judged(x)
        mask = selection.mask(s).flatten(1)
        inside = s.flatten(1).masked_fill(~mask, torch.inf).amin(1)
        outside = s.flatten(1).masked_fill(mask, -torch.inf).amax(1)
        border = 0 if isinstance(selection, Threshold) else (inside + outside)[:, None] / 2
        width = 0.3 * s.flatten(1).std(1, correction=0, keepdim=True)

    def expected(x: Tensor) -> Tensor:
        m = torch.sigmoid((judged(x).flatten(1) - border) / width).view_as(s)
        return m * layer.exact(x) + (1 - m) * layer.approximate(x)

    torch.testing.assert_close(layer(x), expected(x))
    assert torch.autograd.gradcheck(expected, (x,), eps=1e-7, atol=1e-5)
    weights = torch.randn(layer(x).shape, generator=draws(4), dtype=torch.float64)
    tensors = [x, *(layer.get_parameter(name) for name in names)]
    found = torch.autograd.grad((layer(x) * weights).sum(), tensors)
    reference = torch.autograd.grad((expected(x) * weights).sum(), tensors)
    torch.testing.assert_close(found, reference)


@pytest.mark.parametrize("selection", BORDERS, ids=str)
@each_kind
def test_the_soft_mask_becomes_the_hard_one(
    wrapped: Any, shape: tuple[int, ...], selection: Selection
) -> None:
    layer = noisy(wrapped(), selection, **EXACT).double()
    x = inputs(3, shape, dtype=torch.float64)
    z = layer.exact(x) if selection.judges_exact else layer.approximate(x)
    hard = layer.mask(z).double()
    distances = []
    for layer.temperature in (10, 1, 0.1, 1e-9):
        soft = layer.soft_mask(z, layer.temperature)
        assert ((soft >= 0) & (soft <= 1)).all()
        assert ((soft > 0.5) == hard.bool()).all()
        distances.append((soft - hard).abs().max().item())
    assert distances == sorted(distances, reverse=True)
    assert distances[0] > 0.3
    assert distances[-1] < 1e-6
    layer.path = "soft"
    torch.testing.assert_close(layer(x), mix(layer.exact(x), layer.approximate(x), hard.bool()))


@pytest.mark.parametrize("selection", [TopK(0), TopK(1), Threshold(0), Threshold(1)], ids=str)
@pytest.mark.parametrize("noise", [None, Zero()])
@each_kind
def test_soft_masks_of_all_and_of_none(
    wrapped: Any, shape: tuple[int, ...], selection: Any, noise: Noise | None
) -> None:
    layer = noisy(wrapped(), selection, **({} if noise is None else {"noise": noise}))
    layer.threshold.fill_(-torch.inf if selection.fraction else torch.inf)  # as the fit does
    layer.path = "soft"
    x = inputs(3, shape).requires_grad_()
    assert (layer.soft_mask(layer.approximate(x), 0.1) == selection.fraction).all()
    layer(x).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_a_soft_mask_without_a_border_is_the_mask() -> None:
    layer = noisy(linear(), Random(0.5))
    z = layer.approximate(inputs(3, (16,)))
    with seeded(3):
        hard = layer.mask(z)
    with seeded(3):
        assert torch.equal(layer.soft_mask(z, 0.1), hard.float())
    assert (noisy(linear(), All()).soft_mask(z, 0.1) == 1).all()
    assert (noisy(linear(), Nothing()).soft_mask(z, 0.1) == 0).all()


@each_kind
def test_the_score_has_a_gradient_only_through_the_soft_mask(
    wrapped: Any, shape: tuple[int, ...]
) -> None:
    layer = noisy(wrapped(), TopK(0.5))
    z = layer.approximate(inputs(3, shape)).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(layer.soft_mask(z, 0.1).sum(), z)
    assert (gradient > 0).any()
    assert not layer.mask(z).requires_grad
