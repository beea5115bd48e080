"""The moving average of a network."""

import math
from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

import nenni
from nenni.method.projection.gaussian import Gaussian
from nenni.method.selection.threshold import Threshold
from nenni.method.spec import InjectionSpec
from nenni.training.average import Average


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_a_selection_of_all_or_none_stays_one(fraction: float) -> None:
    """Infinity less infinity is no number: all neurons were then judged inessential."""
    x = torch.rand(16, 64)
    plain = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    spec = InjectionSpec(Threshold(fraction), Gaussian(0.5), layers=("0",))
    network = nenni.inject(plain, spec, x[:1])
    nenni.fit(network, x)
    average = Average(network, 0.9)
    for _ in range(3):
        average.update_parameters(network)
    found = nenni.report(average.module, x)["fraction"].tolist()
    assert found == nenni.report(network, x)["fraction"].tolist() == [fraction]


def test_what_is_finite_is_averaged() -> None:
    """A buffer that becomes infinite is, and is finite once more when it is."""
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    model.register_buffer("limits", torch.tensor([1.0, math.inf, 0.0]))
    average = Average(model, 0.75)
    of_torch = AveragedModel(
        deepcopy(model), multi_avg_fn=get_ema_multi_avg_fn(0.75), use_buffers=True
    )
    for step, limits in enumerate([[1.0, math.inf, 0.0], [3.0, 1.0, -math.inf], [3.0, 1.0, 2.0]]):
        with torch.no_grad():
            model[0].weight.add_(step)
        model(torch.rand(5, 3))
        model.limits = torch.tensor(limits)
        average.update_parameters(model)
        of_torch.update_parameters(model)
        expected, found = of_torch.state_dict(), average.state_dict()
        assert found.keys() == expected.keys()
        for name in found.keys() - {"module.limits"}:
            assert torch.equal(found[name], expected[name])
    assert average.module.limits.tolist() == [1 + 2 * (0.25 + 0.75 * 0.25), 1.0, 2.0]
