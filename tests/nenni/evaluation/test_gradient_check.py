"""The gradient beside finite differences of the function."""

import pytest
import torch
from torch import Tensor, nn
from zoo import load_zoo

from nenni.core.errors import UserError
from nenni.evaluation.gradient_check import SCALES, disagreement, without_gradient

Digits = tuple[Tensor, Tensor]
ZOO = load_zoo()


def shares(model: nn.Module, digits: Digits, norm: str = "linf", draws: int = 1) -> list[float]:
    x, y = digits[0][800:860], digits[1][800:860]
    eps = 0.1 if norm == "linf" else 2.0
    found = disagreement(model.eval(), x, y, eps=eps, norm=norm, seed=0, draws=draws)  # type: ignore[arg-type]
    assert tuple(found) == SCALES
    return [float(off.double().mean()) for off in found.values()]


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_honest_networks_agree_at_every_scale(
    norm: str, trained: nn.Module, digits: Digits
) -> None:
    assert max(shares(trained, digits, norm)) <= 0.05
    assert max(shares(ZOO.Scaled(trained, 100.0), digits, norm)) <= 0.05


@pytest.mark.parametrize(
    "mask",
    [
        lambda f: ZOO.GradientOf(f, ZOO._another()),
        lambda f: ZOO.Behind(f, before=ZOO._turned(lambda g: -g)),
        lambda f: ZOO.Behind(f, before=ZOO._turned(lambda g: g.flip(3))),
        lambda f: ZOO.GradientOf(ZOO.Behind(f, ZOO._levels(0.1)), ZOO._another()),
        lambda f: ZOO.Behind(f, before=ZOO._shattered),
    ],
)
def test_a_gradient_of_something_else_does_not(
    mask: object, trained: nn.Module, digits: Digits
) -> None:
    assert min(shares(mask(trained), digits)) > 0.3  # type: ignore[operator]


def test_a_rounding_is_seen_at_its_scale(trained: nn.Module, digits: Digits) -> None:
    """64 levels, passed through: flat on the scale of 0.0005, right on that of 0.01."""
    small, _, large = shares(ZOO.Rounded(trained, 64), digits)
    assert small > 0.5
    assert large <= 0.05


def test_a_randomised_network_is_compared_draw_by_draw(trained: nn.Module, digits: Digits) -> None:
    assert max(shares(ZOO.Noisy(trained, 0.1), digits, draws=5)) <= 0.1


def test_images_without_a_gradient_are_counted(trained: nn.Module, digits: Digits) -> None:
    x, y = digits[0][800:840], digits[1][800:840]
    right = trained(x).argmax(1) == y
    assert not without_gradient(trained, x, y, 1).any()
    cut = ZOO.Behind(trained, before=lambda x: x.detach() + 0 * x).eval()
    assert torch.equal(without_gradient(cut, x, y, 2), right)
    with pytest.raises(UserError, match="give no gradient"):
        without_gradient(ZOO.Behind(trained, after=lambda z: z.argmax(1)).eval(), x, y, 1)
