"""What docs/found.md is made of: the committed tables of runs, as far as they are there."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from nenni.core.io import read_csv
from nenni.run.config import Config
from nenni.run.config_file import load_config

RUNS = {
    "mnist5k": "config",
    "mnist_claims": "mnist_claims",
    "baselines": "baselines",
    "cifar10_cpu": "cifar10_cpu",
    "full_width": "full_width",
    "given_weights": "given_weights",
    "photos": "photos",
    "medical": "medical",
    "imagenet": "imagenet",
    "cifar10_gpu": "cifar10_gpu",
    "ablations": "ablations",
    "paper_cifar10": "paper_cifar10",
    "paper_cifar100": "paper_cifar100",
}
"""Run -> its config, in the order in which they are told."""
NEEDED = ("comparison", "controls", "suites")
"""Tables without which nothing of a run is told."""
OPTIONAL = ("persistence",)
"""Those whose part is left out where they are missing."""
CONFIGS = Path(__file__).parents[2] / "config"


@dataclass(frozen=True)
class Run:
    """What is committed of a run.

    Attributes
    ----------
    name : str
        Of the run and of its folder under ``results/reference/``.
    config : Config
        What was run.
    tables : dict
        Name -> table: :data:`NEEDED`, and what there is of :data:`OPTIONAL`.
    """

    name: str
    config: Config
    tables: dict[str, pd.DataFrame]


def runs(folder: Path) -> list[Run]:
    """The runs all of whose needed tables are committed.

    ``comparison.csv`` is that of ``benchmarks/RUN``, with the times of training, or that of
    ``results/RUN/tables``, as the others are.

    Parameters
    ----------
    folder : Path
        ``results/reference``.
    """
    found = []
    for name, config in RUNS.items():
        files = {table: folder / name / f"{table}.csv" for table in (*NEEDED, *OPTIONAL)}
        if all(files[table].exists() for table in NEEDED):
            tables = {table: read_csv(file) for table, file in files.items() if file.exists()}
            found.append(Run(name, load_config(CONFIGS / f"{config}.yaml"), tables))
    return found


def missing(folder: Path) -> list[str]:
    """Configs of the runs whose tables are not committed."""
    there = {run.name for run in runs(folder)}
    return [config for name, config in RUNS.items() if name not in there]


def repair(folder: Path) -> pd.DataFrame | None:
    """The table of ``workflow/scripts/repair_study.py``, if it is committed.

    One row for each network that was fine-tuned. Its columns: ``data``; ``seed``; ``setting``,
    what was tried, whose name begins with ``none_ft``, the control, where nothing is injected;
    ``selection``, ``bits``, ``ratio`` and ``training``, what it consists of; ``clean``, ``pgd_20``
    and ``least``, accuracies as shares of ``n`` test images, the last under all attacks of the
    study per image; ``saved``, the share of BitOPs that is saved INT8 to INT8 with the overheads
    counted; ``seconds``, of fine-tuning on one core; ``held``, a letter for each image, ``y`` where
    it stays right under all attacks and ``n`` where it does not: differences to the control are
    paired by it.
    """
    file = folder / "repair.csv"
    return read_csv(file) if file.exists() else None
