"""Models whose smallest perturbation is known: every attack must find it."""

from functools import partial

import pytest
import torch
from attack_cases import Attack, Bent, attack_of, draws, linear
from torch import Tensor, nn

from nenni.adversary.attacks.cw_l2 import cw_l2
from nenni.adversary.attacks.ddn import ddn
from nenni.adversary.attacks.deepfool import deepfool
from nenni.adversary.attacks.fmn import fmn
from nenni.adversary.attacks.hopskipjump import hopskipjump

WEIGHT = torch.tensor([1.0, -2.0, 0.5, 3.0, 0.25, -1.5], dtype=torch.float64)


DUAL = {"linf": WEIGHT.abs().sum(), "l2": WEIGHT.norm()}


def inputs() -> Tensor:
    """Images well inside [0, 1], at different distances from the border, of class 1."""
    base = torch.full((4, 6), 0.5, dtype=torch.float64)
    return base + torch.tensor([0.01, 0.03, 0.05, 0.07], dtype=torch.float64)[:, None] * WEIGHT / 7


def models() -> dict[str, nn.Module]:
    bias = -float(0.5 * WEIGHT.sum())
    return {"linear": linear(WEIGHT, bias), "bent": Bent(WEIGHT, bias)}


def distances(norm: str) -> Tensor:
    """|w.x + b| / |w|_q with 1/p + 1/q = 1."""
    return ((inputs() - 0.5) @ WEIGHT) / DUAL[norm]


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize(
    "name", ["fgsm", "bim", "pgd", "pgd_margin", "mi_fgsm", "apgd", "apgd_targeted"]
)
@pytest.mark.parametrize("kind", ["linear", "bent"])
def test_bounded_attacks_succeed_from_the_distance_on(norm: str, name: str, kind: str) -> None:
    """One part in a thousand inside of the border they fail, and outside they succeed."""
    model, x, y = models()[kind], inputs(), torch.ones(4, dtype=torch.int64)
    for i, distance in enumerate(distances(norm).tolist()):
        for factor, succeeds in ((0.999, False), (1.001, True)):
            result = attack_of(norm, name)(model, x[i : i + 1], y[:1], factor * distance, draws())
            assert bool(model(result).argmax(1) != 1) is succeeds


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_one_step_ends_at_the_worst_point(norm: str) -> None:
    x, y = inputs(), torch.ones(4, dtype=torch.int64)
    step = WEIGHT.sign() if norm == "linf" else WEIGHT / WEIGHT.norm()
    for name in ("fgsm", "pgd", "bim", "mi_fgsm"):
        result = attack_of(norm, name)(models()["linear"], x, y, 0.1, draws())
        torch.testing.assert_close(result, (x - 0.1 * step).clamp(0, 1), rtol=0, atol=1e-5)


MINIMAL: list[tuple[str, Attack, str, float]] = [
    ("deepfool", deepfool, "l2", 0.021),
    ("deepfool", partial(deepfool, norm="linf"), "linf", 0.021),
    ("ddn", partial(ddn, steps=300), "l2", 0.02),
    ("cw_l2", partial(cw_l2, c=1.0, steps=300), "l2", 0.03),
    ("fmn", partial(fmn, norm="l2", steps=200), "l2", 0.02),
    ("fmn", partial(fmn, steps=200), "linf", 0.02),
    ("hopskipjump", partial(hopskipjump, norm="l2", steps=20), "l2", 0.08),
    ("hopskipjump", partial(hopskipjump, norm="linf", steps=15), "linf", 0.2),
]


@pytest.mark.long
@pytest.mark.parametrize(("name", "attack", "norm", "tolerance"), MINIMAL)
@pytest.mark.parametrize("kind", ["linear", "bent"])
def test_minimal_attacks_find_the_distance(
    name: str, attack: Attack, norm: str, tolerance: float, kind: str
) -> None:
    model, x, y = models()[kind], inputs(), torch.ones(4, dtype=torch.int64)
    result = attack(model, x, y, float("inf"), draws())
    assert (model(result).argmax(1) == 0).all()
    order = float("inf") if norm == "linf" else 2
    found = (result - x).norm(p=order, dim=1) / distances(norm)
    assert (found >= 1 - 1e-9).all()
    assert (found <= 1 + tolerance).all()


@pytest.mark.parametrize(("name", "attack", "norm", "tolerance"), MINIMAL[:6])
def test_minimal_attacks_give_up_beyond_eps(
    name: str, attack: Attack, norm: str, tolerance: float
) -> None:
    x, y = inputs(), torch.ones(4, dtype=torch.int64)
    eps = float(distances(norm)[1]) * (1 + tolerance)
    result = attack(models()["linear"], x, y, eps, draws())
    assert not torch.equal(result[0], x[0])
    assert not torch.equal(result[1], x[1])
    assert torch.equal(result[2:], x[2:])
