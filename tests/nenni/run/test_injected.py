"""The images of a fit, and fractions of layers."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nenni.method.injection import noisy_layers
from nenni.run.injected import fitting_images, injected

RECIPE = {
    "epochs": 1, "batch_size": 50, "lr": 0.1, "method": {"name": "adversarial"},
    "schedule": {"name": "cosine"}, "eps": 0.1,
    "attack": {"name": "pgd", "steps": 2, "norm": "linf"},
}  # fmt: skip


def config(attacked: bool, **recipe: Any) -> dict[str, Any]:
    return {"seed": 0, "fit": {"attacked": attacked, "batch_size": 30}, "recipe": RECIPE | recipe}


def test_images_are_attacked_as_in_training(
    trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    x, y = digits[0][:70], digits[1][:70]
    assert fitting_images(trained, x, y, config(False)) is x
    attacked = fitting_images(trained, x, y, config(True))
    assert 0.09 < (attacked - x).abs().max() <= 0.1 + 1e-6
    right = [(trained(images).argmax(1) == y).double().mean() for images in (x, attacked)]
    assert right[1] < right[0] - 0.2
    assert torch.equal(attacked, fitting_images(trained, x, y, config(True)))


def test_a_recipe_that_attacks_nothing_leaves_them(
    trained: nn.Module, digits: tuple[Tensor, Tensor]
) -> None:
    standard = config(True, method={"name": "standard"}, attack=None, eps=0.0)
    x, y = digits[0][:70], digits[1][:70]
    assert torch.equal(fitting_images(trained, x, y, standard), x)


@pytest.mark.parametrize(
    ("fractions", "expected"),
    [({}, [0.5] * 4), (0.25, [0.25] * 4), (0, [0.0] * 4), ({"conv3": 0.1}, [0.5, 0.1, 0.5, 0.5])],
)
def test_fractions_of_layers(
    trained: nn.Module, digits: tuple[Tensor, Tensor], fractions: Any, expected: list[float]
) -> None:
    injection = {
        "selection": {"name": "topk", "fraction": 0.5},
        "projection": {"name": "sparse", "ratio": 0.25},
        "overrides": {},
        "layers": [],
    }
    fitting = {"examples": 40, "attacked": False}
    noisy = injected(trained, injection, digits[0][:40], fitting, 0, fractions=fractions)
    assert [layer.choices.selection.fraction for _, layer in noisy_layers(noisy)] == expected
