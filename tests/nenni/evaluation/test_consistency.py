"""An image's answer is its own: not of the past, the batch, the order."""

import copy

import torch
from torch import Tensor, nn
from zoo import load_zoo

from nenni.evaluation.consistency import inconsistent

Digits = tuple[Tensor, Tensor]
ZOO = load_zoo()


def shares(model: nn.Module, digits: Digits) -> dict[str, float]:
    x = digits[0][800:830]
    near = (x + 0.05 * torch.rand(x.shape, generator=torch.Generator().manual_seed(0))).clamp(0, 1)
    found = inconsistent(copy.deepcopy(model).eval(), x, near)
    return {name: float(flags.double().mean()) for name, flags in found.items()}


def test_each_is_told_apart(trained: nn.Module, digits: Digits) -> None:
    assert shares(trained, digits) == {"memory": 0.0, "batch": 0.0, "order": 0.0}
    remembering = shares(ZOO.Remembering(trained), digits)
    assert remembering["memory"] == 1.0
    assert shares(ZOO.InCompany(trained, 10), digits)["batch"] > 0.5

    class Placed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            place = torch.linspace(0, 1, len(x))[:, None, None, None]
            return trained(x * (1 - 0.5 * place))

    assert shares(Placed(), digits)["order"] > 0.5

    class Tiring(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.asked = 0

        def forward(self, x: Tensor) -> Tensor:
            self.asked += 1
            return trained(x) / self.asked

    tiring = shares(Tiring(), digits)
    assert min(tiring["memory"], tiring["order"]) == 1.0


def test_of_what_cannot_be_copied_memory_is_not_asked(trained: nn.Module, digits: Digits) -> None:
    class Locked(nn.Module):
        def __deepcopy__(self, _: object) -> None:
            raise TypeError

        def forward(self, x: Tensor) -> Tensor:
            return trained(x)  # type: ignore[no-any-return]

    x = digits[0][:2]
    assert set(inconsistent(Locked(), x, x)) == {"batch", "order"}


def test_of_a_randomised_network_the_same_draws_and_averages_are_compared(
    trained: nn.Module, digits: Digits
) -> None:
    def found(model: nn.Module) -> dict[str, float]:
        x = digits[0][800:816]
        flags = inconsistent(copy.deepcopy(model).eval(), x, x + 0.01, randomised=True)
        return {name: float(off.double().mean()) for name, off in flags.items()}

    noisy = ZOO.Noisy(trained, 0.05)
    assert found(noisy) == {"memory": 0.0, "batch": 0.0, "order": 0.0}
    assert found(ZOO.Remembering(noisy))["memory"] == 1.0
    assert found(ZOO.InCompany(noisy, 10))["batch"] > 0.3
