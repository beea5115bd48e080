"""The loss that flips masks."""

from collections.abc import Callable

import pytest
import torch
from attack_cases import draws
from torch import Tensor, nn

from nenni.adversary.attacks.mask_flip import _flipped, mask_flip
from nenni.adversary.attacks.pgd import pgd
from nenni.core.errors import UserError
from nenni.core.seeding import seeded
from nenni.evaluation.evaluate import evaluate
from nenni.evaluation.subject import Afresh, Alone
from nenni.method.fit import fit
from nenni.method.injection import inject, noisy_layers
from nenni.method.projection.gaussian import Gaussian
from nenni.method.selection.random import Random
from nenni.method.selection.topk import TopK
from nenni.method.spec import InjectionSpec
from nenni.networks.copying import copied

Digits = tuple[Tensor, Tensor]


def test_mask_flip_flips_more_than_pgd(fitted: nn.Module, digits: Digits) -> None:
    x, y = digits[0][800:830], digits[1][800:830]

    def flipped(images: Tensor) -> float:
        masks: dict[str, list[Tensor]] = {}
        handles = [
            layer.register_forward_pre_hook(
                lambda m, inputs, name=name: masks.setdefault(name, []).append(
                    m.mask(m.judged(inputs[0]))
                )
            )
            for name, layer in noisy_layers(fitted)
        ]
        with torch.no_grad():
            fitted(x)
            fitted(images)
        for handle in handles:
            handle.remove()
        return float(torch.stack([(a ^ b).float().mean() for a, b in masks.values()]).mean())

    plain = pgd(fitted, x, y, 0.05, draws(), loss="margin", steps=20)
    driven = mask_flip(fitted, x, y, 0.05, draws(), steps=20, weight=1000.0)
    assert flipped(driven) > 1.2 * flipped(plain)
    weightless = mask_flip(fitted, x, y, 0.05, draws(), steps=20, relative_step=2.5, weight=0.0)
    assert torch.equal(weightless, plain)


def test_mask_flip_needs_masks(
    trained: nn.Module, digits: Digits, make_spec: Callable[..., InjectionSpec]
) -> None:
    x, y = digits[0][:2], digits[1][:2]
    with pytest.raises(UserError, match="this one has none"):
        mask_flip(trained, x, y, 0.1, draws())
    by_chance = inject(trained, make_spec(selection=Random(0.5)), x)
    with seeded(0):
        found = mask_flip(by_chance, x, y, 0.1, draws(), steps=4)
    with seeded(0):
        by_chance(x)  # for the clean masks
        plain = pgd(by_chance, x, y, 0.1, draws(), loss="margin", steps=4, relative_step=5.0)
    assert torch.equal(found, plain), "nothing to flip"


@pytest.mark.parametrize("ask", [Afresh, Alone])
def test_masks_of_copies_and_of_images_by_themselves_are_flipped_too(
    ask: Callable[[nn.Module], nn.Module], fitted: nn.Module, digits: Digits
) -> None:
    """Networks with a memory, or that depend on the batch, ended in a KeyError."""
    exact = copied(fitted).double()
    x, y = digits[0][800:804].double(), digits[1][800:804]
    at_once = mask_flip(exact, x, y, 0.05, draws(), steps=3)
    torch.testing.assert_close(mask_flip(ask(exact), x, y, 0.05, draws(), steps=3), at_once)


class Patches(nn.Module):
    """Its second layer sees the four quarters of an image as four rows."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.last = nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        quarters = x.unfold(2, 6, 6).unfold(3, 6, 6).permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
        found = torch.relu(self.second(torch.relu(self.first(quarters)))).mean((2, 3))
        return self.last(found.view(len(x), -1))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def patches() -> tuple[nn.Module, Tensor, Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        plain, x = Patches().double().eval(), torch.rand(8, 1, 12, 12, dtype=torch.float64)
    with torch.no_grad():
        plain.last.weight.mul_(30)
    spec = InjectionSpec(TopK(0.5), Gaussian(0.5), layers=("second",))
    network = inject(plain, spec, x)
    fit(network, x)
    with torch.no_grad():
        network.last.bias.sub_(network(x).mean(0))
        return network, x, network(x).argmax(1)


@pytest.mark.parametrize("ask", [nn.Sequential, Alone])
def test_an_image_may_be_several_rows_of_a_layer(
    ask: Callable[[nn.Module], nn.Module], patches: tuple[nn.Module, Tensor, Tensor]
) -> None:
    """Several images ended in an IndexError; of one, all rows were compared with its first."""
    network, x, y = patches
    asked = ask(network).eval()
    at_once = mask_flip(asked, x, y, 0.05, draws(), steps=3, weight=100.0)
    apart = [
        mask_flip(asked, x[i : i + 1], y[i : i + 1], 0.05, draws(), steps=3, weight=100.0)
        for i in range(len(x))
    ]
    torch.testing.assert_close(at_once, torch.cat(apart))
    weightless = mask_flip(asked, x, y, 0.05, draws(), steps=3, weight=0.0)
    assert not torch.equal(at_once, weightless)


@pytest.mark.parametrize("ask", [nn.Sequential, Alone])
def test_images_of_several_rows_leave_when_they_are_broken(
    ask: Callable[[nn.Module], nn.Module], patches: tuple[nn.Module, Tensor, Tensor]
) -> None:
    network, x, y = patches
    suite = {"mask_flip": {"name": "mask_flip", "steps": 10}}
    found = [
        evaluate(ask(network).eval(), (x, y), suite, eps=0.01, least_only=least_only)
        for least_only in (False, True)
    ]
    assert 0 < found[0].robust_accuracy < 1
    assert found[0].robust.tolist() == found[1].robust.tolist()


def test_all_images_of_flipped_rows_count() -> None:
    """Half of the first image's neurons changed, and none of the second's, in rows of two each."""
    before = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    now = torch.tensor([[1.0, 1.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    for rows in ([0, 1], [1, 0], [0], [1]):
        image = torch.tensor(rows)
        soft = now.unflatten(0, (2, 2))[image].flatten(0, 1)
        found = _flipped({0: [soft]}, {0: [before]}, image, 2)
        assert found.tolist() == [[0.5, 0.0][i] for i in rows]
