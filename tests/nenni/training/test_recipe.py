from functools import partial

import pytest
import torch
from torch import Tensor, nn

from nenni.adversary.attack_choice import AttackChoice
from nenni.core import settings
from nenni.core.errors import UserError
from nenni.training.objectives.fgsm_rs import FgsmRs
from nenni.training.objectives.standard import Standard
from nenni.training.objectives.trades import Trades
from nenni.training.recipe import Recipe


def test_eps_rises() -> None:
    recipe = Recipe(1, 1, 1.0, Standard(), eps=0.3, eps_ramp=0.5)
    assert [recipe.radius(step, 10) for step in (0, 2, 5, 9)] == pytest.approx([0, 0.12, 0.3, 0.3])
    assert Recipe(1, 1, 1.0, Standard(), eps=0.3).radius(0, 10) == 0.3


def test_a_radius_in_levels_is_refused() -> None:
    with pytest.raises(UserError, match="write 8/255"):
        Recipe(1, 1, 1.0, FgsmRs(), eps=8)
    attack = AttackChoice.from_config(settings.validate("attack", {"name": "pgd", "norm": "l2"}))
    assert Recipe(1, 1, 1.0, Standard(), attack=attack, eps=8).eps == 8


def test_flips_mirror_about_half_of_the_images() -> None:
    images = torch.rand(200, 1, 3, 4)
    found = Recipe(1, 1, 1.0, Standard(), flip=True).augment(
        images, 200, torch.Generator().manual_seed(0)
    )
    same = (found == images).flatten(1).all(1)
    assert torch.equal(found[~same], images[~same].flip(3))
    assert 70 < int(same.sum()) < 130


def test_shift_moves_each_image_by_whole_pixels() -> None:
    image = torch.zeros(50, 1, 9, 9)
    image[:, :, 4, 4] = 1
    moved = Recipe(1, 1, 1.0, Standard(), shift=2).augment(
        image, 50, torch.Generator().manual_seed(0)
    )
    assert (moved.sum((1, 2, 3)) == 1).all()
    places = {tuple(p) for p in moved.nonzero()[:, 2:].tolist()}
    assert len(places) > 15
    assert all(2 <= r <= 6 and 2 <= c <= 6 for r, c in places)
    assert torch.equal(Recipe(1, 1, 1.0, Standard()).augment(image, 50, torch.Generator()), image)


def test_attacks_by_config_are_attacks(trained: nn.Module, digits: tuple[Tensor, Tensor]) -> None:
    slice_ = {
        "epochs": 1, "batch_size": 4, "lr": 0.1, "method": {"name": "trades", "beta": 3.0, "steps": 4,
        "relative_step": 2.0}, "schedule": {"name": "piecewise", "milestones": [0.5], "factor": 0.1},
        "attack": {"name": "pgd", "norm": "linf", "steps": 2}, "eps": 0.1, "shift": 1,
    }  # fmt: skip
    recipe = Recipe.from_config(slice_)
    assert recipe.method == Trades(beta=3.0, steps=4, relative_step=2.0)
    assert recipe.eps == pytest.approx(0.1)
    assert isinstance(recipe.attack, AttackChoice)
    assert [recipe.schedule(i, 4) for i in range(4)] == [1, 1, 0.1, 0.1]
    assert isinstance(recipe.schedule, partial)
