"""The options of PGD: starts, restarts, averaged gradients, images that leave the batch."""

from functools import partial

import torch
from attack_cases import draws
from torch import Tensor, nn

from nenni.adversary.attacks.fgsm import fgsm
from nenni.adversary.attacks.pgd import pgd

Digits = tuple[Tensor, Tensor]


def test_strength_rises_from_fgsm_to_pgd(trained: nn.Module, digits: Digits) -> None:
    x, y = digits[0][800:], digits[1][800:]

    def loss(images: Tensor) -> float:
        return float(nn.functional.cross_entropy(trained(images), y).detach())

    clean, one = loss(x), loss(fgsm(trained, x, y, 0.1, draws()))
    twenty = loss(pgd(trained, x, y, 0.1, draws(), steps=20))
    assert clean < one < twenty


def test_samples_do_not_depend_on_their_batch(trained: nn.Module, digits: Digits) -> None:
    x, y = digits[0][:6], digits[1][:6]
    attack = partial(pgd, random_start=False)
    whole = attack(trained, x, y, 0.1, draws())
    single = [attack(trained, x[i : i + 1], y[i : i + 1], 0.1, draws()) for i in range(6)]
    torch.testing.assert_close(whole, torch.cat(single), rtol=0, atol=0.02)


def test_generator_decides_the_start(trained: nn.Module, digits: Digits) -> None:
    x, y = digits[0][:5], digits[1][:5]
    first = pgd(trained, x, y, 0.1, draws(1), steps=2)
    assert torch.equal(first, pgd(trained, x, y, 0.1, draws(1), steps=2))
    assert not torch.equal(first, pgd(trained, x, y, 0.1, draws(2), steps=2))


def test_broken_images_leave_at_the_step_that_breaks_them(
    trained: nn.Module, digits: Digits
) -> None:
    """The same images are broken at any step, with and without the others in the batch."""
    x, y = digits[0][800:900], digits[1][800:900]
    sizes: list[int] = []

    class Counting(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            sizes.append(len(images))
            return trained(images)

    found = pgd(Counting(), x, y, 0.1, draws(), random_start=False, leave_broken=True)
    assert sizes[0] == 100
    assert sizes[-1] < 60
    assert sizes == sorted(sizes, reverse=True)
    path = [x] + [
        pgd(trained, x, y, 0.1, draws(), random_start=False, steps=i, relative_step=2.5 * i / 20)
        for i in range(1, 21)
    ]
    wrong = torch.stack([trained(images).argmax(1) != y for images in path])
    assert torch.equal(trained(found).argmax(1) != y, wrong.any(0))
    first = wrong.int().argmax(0)
    for i in wrong.any(0).nonzero()[:, 0].tolist():
        torch.testing.assert_close(found[i], path[first[i]][i], rtol=0, atol=0.02)


def test_restarts_attack_what_is_left(trained: nn.Module, digits: Digits) -> None:
    x, y = digits[0][800:900], digits[1][800:900]
    one = pgd(trained, x, y, 0.05, draws(), steps=3)
    three = pgd(trained, x, y, 0.05, draws(), steps=3, restarts=3)
    broken = trained(one).argmax(1) != y
    assert torch.equal(one[broken], three[broken])
    assert (trained(three).argmax(1) != y).sum() >= broken.sum()
    assert not torch.equal(one[~broken], three[~broken])
