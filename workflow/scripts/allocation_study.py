"""Fractions allocated over the layers, in two ways, against one for all at equal cost.

    python workflow/scripts/allocation_study.py --weights DIR --data DIR

"profile": by the sensitivities of single layers in the exact network, which the workflow's profile
measures; "measured": by the injected network's own loss around one fraction for all, as the
workflow allocates. Both and the fit see the first training images, the comparison the last 5,000,
which neither saw (the networks themselves were trained on them). Batch norms are kept, so that all
fractions have the same ones. Folders as for post_training.py.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from _networks import DEPTHS, read_images, read_network
from torch import Tensor, nn

import nenni
from nenni.core import runtime
from nenni.core.errors import UserError
from nenni.core.io import write_csv
from nenni.evaluation.statistics import mcnemar, wilson
from nenni.method.allocation import allocate, rises_at
from nenni.method.allocation_search import spend
from nenni.method.fit import fit
from nenni.method.injection import inject, noisy_layers, set_fractions
from nenni.method.profile import output_distribution, sensitivities
from nenni.method.report import report

FIT, PROFILE, VALIDATION, BATCH = 1000, 250, 5000, 250
FRACTIONS, NOISES = [0.0, 0.25, 0.5, 0.75], [0.2, 0.4, 0.8, 1.2]


def main() -> None:
    """Parse the command line and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10/*.npz")
    parser.add_argument("--network", choices=DEPTHS, default="resnet20")
    parser.add_argument("--budgets", nargs="+", type=float, default=[0.25, 0.5, 0.75])
    parser.add_argument("--out", type=Path, default=Path("results/reference/allocation.csv"))
    arguments = parser.parse_args()
    runtime.keep_freed_memory()
    torch.set_num_threads(1)
    try:
        model = read_network(arguments.weights, arguments.network)
        images, labels = read_images(arguments.data, "train")
    except UserError as error:
        sys.exit(str(error))
    spec = nenni.InjectionSpec(nenni.TopK(0.5), nenni.Sparse(1 / 8))
    noisy = inject(model, spec, images[:1])
    fit(noisy, images[:FIT], batch_norms="kept")
    names = [name for name, _ in noisy_layers(noisy)]
    errors = (
        report(noisy, images[:PROFILE], inputs="exact", batch_size=BATCH)
        .set_index("layer")["relative_error"]
        .to_dict()
    )
    macs = output_distribution(model, names, images[:PROFILE]).set_index("layer")["macs"].to_dict()
    rises = sensitivities(
        model, names, images[:PROFILE], labels[:PROFILE], FRACTIONS, NOISES, seed=0
    )
    held_out = images[-VALIDATION:], labels[-VALIDATION:]
    rows = []
    for budget in arguments.budgets:
        set_fractions(noisy, dict.fromkeys(names, budget))
        uniform, loss = judge(noisy, *held_out)
        rows.append(row(arguments.network, budget, "uniform", {}, uniform, loss, uniform))
        by_profile = allocate(rises_at(rises, errors), macs, budget)
        by_measurement = spend(noisy, images[:PROFILE], labels[:PROFILE], macs, budget)
        for name, table in (("profile", by_profile), ("measured", by_measurement)):
            fractions = dict(zip(table["layer"], table["fraction"], strict=True))
            set_fractions(noisy, fractions)
            correct, loss = judge(noisy, *held_out)
            rows.append(row(arguments.network, budget, name, fractions, correct, loss, uniform))
            rows[-1]["spent"] = sum(macs[k] * f for k, f in fractions.items()) / sum(macs.values())
        print(pd.DataFrame(rows[-3:]).to_string(index=False), flush=True)
        write_csv(arguments.out, pd.DataFrame(rows))


def row(
    network: str,
    budget: float,
    allocation: str,
    fractions: dict[str, float],
    correct: Tensor,
    loss: float,
    uniform: Tensor,
) -> dict[str, object]:
    """One allocation's accuracy and loss, and its paired test against one fraction for all."""
    low, high = wilson(float(correct.sum()), len(correct))
    return {
        "network": network,
        "budget": budget,
        "allocation": allocation,
        "spent": budget,
        "n": len(correct),
        "accuracy": float(correct.mean()),
        "low": low,
        "high": high,
        "loss": loss,
        "mcnemar_p": mcnemar(correct.numpy(), uniform.numpy()),
        "lowest_fraction": min(fractions.values(), default=budget),
        "highest_fraction": max(fractions.values(), default=budget),
    }


@torch.no_grad()
def judge(model: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, float]:
    """Correct or not for each image, and the mean cross entropy."""
    logits = torch.cat([model(batch) for batch in images.split(BATCH)])
    return (logits.argmax(1) == labels).double(), float(F.cross_entropy(logits, labels))


if __name__ == "__main__":
    main()
