"""Passes by CUDA graphs give what the passes themselves give, bit by bit."""

import copy

import pytest
import torch
import torch.nn.functional as F
from noisy_cases import CASES, IMAGES, network
from torch import Tensor, nn

from nenni.core.seeding import seeded
from nenni.method.noisy_layer import LayerPath
from nenni.networks.replayed import _Replayed, replayed

CUDA = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU, and torch finds none"),
]
CPU = torch.device("cpu")


def plain() -> nn.Module:
    """A small network with batch norm."""
    with seeded(1):
        return nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(3872, 10)
        ).double()


def trained(model: nn.Module, captured: bool) -> list[Tensor]:
    """Weights and buffers after some steps, with an attack's gradient and a look in between."""
    device = torch.device("cuda")
    model, images = model.to(device), IMAGES.to(device)
    labels = torch.tensor([1, 2, 3, 4], device=device)
    optimiser = torch.optim.SGD(model.parameters(), 0.01)
    found: list[Tensor] = []

    def steps() -> None:
        for step in range(7):
            with seeded(step):
                model.eval()
                x = images.clone().requires_grad_()
                found.append(torch.autograd.grad(F.cross_entropy(model(x), labels), x)[0])
                model.train()
                optimiser.zero_grad()
                first, second = model(images), model(found[-1] + images)  # both wait for backward
                (F.cross_entropy(first, labels) + second.square().mean()).backward()
                optimiser.step()
                model.eval()
                with torch.no_grad():
                    found.append(model(images[: 3 + step % 2]))

    if captured:
        with replayed(model, device):
            steps()
            assert len(model._compiled_call_impl.captured) == 4  # type: ignore[attr-defined]
    else:
        steps()
    return found + [value.clone() for value in model.state_dict().values()]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=CUDA) for name in ("plain", "topk", "2:4", "GaussianNoise")]
)
def test_training_and_gradients_are_the_same_bits(name: str) -> None:
    torch.use_deterministic_algorithms(True)
    model = plain() if name == "plain" else network(name, "injected")
    try:
        expected = trained(copy.deepcopy(model), captured=False)
        for ours, theirs in zip(trained(model, captured=True), expected, strict=True):
            assert torch.equal(ours, theirs)
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize(("name", "path"), [pytest.param(*case, marks=CUDA) for case in CASES[::3]])
def test_every_path_is_captured(name: str, path: LayerPath) -> None:
    model, images = network(name, path).to("cuda"), IMAGES.to("cuda")
    with seeded(5), torch.no_grad():
        expected = model(images)
    with torch.no_grad(), replayed(model, images.device):
        for _ in range(4):
            with seeded(5):
                found = model(images)
        assert isinstance(model._compiled_call_impl, _Replayed)
        assert len(model._compiled_call_impl.captured) == 1
    assert torch.equal(found, expected)


def test_nothing_changes_on_a_cpu_or_for_modules_of_others() -> None:
    class Counting(nn.Module):
        calls = 0

        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return x

    hooked = nn.Linear(2, 2)
    hooked.register_forward_hook(lambda *_: None)
    for model, device in (
        (plain(), CPU), (Counting(), torch.device("cuda")), (hooked, torch.device("cuda")),
    ):  # fmt: skip
        with replayed(model, device):
            assert model._compiled_call_impl is None


def test_what_was_called_before_is_called_afterwards() -> None:
    model, x = nn.Linear(2, 2), torch.rand(3, 2)
    with replayed(model, torch.device("cuda")):
        assert isinstance(model._compiled_call_impl, _Replayed)
        assert torch.equal(model(x), F.linear(x, model.weight, model.bias))
    assert model._compiled_call_impl is None
