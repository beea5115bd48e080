"""Networks of known parts remember nothing; whatever could is none."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.modules.module as torch_module
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from nenni.evaluation.known_parts import made_of_known_parts
from nenni.evaluation.memory import found_in_answers
from nenni.evaluation.subject import examine
from nenni.method.injection import inject
from nenni.method.selection.topk import TopK
from nenni.networks.architecture import Architecture
from nenni.networks.build import build

MODELS: list[dict[str, Any]] = [
    {"name": "small_cnn", "channels": [4, 4, 4, 4], "hidden": 8},
    {"name": "resnet_cifar", "depth": 8},
    {"name": "resnet18", "width": 4},
    {"name": "wide_resnet", "depth": 10, "widen": 1},
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: str(model["name"]))
def test_this_package_s_networks_are_and_remember_nothing(model: dict[str, Any]) -> None:
    shape = (1, 28, 28) if model["name"] == "small_cnn" else (3, 32, 32)
    network = build(Architecture(model, shape, 10)).eval()
    assert made_of_known_parts(network)
    assert found_in_answers(network, torch.rand(4, *shape), eps=0.1, norm="linf") is None


def test_so_are_injected_ones(noisy: nn.Module, trained: nn.Module) -> None:
    assert made_of_known_parts(noisy)
    assert made_of_known_parts(trained)


class Remembering(nn.ReLU):
    """Derived from a known part."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


def _hooked(network: nn.Module) -> None:
    network[0].register_forward_hook(lambda *_: None)  # type: ignore[index]


def _pre_hooked(network: nn.Module) -> None:
    network[0].register_forward_pre_hook(lambda *_: None)  # type: ignore[index]


def _overridden(network: nn.Module) -> None:
    network[0].forward = network[0].forward  # type: ignore[index]


def _derived(network: nn.Module) -> None:
    network.relu1 = Remembering()


def _training(network: nn.Module) -> None:
    network[0].train()  # type: ignore[index]


def _parametrised(network: nn.Module) -> None:
    parametrizations.spectral_norm(network[0])  # type: ignore[index]


def _calling(network: nn.Module) -> None:
    network.extra = nn.TransformerEncoderLayer(4, 1, activation=lambda x: x).eval()


class Odd(nn.Parameter):
    """A tensor with a mind of its own."""


def _odd_tensor(network: nn.Module) -> None:
    network[0].bias = Odd(network[0].bias.detach())  # type: ignore[index]


def _shadowed(network: nn.Module) -> None:
    network[0]._conv_forward = network[0]._conv_forward  # type: ignore[index]


def _holding_a_function(network: nn.Module) -> None:
    network[0].activation = torch.relu  # type: ignore[index]


def _backward_hooked(network: nn.Module) -> None:
    network[0].register_full_backward_hook(lambda *_: None)  # type: ignore[index]


def _tensor_hooked(network: nn.Module) -> None:
    network[0].weight.register_hook(lambda _: None)  # type: ignore[index]


def _odd_tensor_beside(network: nn.Module) -> None:
    network[0].__dict__["scale"] = Odd(torch.zeros(1))  # type: ignore[index]


@pytest.mark.parametrize(
    "change",
    [
        _shadowed,
        _holding_a_function,
        _backward_hooked,
        _tensor_hooked,
        _odd_tensor_beside,
        _hooked,
        _pre_hooked,
        _overridden,
        _derived,
        _training,
        _parametrised,
        _calling,
        _odd_tensor,
    ],
)
def test_what_could_remember_is_none(
    change: Callable[[nn.Module], None], trained: nn.Module
) -> None:
    network = copy.deepcopy(trained)
    change(network)
    assert not made_of_known_parts(network)


def test_a_class_that_was_changed_is_not_known(
    trained: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nn.ReLU, "forward", lambda _, x: x)
    assert not made_of_known_parts(trained)


def test_hooks_on_all_modules_count(trained: nn.Module) -> None:
    handle = torch_module.register_module_forward_hook(lambda *_: None)
    assert not made_of_known_parts(trained)
    handle.remove()
    assert made_of_known_parts(trained)


@dataclass(frozen=True)
class Own(TopK):
    """A selection from elsewhere."""


def test_a_selection_from_elsewhere_counts(trained: nn.Module, make_spec: Any) -> None:
    network = inject(trained, make_spec(selection=Own(0.5)), torch.zeros(2, 1, 28, 28))
    assert not made_of_known_parts(network.eval())


def test_a_known_part_that_draws_is_randomised(trained: nn.Module, digits: Any) -> None:
    network = nn.Sequential(nn.FractionalMaxPool2d(2, output_size=28), trained).eval()
    images = nn.functional.interpolate(digits[0][:8], size=45)
    assert made_of_known_parts(network)
    assert examine(network, images, eps=0.1, norm="linf").randomised
