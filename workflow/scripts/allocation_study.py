"""Fractions allocated over the layers against one for all, at equal cost, after training.

    python workflow/scripts/allocation_study.py --weights DIR --data DIR

Fit and profile see the first training images, the comparison the last 5,000, which neither saw.
Folders as for post_training.py.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from _cifar import DEPTHS, read_images, read_network
from torch import Tensor, nn

import nenni
from nenni import runtime
from nenni.allocation import allocate
from nenni.errors import UserError
from nenni.fitting import fit
from nenni.injection import inject, noisy_layers, set_fractions
from nenni.io import write_csv
from nenni.profiling import output_distribution, sensitivities
from nenni.reporting import report
from nenni.statistics import mcnemar

FIT, PROFILE, VALIDATION, BATCH = 1000, 500, 5000, 250
FRACTIONS, NOISES = [0.0, 0.125, 0.25, 0.5, 0.75], [0.1, 0.2, 0.4, 0.8, 1.2]


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
    fit(noisy, images[:FIT])
    names = [name for name, _ in noisy_layers(noisy)]
    errors = report(noisy, images[:PROFILE], BATCH).set_index("layer")["relative_error"].to_dict()
    macs = output_distribution(model, names, images[:PROFILE]).set_index("layer")["macs"].to_dict()
    rises = sensitivities(
        model, names, images[:PROFILE], labels[:PROFILE], FRACTIONS, NOISES, seed=0
    )
    held_out = images[-VALIDATION:], labels[-VALIDATION:]
    rows = []
    for budget in arguments.budgets:
        table = allocate(rises, errors, macs, budget)
        set_fractions(noisy, dict(zip(table["layer"], table["fraction"], strict=True)))
        allocated, allocated_loss = judge(noisy, *held_out)
        set_fractions(noisy, dict.fromkeys(names, budget))
        uniform, uniform_loss = judge(noisy, *held_out)
        spent = sum(macs[r.layer] * r.fraction for r in table.itertuples()) / sum(macs.values())
        rows.append(
            {
                "network": arguments.network,
                "budget": budget,
                "spent": spent,
                "n": VALIDATION,
                "accuracy_allocated": float(allocated.mean()),
                "accuracy_uniform": float(uniform.mean()),
                "mcnemar_p": mcnemar(allocated.numpy(), uniform.numpy()),
                "loss_allocated": allocated_loss,
                "loss_uniform": uniform_loss,
                "lowest_fraction": table["fraction"].min(),
                "highest_fraction": table["fraction"].max(),
            }
        )
        print(rows[-1], flush=True)
        write_csv(arguments.out, pd.DataFrame(rows))


@torch.no_grad()
def judge(model: nn.Module, images: Tensor, labels: Tensor) -> tuple[Tensor, float]:
    """Correct or not for each image, and the mean cross entropy."""
    logits = torch.cat([model(batch) for batch in images.split(BATCH)])
    return (logits.argmax(1) == labels).double(), float(F.cross_entropy(logits, labels))


if __name__ == "__main__":
    main()
