import itertools
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.core.seeding import seeded
from nenni.method import allocation_search as working_point
from nenni.method.allocation_search import mean_loss, measured_rises, spend
from nenni.method.fit import fit
from nenni.method.injection import inject, noisy_layers, set_fractions
from nenni.method.selection.random import Random
from nenni.method.selection.threshold import Threshold
from nenni.method.spec import InjectionSpec

MakeSpec = Callable[..., InjectionSpec]
MACS = {"conv2": 40.0, "conv3": 30.0, "conv4": 20.0, "fc1": 10.0}


@pytest.fixture
def fitted(trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]) -> nn.Module:
    noisy = inject(trained, make_spec(), digits[0][:1])
    fit(noisy, digits[0][:300])
    return noisy


def fractions_of(noisy: nn.Module) -> dict[str, float]:
    return {name: layer.choices.selection.nominal() for name, layer in noisy_layers(noisy)}


def test_the_loss_falls_within_the_budget(fitted: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    data = digits[0][:300], digits[1][:300]
    set_fractions(fitted, dict.fromkeys(MACS, 0.25))
    before = mean_loss(fitted, *data)
    table = spend(fitted, *data, MACS, 0.25)
    assert dict(zip(table["layer"], table["fraction"], strict=True)) == fractions_of(fitted)
    assert sum(MACS[r.layer] * r.fraction for r in table.itertuples()) <= 25 + 1e-6
    assert mean_loss(fitted, *data) < 0.95 * before


def test_rises_are_of_one_layer_at_a_time(fitted: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    data = digits[0][:100], digits[1][:100]
    present = {"conv2": 0.5, "conv3": 0.25, "conv4": 1.0, "fc1": 0.0}
    rises = measured_rises(fitted, *data, present, 0.25)
    assert fractions_of(fitted) == present
    asked = rises.groupby("layer")["fraction"].apply(sorted).to_dict()
    assert asked == {
        "conv2": [0.25, 0.375, 0.5, 0.625, 0.75],
        "conv3": [0.0, 0.125, 0.25, 0.375, 0.5],
        "conv4": [0.75, 0.875, 1.0],
        "fc1": [0.0, 0.125, 0.25],
    }
    base = mean_loss(fitted, *data)
    set_fractions(fitted, {"conv3": 0.5})
    row = rises[(rises["layer"] == "conv3") & (rises["fraction"] == 0.5)].iloc[0]
    assert row["rise"] == pytest.approx(mean_loss(fitted, *data) - base)


def test_a_round_that_does_not_help_is_undone(
    fitted: nn.Module, digits: tuple[Tensor, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = itertools.count()
    monkeypatch.setattr(working_point, "mean_loss", lambda *_: float(next(losses)))
    table = spend(fitted, digits[0][:5], digits[1][:5], MACS, 0.5)
    assert (table["fraction"] == 0.5).all()
    assert fractions_of(fitted) == dict.fromkeys(MACS, 0.5)
    assert next(losses) == 1 + 1 + 4 * 4 + 1


def test_the_loss_of_a_randomised_network_repeats(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    noisy = inject(trained, make_spec(selection=Random(0.5)), digits[0][:1])
    fit(noisy, digits[0][:100])
    first = mean_loss(noisy.train(), digits[0][:60], digits[1][:60], batch_size=25)
    assert first == mean_loss(noisy, digits[0][:60], digits[1][:60], batch_size=25)
    assert noisy.training
    others = []
    for draw in range(30):
        with torch.no_grad(), seeded(draw):
            logits = noisy.eval()(digits[0][:60])
        others.append(float(nn.functional.cross_entropy(logits, digits[1][:60])))
    assert min(others) / 1.2 < first < max(others) * 1.2


def test_a_threshold_that_is_calibrated_is_refused(
    trained: nn.Module, make_spec: MakeSpec, digits: tuple[Tensor, Tensor]
) -> None:
    x, y = digits[0][:5], digits[1][:5]
    noisy = inject(trained, make_spec(selection=Threshold(0.5)), x[:1])
    with pytest.raises(UserError, match="the selection of conv2 has a threshold"):
        spend(noisy, x, y, MACS, 0.5)
    with pytest.raises(UserError, match="the selection of conv2 has a threshold"):
        measured_rises(noisy, x, y, dict.fromkeys(MACS, 0.5), 0.25)
