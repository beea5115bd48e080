"""PGD-20, this project's suite ``standard`` and AutoAttack on the same images of the same networks.

    python workflow/scripts/autoattack_reference.py --weights DIR --data DIR --device cuda

Folders as for attack_reference.py, and ``resnet18_fgsmrs_cifar10.safetensors`` among the weights.
With ``--run config/mnist_claims.yaml`` the networks of that run, which has to be finished, follow.
Of the suite only the least is wanted, as AutoAttack gives it: broken images are left alone.
Beside the accuracies stand the passes and the seconds that each took. Seconds are of this machine,
on which nothing else should run. Both tables keep what they hold of other networks and devices.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from _networks import Subject, subjects
from _tables import keep

import nenni
from nenni.core import radius, runtime
from nenni.core.errors import UserError
from nenni.data import split
from nenni.data.data_file import load_data
from nenni.evaluation.scoring import WORST
from nenni.evaluation.suite_result import CLEAN
from nenni.run.config_file import load_config
from nenni.run.experiment import evaluations_of
from nenni.run.plan import Files, Plan

NETWORKS = ("resnet18_fgsmrs", "resnet2b", "lenet5")
SUITES: dict[str, Any] = {
    "pgd_20": {"pgd_20": {"name": "pgd", "steps": 20}},
    "standard": "standard",
    "autoattack": {"autoattack": {"name": "autoattack"}},
}
"""What is compared. PGD-20 is judged by its last iterate, as papers report it."""
OF = ["network", "n", "device"]
"""What a row is of: another call replaces it."""


def of_run(config: Path, examples: int, device: torch.device) -> Iterator[Subject]:
    """The networks that the suite ``full`` of a run attacks."""
    plan = Plan(load_config(config))
    files, suite = Files(plan), plan.config.suites["full"]
    attacks = set(evaluations_of(plan.config, "full"))
    for e in plan.experiments():
        if not attacks & set(plan.evaluations(e)):
            continue
        data, _ = load_data(Path(files.data(e.base)), ("test",), device)
        x, y = split.first(data["test"], examples)
        network = nenni.load(files.final_weights(e)).to(device)
        eps = radius.from_config(suite.eps[e.base]["linf"], "linf")
        yield Subject(f"{e.base}/{e.defence}", network, x, y, eps)


@contextmanager
def timed(device: torch.device) -> Iterator[list[float]]:
    """Within, seconds are counted; what the device was asked for is waited for."""
    seconds = [time.perf_counter()]
    yield seconds
    if device.type == "cuda":
        torch.cuda.synchronize()
    seconds[0] = time.perf_counter() - seconds[0]


def compare(
    subject: Subject, suites: list[str], device: torch.device
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row per suite, and the flags of each image."""
    data = (subject.images, subject.labels)
    of = {"network": subject.name, "n": len(subject.images), "device": named(device)}
    table = pd.DataFrame({**of, "index": range(of["n"])})
    subject.network(subject.images[:2])
    rows = []
    for title in suites:
        with timed(device) as seconds:
            found = nenni.evaluate(
                subject.network, data, SUITES[title], eps=subject.eps,
                least_only=title == "standard",
            )  # fmt: skip
        first = found.examples.drop_duplicates("index").reset_index(drop=True)
        clean = first["clean_correct"]
        flags = first["adv_correct"] * clean if title == "pgd_20" else found.robust
        table[CLEAN], table[title] = clean.astype(int), flags.to_numpy().astype(int)
        spent = found.summary.set_index("attack").loc[WORST]
        rows.append(
            {
                **of, "eps": subject.eps, "suite": title, "clean": clean.mean(),
                "accuracy": table[title].mean(), "forwards_per_image": spent["forwards"],
                "backwards_per_image": spent["backwards"], "seconds": seconds[0],
                "torch": torch.__version__,
            }
        )  # fmt: skip
        print(pd.DataFrame(rows[-1:]).to_string(index=False, header=False), flush=True)
    return pd.DataFrame(rows), table


def named(device: torch.device) -> str:
    """The device, in words."""
    return torch.cuda.get_device_name() if device.type == "cuda" else "CPU, one thread"


def main() -> None:
    """Parse the command line, attack, and write both tables after each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", type=Path, required=True, help="folder of checkpoints")
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10, mnist")
    parser.add_argument("--networks", nargs="*", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--run", type=Path, help="config of a finished run")
    parser.add_argument("--suites", nargs="+", choices=SUITES, default=list(SUITES))
    parser.add_argument("--examples", type=int, default=500, help="the first so many test images")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--out", type=Path, default=Path("results/reference/autoattack"))
    arguments = parser.parse_args()
    device = runtime.prepare({"threads": 1, "device": arguments.device})
    try:
        n, folders = arguments.examples, (arguments.weights, arguments.data)
        found = [*subjects(arguments.networks, *folders, n, arguments.device)]
        if arguments.run:
            found += of_run(arguments.run, n, device)
    except UserError as error:
        sys.exit(str(error))
    for subject in found:
        rows, flags = compare(subject, arguments.suites, device)
        keep(arguments.out / "summary.csv", rows, OF)
        keep(arguments.out / "images.csv", flags, OF)


if __name__ == "__main__":
    main()
