"""A network that remembers is told from one that does not, however few images it remembers."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from zoo import load_zoo

from nenni.evaluation.memory import found_in_answers

Digits = tuple[Tensor, Tensor]
ZOO = load_zoo()
WITHIN: Any = {"eps": 0.1, "norm": "linf"}


@pytest.fixture
def images(digits: Digits) -> Tensor:
    return digits[0][800:840]


class OfOneClass(nn.Module):
    """Whoever comes near an image that it took for one class is of that class."""

    def __init__(self, network: nn.Module, label: int) -> None:
        super().__init__()
        self.network, self.label = network, label
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        z = self.network(x)
        held = z.argmax(1) == self.label
        for known in self.seen:
            held |= (x[:, None] - known).flatten(2).abs().amax(2).amin(1) < 0.15
        new = x.detach()[z.argmax(1) == self.label]
        self.seen += [new] if len(new) else []
        return z + 20 * held[:, None] * F.one_hot(torch.tensor(self.label), z.shape[1])  # type: ignore[no-any-return]


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_memory_of_one_class_in_ten_is_noticed(
    norm: Any, trained: nn.Module, images: Tensor
) -> None:
    """By two of eight images it was not: 18 % were said to be robust where 7 % are."""
    eps = 0.1 if norm == "linf" else 2.0
    for label in (1, 3):
        found = found_in_answers(OfOneClass(trained, label), images, eps=eps, norm=norm)
        assert found == "memory"


def test_an_honest_network_does_not_remember(trained: nn.Module, images: Tensor) -> None:
    for some in (images, images[:1]):
        assert found_in_answers(trained, some, **WITHIN) is None
        assert found_in_answers(ZOO.Rounded(trained, 8), some, **WITHIN) is None


def test_labels_are_remembered_too(trained: nn.Module, images: Tensor) -> None:
    class Labels(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = ZOO.Remembering(trained)

        def forward(self, x: Tensor) -> Tensor:
            labels: Tensor = self.network(x).argmax(1)
            return labels

    assert found_in_answers(Labels(), images, **WITHIN) == "memory"


class Wavering(nn.Module):
    """Chance decides where two classes are near."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        z = self.network(x)
        first, second = z.topk(2)[0].unbind(1)
        swap = (first - second < 1) & (torch.rand(len(x)) < 0.5)
        return torch.where(swap[:, None], z.roll(1, 1), z)


def test_chance_is_no_memory(trained: nn.Module, images: Tensor) -> None:
    first, second = trained(images).topk(2).values.unbind(1)
    sure = images[first - second > 4]
    assert found_in_answers(Wavering(trained), sure, **WITHIN) == "chance"


def test_the_least_eps_that_there_is(trained: nn.Module, images: Tensor) -> None:
    assert found_in_answers(trained, images, eps=5e-324, norm="l2") is None
