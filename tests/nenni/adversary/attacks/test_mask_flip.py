"""The loss that flips masks."""

from collections.abc import Callable

import pytest
import torch
from attack_cases import draws
from torch import Tensor, nn

from nenni.adversary.attacks.mask_flip import mask_flip
from nenni.adversary.attacks.pgd import pgd
from nenni.core.errors import UserError
from nenni.core.seeding import seeded
from nenni.evaluation.subject import Afresh, Alone
from nenni.method.injection import inject, noisy_layers
from nenni.method.selection.random import Random
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
