"""Which filters are random, how they are drawn, and that they are not trained."""

import pytest
import torch
from baseline_cases import Digits, answers, defended, fresh, learned
from torch import nn

from nenni.core.errors import UserError
from nenni.core.seeding import seeded
from nenni.defences.baselines.random_projection_filters import (
    RandomFilters,
    RandomProjectionFilters,
)
from nenni.method.baseline import baseline_layers
from nenni.method.defend import defend, set_noise


def only(network: nn.Module) -> RandomFilters:
    ((_, layer),) = baseline_layers(network)
    assert isinstance(layer, RandomFilters)
    return layer


def test_the_first_convolution_has_them_first(digits: Digits) -> None:
    network = defended(fresh(), RandomProjectionFilters(0.75), digits)
    assert [name for name, _ in baseline_layers(network)] == ["conv1"]
    layer, x = only(network), digits[0][:4]
    z = answers(layer, x)
    with seeded("answers", 0):
        drawn = torch.randn(6, 1, 3, 3) / 3
    weight = torch.cat([drawn, layer.wrapped.weight[6:]])
    expected = nn.functional.conv2d(
        x,
        weight,
        layer.wrapped.bias,
        layer.wrapped.stride,
        layer.wrapped.padding,  # type: ignore[arg-type]
    )
    assert torch.allclose(z, expected, atol=1e-6)
    other = answers(layer, x, 1)
    assert torch.equal(other[:, 6:], z[:, 6:])
    assert not torch.isclose(other[:, :6], z[:, :6]).all()


def test_they_are_not_trained_and_the_others_are(digits: Digits) -> None:
    network = defended(fresh(), RandomProjectionFilters(0.5), digits)
    before = [t.clone() for t in (only(network).wrapped.weight, only(network).kept)]
    learned(network, digits, 1)
    weight, kept = only(network).wrapped.weight, only(network).kept
    assert torch.equal(weight[:4], before[0][:4])
    assert not torch.isclose(weight[4:], before[0][4:]).any()
    assert torch.equal(kept, before[1])


def test_without_noise_one_draw_is_kept(digits: Digits) -> None:
    """That draw depends on the seed alone."""
    x = digits[0][:4]
    one, again = (defend(fresh(), RandomProjectionFilters(), x, seed=3) for _ in range(2))
    other = defend(fresh(), RandomProjectionFilters(), x, seed=4)
    for network in (one, again, other):
        set_noise(network, on=False)
    assert torch.equal(answers(one, x, 0), answers(again, x, 1))
    assert not torch.equal(answers(one, x), answers(other, x))
    assert float(only(one).kept.std()) == pytest.approx(1 / 3, rel=0.3)


@pytest.mark.parametrize(("share", "count"), [(0.01, 1), (0.5, 4), (1.0, 8)])
def test_share(share: float, count: int, digits: Digits) -> None:
    network = defended(fresh(), RandomProjectionFilters(share), digits)
    assert len(only(network).kept) == count


def test_a_network_without_convolutions_is_refused() -> None:
    with pytest.raises(UserError, match="no module Conv2d of Sequential ran"):
        defend(nn.Sequential(nn.Linear(4, 3)), RandomProjectionFilters(), torch.rand(2, 4))
