"""What the cost model predicts is hwmodel's own, of layers that can skip alone."""

import json
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import hwmodel
import nenni
from nenni.core.errors import UserError
from nenni.cost.describe import describe
from nenni.cost.predicted import PRESET, TOTAL, predictions


def network(padding: int | str = 1, wide: int = 64, hidden: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    head = nn.Linear(wide * 64, hidden) if hidden == 3 else nn.Sequential(
        nn.Linear(wide * 64, hidden), nn.ReLU(), nn.Linear(hidden, 3)
    )  # fmt: skip
    return nn.Sequential(
        nn.Conv2d(3, wide, 3, padding=1), nn.ReLU(), nn.Conv2d(wide, wide, 3, padding=padding),
        nn.ReLU(), nn.Flatten(), head,
    ).eval()  # fmt: skip


@pytest.fixture
def images() -> Tensor:
    return torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def deployable(images: Tensor) -> Callable[..., nn.Module]:
    def make(model: nn.Module, **how: object) -> nn.Module:
        spec = nenni.InjectionSpec(
            nenni.Block(0.25, channels=32, positions=8), nenni.TapShared(0.125), exact_bits=8,
            input_bits=8, projected_bits=8, **how,
        )  # type: ignore[arg-type]  # fmt: skip
        noisy = nenni.inject(model, spec, images)
        nenni.fit(noisy, images)
        return noisy

    return make


def test_they_are_those_of_the_cost_model(
    images: Tensor, deployable: Callable[..., nn.Module]
) -> None:
    noisy = deployable(network())
    found = predictions(noisy, images)
    text = json.dumps(describe(noisy, images))
    layers = hwmodel.Network.model_validate_json(text)
    latency = {
        x.layer: x for x in hwmodel.latency(layers, hwmodel.load_preset(PRESET), len(images))
    }
    one, total = latency["2"], latency[TOTAL]
    assert one.injected_s is not None and one.dense_int8_s is not None  # noqa: PT018
    assert total.dense_int8_s is not None
    assert [*found] == ["2", TOTAL]
    assert found["2"]["predicted"] == pytest.approx(one.injected_s / one.dense_int8_s, rel=1e-6)
    assert 0 <= found["2"]["predicted_crossover"] <= 1
    saved = max(one.dense_int8_s - one.injected_s, 0)
    assert found[TOTAL]["predicted"] == pytest.approx(1 - saved / total.dense_int8_s, rel=1e-6)


def test_of_a_network_with_other_injected_layers_there_is_none(
    images: Tensor, deployable: Callable[..., nn.Module]
) -> None:
    """A linear layer, and a convolution whose padding no kernel has, compute both of their paths."""
    with_linear = deployable(network(hidden=64))
    assert [*predictions(with_linear, images)] == ["2"]
    assert predictions(deployable(network("same")), images) == {}


def test_what_the_model_refuses_is_told_in_its_words(
    images: Tensor, deployable: Callable[..., nn.Module]
) -> None:
    model = network()
    named = nn.Sequential()
    for name, layer in model.named_children():
        named.add_module(TOTAL if name == "2" else f"l{name}", layer)
    with pytest.raises(UserError, match=r"hwmodel has no prediction: .*total"):
        predictions(deployable(named.eval()), images)
