"""Every attack with settings that take little time, and models whose answers are known."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from nenni.adversary.attacks.apgd import apgd
from nenni.adversary.attacks.apgd_targeted import apgd_targeted
from nenni.adversary.attacks.autoattack import autoattack
from nenni.adversary.attacks.bim import bim
from nenni.adversary.attacks.cw_l2 import cw_l2
from nenni.adversary.attacks.cw_linf import cw_linf
from nenni.adversary.attacks.ddn import ddn
from nenni.adversary.attacks.deepfool import deepfool
from nenni.adversary.attacks.fgsm import fgsm
from nenni.adversary.attacks.fmn import fmn
from nenni.adversary.attacks.hopskipjump import hopskipjump
from nenni.adversary.attacks.mi_fgsm import mi_fgsm
from nenni.adversary.attacks.pgd import pgd
from nenni.adversary.attacks.random_noise import random_noise
from nenni.adversary.attacks.rays import rays
from nenni.adversary.attacks.square import square

Attack = Callable[..., Tensor]
LINF: dict[str, Attack] = {
    "fgsm": fgsm,
    "bim": bim,
    "pgd": pgd,
    "pgd_margin": partial(pgd, loss="margin", restarts=2, leave_broken=True),
    "pgd_smoothed": partial(pgd, loss="dlr", samples=2, sigma=0.05, steps=5),
    "mi_fgsm": mi_fgsm,
    "cw_linf": partial(cw_linf, steps=10),
    "deepfool": partial(deepfool, norm="linf"),
    "square": partial(square, queries=50),
    "random_noise": random_noise,
    "hopskipjump": partial(hopskipjump, steps=2, directions=5),
    "fmn": partial(fmn, steps=20),
    "apgd": partial(apgd, steps=20, restarts=2),
    "apgd_pm": partial(apgd, loss="pm", steps=20),
    "apgd_targeted": partial(apgd_targeted, steps=20),
    "apgd_smoothed": partial(apgd, steps=5, samples=2, sigma=0.05),
    "rays": partial(rays, queries=60),
}
L2: dict[str, Attack] = {
    "fgsm": partial(fgsm, norm="l2"),
    "bim": partial(bim, norm="l2"),
    "pgd": partial(pgd, norm="l2", relative_step=12.0, steps=60),
    "pgd_margin": partial(pgd, norm="l2", loss="margin", random_start=False, leave_broken=True),
    "mi_fgsm": partial(mi_fgsm, norm="l2"),
    "deepfool": deepfool,
    "ddn": partial(ddn, steps=20),
    "cw_l2": partial(cw_l2, steps=10, searches=2),
    "square": partial(square, norm="l2", queries=50),
    "random_noise": partial(random_noise, norm="l2"),
    "hopskipjump": partial(hopskipjump, norm="l2", steps=2, directions=5),
    "fmn": partial(fmn, norm="l2", steps=20),
    "apgd": partial(apgd, norm="l2", steps=40),
    "apgd_targeted": partial(apgd_targeted, norm="l2", loss="margin", steps=20),
}
SLOW: dict[str, Attack] = {
    "autoattack": autoattack,
    "autoattack_l2": partial(autoattack, norm="l2"),
    "autoattack_rand": partial(autoattack, version="rand"),
}
BOTH = [("linf", name) for name in LINF] + [("l2", name) for name in L2]


def attack_of(norm: str, name: str) -> Attack:
    return (LINF if norm == "linf" else L2)[name]


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def linear(weight: Tensor, bias: float = 0.0) -> nn.Module:
    """Two classes with logits -m/2 and m/2: the margin of class 1 is m = w.x + b."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(weight.numel(), 2, dtype=weight.dtype))
    model[1].weight.data = torch.stack([-weight / 2, weight / 2])  # type: ignore[union-attr]
    model[1].bias.data = torch.tensor([-bias / 2, bias / 2], dtype=weight.dtype)  # type: ignore[union-attr]
    return model


class Bent(nn.Module):
    """Two classes whose margin rises with m = w.x + b, steeper above 0.2 than below."""

    def __init__(self, weight: Tensor, bias: float) -> None:
        super().__init__()
        self.line = linear(weight, bias)

    def forward(self, x: Tensor) -> Tensor:
        margin = self.line(x)[:, 1] * 2
        bent = margin + 3 * (margin - 0.2).relu()
        return torch.stack([-bent / 2, bent / 2], 1)
