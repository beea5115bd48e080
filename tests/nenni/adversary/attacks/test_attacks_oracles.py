"""Robust accuracy within a point of foolbox's and torchattacks', on the network and digits kept.

``workflow/scripts/attack_oracles.py`` made the values.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nenni.adversary.attacks.cw_l2 import cw_l2
from nenni.adversary.attacks.ddn import ddn
from nenni.adversary.attacks.fgsm import fgsm
from nenni.adversary.attacks.pgd import pgd
from nenni.core.io import read_tensors
from nenni.core.seeding import generator
from nenni.data.datasets.mnist5k import mnist5k
from nenni.networks.models.small_cnn import small_cnn

FOLDER = Path(__file__).parents[1] / "oracles"
ORACLE = json.loads((FOLDER / "values.json").read_text())
SETTINGS: dict[str, Any] = ORACLE["settings"]
LINF, L2 = SETTINGS["linf"], SETTINGS["l2"]
PGD: dict[str, Any] = {"steps": SETTINGS["steps"], "random_start": False}


@pytest.fixture(scope="module")
def network() -> nn.Module:
    model = small_cnn((1, 28, 28), 10, channels=[4, 8, 8, 8], hidden=16).eval()
    model.load_state_dict(read_tensors(FOLDER / "network.safetensors")[0])
    return model


@pytest.fixture(scope="module")
def images() -> tuple[Tensor, Tensor]:
    x, y = mnist5k().train.pixels, mnist5k().train.labels
    order = torch.randperm(len(x), generator=generator("oracles"))[-200:]
    return torch.from_numpy(x)[order].float() / 255, torch.from_numpy(y)[order]


Call = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]
CASES: list[tuple[str, str, Call]] = [
    ("foolbox", "fgsm", lambda m, x, y, g: fgsm(m, x, y, LINF, g)),
    ("foolbox", "pgd", lambda m, x, y, g: pgd(m, x, y, LINF, g, **PGD)),
    ("foolbox", "pgd_l2", lambda m, x, y, g: pgd(m, x, y, L2, g, norm="l2", **PGD)),
    ("foolbox", "ddn", lambda m, x, y, g: ddn(m, x, y, L2, g, steps=100)),
    ("torchattacks", "fgsm", lambda m, x, y, g: fgsm(m, x, y, LINF, g)),
    ("torchattacks", "pgd", lambda m, x, y, g: pgd(m, x, y, LINF, g, **PGD)),
    (
        "torchattacks",
        "cw_l2",
        lambda m, x, y, g: cw_l2(
            m, x, y, L2, g, c=1.0, searches=1, steps=SETTINGS["cw_steps"], lr=SETTINGS["cw_lr"]
        ),
    ),
]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(
    ("library", "name", "attack"), CASES, ids=[f"{a}-{b}" for a, b, _ in CASES]
)
def test_agrees_within_a_point(
    library: str, name: str, attack: Call, network: nn.Module, images: tuple[Tensor, Tensor]
) -> None:
    x, y = images
    assert (network(x).argmax(1) == y).double().mean() == pytest.approx(ORACLE["accuracy"]["clean"])
    if name == "cw_l2":
        x = SETTINGS["grey"] + (1 - 2 * SETTINGS["grey"]) * x
    found = attack(network, x, y, generator("test"))
    accuracy = float((network(found).argmax(1) == y).double().mean())
    assert accuracy == pytest.approx(ORACLE["accuracy"][library][name], abs=0.01 + 1e-9)
