"""Learn2Perturb's noise, its alternating steps and its floor, by hand."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from baseline_cases import Digits, defended, fresh, learned
from torch import Tensor, nn

from nenni.core.errors import UserError
from nenni.core.seeding import seeded
from nenni.data.split import InMemory
from nenni.defences.baselines.learn2perturb import Learn2Perturb, LearnedNoise
from nenni.method.baseline import baseline_layers
from nenni.method.defend import defend
from nenni.training.objectives.standard import Standard
from nenni.training.recipe import Recipe
from nenni.training.state import State, Task
from nenni.training.step import train_step


def layers(network: nn.Module) -> list[LearnedNoise]:
    return [layer for _, layer in baseline_layers(network) if isinstance(layer, LearnedNoise)]


def test_noise_of_each_element_and_the_gradient_of_its_scale() -> None:
    """y' = relu(y + theta eta): the slope of theta is that of y' times eta."""
    y = torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    network = nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)).eval()
    (layer,) = layers(defend(network, Learn2Perturb(), y))
    with torch.no_grad():
        layer.theta.copy_(torch.linspace(0.1, 1, 32).view(2, 4, 4))
    with seeded("draw"):
        found = layer(y)
    with seeded("draw"):
        eta = torch.randn(y.shape)
    assert torch.equal(found, F.relu(y + layer.theta * eta))
    found.sum().backward()
    assert torch.allclose(layer.theta.grad, ((found > 0) * eta).sum(0))  # type: ignore[arg-type]


def test_the_penalty_lets_the_noise_grow_less_from_epoch_to_epoch(digits: Digits) -> None:
    layer = layers(defended(fresh(), Learn2Perturb(0.25, gamma=0.1), digits))[0]
    count = layer.theta.numel()
    assert float(layer.penalty(1).detach()) == pytest.approx(-0.1 * count * 0.5)
    assert float(layer.penalty(3).detach()) == pytest.approx(
        -0.1 * count * 0.5 / (1 + 1 / 2 + 1 / 3)
    )
    layer.penalty(2).backward()
    slope = torch.full_like(layer.theta, -0.1 / 1.5 / 2 / 0.5)
    assert torch.allclose(layer.theta.grad, slope)  # type: ignore[arg-type]


def one_step(network: nn.Module, digits: Digits, **choices: Any) -> None:
    """One of the second epoch, of ten images."""
    x, y = digits[0][:10], digits[1][:10]
    recipe = Recipe(epochs=2, batch_size=10, lr=0.1, optimiser="sgd", momentum=0.0,
                    schedule=lambda step, steps: 1.0, method=Standard(), **choices)  # fmt: skip
    data = {"train": InMemory.of(x, y), "val": InMemory.of(x, y)}
    task = Task(network, network, data, recipe, (0, "test"))
    state = State.start(network, recipe, list(network.parameters()))
    draws = {name: torch.Generator().manual_seed(0) for name in ("shift", "attack")}
    network.train()
    with seeded("step"):
        train_step(task, state, 1, x, y, 10, draws)


@pytest.mark.parametrize(("accumulate", "decay"), [(1, 0.0), (2, 0.0), (1, 0.1)])
def test_steps_alternate(accumulate: int, decay: float, digits: Digits) -> None:
    """First the weights on the loss, theta held; then theta at the new weights, with gamma g.

    Weights alone decay.
    """
    gamma, rate = 0.05, 0.1
    network = defended(fresh(), Learn2Perturb(0.25, gamma=gamma), digits)
    expected = defended(fresh(), Learn2Perturb(0.25, gamma=gamma), digits)
    one_step(network, digits, accumulate=accumulate, weight_decay=decay)

    x, y = digits[0][:10], digits[1][:10]
    theta = [layer.theta for layer in layers(expected)]
    weights = [p for p in expected.parameters() if not any(p is t for t in theta)]

    def loss() -> Tensor:
        parts = zip(x.tensor_split(accumulate), y.tensor_split(accumulate), strict=True)
        return sum(F.cross_entropy(expected(a), b) * len(a) / 10 for a, b in parts)  # type: ignore[return-value]

    expected.train()
    with seeded("step"):
        for p, slope in zip(weights, torch.autograd.grad(loss(), weights), strict=True):
            p.data -= rate * (slope + decay * p)
        growth = sum(layer.penalty(2) for layer in layers(expected))
        for p, slope in zip(theta, torch.autograd.grad(loss() + growth, theta), strict=True):
            p.data -= rate * slope
    for (name, found), wanted in zip(
        network.named_parameters(), expected.parameters(), strict=True
    ):
        assert torch.allclose(found, wanted, atol=1e-6), name


def test_no_noise_falls_below_the_floor(digits: Digits) -> None:
    network = defended(fresh(), Learn2Perturb(0.0101, gamma=0.0, floor=0.01), digits)
    learned(network, digits, 3)
    least = min(float(layer.theta.detach().min()) for layer in layers(network))
    assert least == pytest.approx(0.01)
    assert len({float(layer.theta.detach().max()) for layer in layers(network)}) > 1


def test_a_larger_gamma_makes_more_noise(digits: Digits) -> None:
    means = []
    for gamma in (0.0, 0.01):
        network = defended(fresh(), Learn2Perturb(0.05, gamma=gamma), digits)
        learned(network, digits, 1)
        means.append(
            torch.cat([layer.theta.detach().flatten() for layer in layers(network)]).mean()
        )
    assert means[1] > means[0] + 0.01


def test_a_module_that_runs_on_several_shapes_is_refused() -> None:
    relu = nn.ReLU()
    network = nn.Sequential(nn.Conv2d(1, 2, 3), relu, nn.Flatten(), nn.Linear(8, 3), relu)
    with pytest.raises(UserError, match="1 runs on several shapes, so that its elements cannot"):
        defend(network, Learn2Perturb(), torch.rand(2, 1, 4, 4))
