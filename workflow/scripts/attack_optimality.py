"""How near this project's attacks come to the smallest perturbations that any library finds.

    python workflow/scripts/attack_optimality.py --weights DIR --data DIR

Folders as for attack_reference.py. Local optimality is that of AttackBench (Cina et al., arXiv
2404.19460), by its authors' package: the area under accuracy against radius, of an attack and of
the least over all attacks, where each may spend 1,000 forward and 1,000 backward passes an image.
Beside it stands the share of images whose perturbation is within 1 % of the smallest. Needs the
packages attackbenchlib, foolbox, torchattacks and adv-lib, none of which the project needs.
"""

import argparse
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from _networks import read_images, read_resnet2b
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from nenni.adversary.attacks.cw_l2 import cw_l2
from nenni.adversary.attacks.ddn import ddn
from nenni.adversary.attacks.deepfool import deepfool
from nenni.adversary.attacks.fmn import fmn
from nenni.core import runtime
from nenni.core.io import write_csv

BUDGET = 2000
"""Forward and backward passes together, half of each at most."""
STEPS = 999
OURS: dict[str, dict[str, Callable[..., Tensor]]] = {
    "linf": {
        "fmn": partial(fmn, steps=STEPS),
        "deepfool": partial(deepfool, norm="linf"),
    },
    "l2": {
        "fmn": partial(fmn, norm="l2", steps=STEPS),
        "ddn": partial(ddn, steps=STEPS),
        "cw_l2": partial(cw_l2, searches=5, steps=199),
        "deepfool": partial(deepfool, norm="l2"),
    },
}
OTHERS = {
    "linf": [
        ("foolbox", "fmn"), ("foolbox", "deepfool"), ("foolbox", "pgd_minimal"),
        ("torchattacks", "fab"), ("adv_lib", "fmn"), ("adv_lib", "pdpgd"), ("adv_lib", "alma"),
        ("adv_lib", "apgd_minimal"), ("adv_lib", "apgd_t_minimal"), ("adv_lib", "pgd_minimal"),
        ("adv_lib", "fab"), ("adv_lib", "tr"), ("adv_lib", "cw_linf"),
    ],
    "l2": [
        ("foolbox", "ddn"), ("foolbox", "cw_l2"), ("torchattacks", "cw_l2"),
        ("original", "superdeepfool"), ("original", "deepfool"), ("adv_lib", "ddn"),
        ("adv_lib", "fmn"), ("adv_lib", "pdgd"), ("adv_lib", "alma"), ("adv_lib", "cw_l2"),
    ],
}  # fmt: skip
"""Library and attack, as AttackBench names them. What is not installed, or raises, is left out."""


def adapted(attack: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """One of this project's attacks, as AttackBench calls it."""

    def call(model: nn.Module, inputs: Tensor, labels: Tensor) -> Tensor:
        return attack(model, inputs, labels, float("inf"), torch.Generator().manual_seed(0))

    return call


def main() -> None:
    """Parse the command line, attack, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10")
    parser.add_argument("--examples", type=int, default=48, help="the first so many test images")
    parser.add_argument("--out", type=Path, default=Path("results/reference/optimality.csv"))
    arguments = parser.parse_args()
    try:
        import attackbench
    except ImportError:
        sys.exit("this comparison needs: pip install attackbenchlib foolbox torchattacks adv-lib")
    warnings.simplefilter("ignore")
    runtime.prepare({"threads": 1, "device": "cpu"})
    network = read_resnet2b(arguments.weights)
    images, labels = read_images(arguments.data, "test")
    x, y = images[: arguments.examples], labels[: arguments.examples]
    loader = DataLoader(TensorDataset(x, y), batch_size=len(x))
    rows: list[dict[str, Any]] = []
    for norm, ours in OURS.items():
        attacks = {("nenni", name): adapted(attack) for name, attack in ours.items()}
        known = set(attackbench.list_attacks(threat_model=norm))
        for library, name in OTHERS[norm]:
            if (library, name) in known:
                attacks[library, name] = attackbench.get_attack(library, name, norm)
        found = {}
        for (library, name), attack in attacks.items():
            result = attackbench.run_attack(
                network, loader, attack, norm, torch.device("cpu"), query_budget=BUDGET
            )
            right = np.array(result["correct"], dtype=bool)
            failed = not np.isfinite(np.array(result["distances"][norm])[right]).any()
            print(f"{norm} {library} {name}{': failed' if failed else ''}", flush=True)
            if not failed:
                found[library, name] = result
        rows += compared(norm, found, attackbench.compute_local_optimality)
        write_csv(arguments.out, pd.DataFrame(rows))
        print(pd.DataFrame(rows).to_string(index=False), flush=True)


def compared(norm: str, found: dict[Any, Any], optimality: Callable[..., Any]) -> list[Any]:
    """A row per attack, beside the smallest perturbation that any of them found."""
    results = [*found.values()]
    distances = {key: np.array(result["distances"][norm]) for key, result in found.items()}
    right = np.array(results[0]["correct"], dtype=bool)
    smallest = np.minimum.reduce([*distances.values()])
    rows = []
    for (library, name), result in found.items():
        mine = distances[library, name]
        local = optimality(result, reference_results=results, threat_model=norm)
        near = mine[right] <= 1.01 * smallest[right]
        rows.append(
            {
                "network": "resnet2b", "norm": norm, "library": library, "attack": name,
                "n": int(right.sum()), "optimality": local["optimality"],
                "within_1_percent": near.mean(), "median": np.median(mine[right]),
                "forwards": np.mean(result["num_forwards"]),
                "backwards": np.mean(result["num_backwards"]),
            }
        )  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
