"""Networks that skip tiles beside smaller dense ones of the same training: accuracy, and time.

    snakemake --configfile config/deployment_cpu.yaml
    python workflow/scripts/deployed_study.py accuracy --processes 2
    python workflow/scripts/deployed_study.py times    # with nothing else running

Deploys the final networks of that run, those with tiles and those of 8 bits, from the folder in
which it was made. All layers that a network was trained to skip in do skip, so that its answers are
those of what was trained. Two tables, which a stopped study goes on with, or one of a run whose
experiments were a part of the config's:

deployed_accuracy.csv
    Of the deployed network: clean accuracy, and under Square and examples found on its simulation.
    Of the simulation: PGD-20 on many images, and the least over all attacks of a suite on few. How
    often the two predict the same, and how far their logits lie apart.
deployed_times.csv
    Least wall time of a batch in seconds, of all networks in turns: by this package's kernels, and
    dense networks by torch's INT8 too. A network that the run has not trained yet is timed as it
    is before training, as the same share of tiles is skipped; not one whose fractions are
    allocated. The run's data is enough: snakemake ... --until decode_data

Once both are there, deployed.png has accuracy against time.
"""

import argparse
import math
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import chdir
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from _deployed_tables import DENSE, DEPLOYED, KEYS, PGD, SIMULATED, WORST, draw, networks
from _post_training import told
from _tables import keep
from torch import Tensor, nn

import nenni
from nenni.adversary.suite_attacks import QUICK
from nenni.core import plugins, radius, runtime
from nenni.core.errors import UserError
from nenni.core.io import read_csv, sha256
from nenni.core.machine import processor
from nenni.core.progress import Progress
from nenni.core.seeding import seeded
from nenni.cost.dense_variants import quantised
from nenni.data.data_file import load_data
from nenni.data.split import Images, first
from nenni.deployment.choosing import OF_A_NETWORK, fastest, fastest_kernel
from nenni.deployment.compiled import kernels
from nenni.deployment.deploy import EVERYWHERE, Deployed, deploy
from nenni.deployment.simulation import simulation
from nenni.method.injection import noisy_layers
from nenni.method.network_file import load
from nenni.networks.architecture import Architecture
from nenni.networks.build import build
from nenni.run.config_file import load_claims, load_config
from nenni.run.experiment import Experiment
from nenni.run.injected import injected
from nenni.run.plan import Files, Plan
from nenni.run.slices import Slices

ACCURACY, TIMES = "deployed_accuracy.csv", "deployed_times.csv"
CLAIMS = Path("config/claims.yaml")
CALIBRATED = 64
"""Training images that set the steps of the roundings."""
OURS, TORCH = "ours", "torch"
"""Kernels: this package's, and for dense networks torch's too."""
SQUARE = {"square": {"name": "square", "queries": 1500}}
BATCH = 500
MEASURED = [*KEYS, "weights", "radius", "suite", "examples", "under_pgd", "attacked"]
"""What rows hold for: others of a network are measured again."""
OF_TIMES = ["device", "batch", "threads"]


@dataclass(frozen=True)
class Subject:
    """A final network of the run, the start of its file's checksum, a radius, and images."""

    experiment: Experiment
    network: nn.Module
    weights: str
    eps: float
    calibrating: Tensor
    images: Tensor
    labels: Tensor

    @property
    def key(self) -> dict[str, str]:
        """What names its rows."""
        return {"base": self.experiment.base, "defence": self.experiment.defence}

    def deployed(self) -> Deployed:
        """The network as it is deployed."""
        if any(noisy_layers(self.network)):
            return deploy(self.network, self.calibrating, skip=EVERYWHERE)
        simulated = simulation(self.network, self.calibrating)
        kernel = fastest_kernel(simulated, self.calibrating, kernels())
        return Deployed(simulated, {}, kernel, self.calibrating.shape[1:])


@dataclass(frozen=True)
class Attacked:
    """How many images PGD-20 attacks, how many a suite, and which."""

    under_pgd: int
    by_all: int
    suite: str | Mapping[str, dict[str, Any]]


def main() -> None:
    """Parse the command line and run a part of the study."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("part", choices=("accuracy", "times"))
    config = Path("config/deployment_cpu.yaml")
    parser.add_argument("--config", type=Path, default=config, help=f"in that folder ({config})")
    parser.add_argument("--run-in", type=Path, default=Path(), help="folder of the run (this one)")
    parser.add_argument("--clean", type=int, default=5000, help="test images without an attack")
    parser.add_argument("--under-pgd", type=int, default=1000, help="test images under PGD-20")
    parser.add_argument("--attacked", type=int, default=100, help="test images under all attacks")
    parser.add_argument("--suite", default="standard", help="of attacks on the simulation")
    parser.add_argument("--processes", type=int, default=1, help="that judge a network each")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--out", type=Path, default=Path("results/reference"))
    asked = parser.parse_args()
    runtime.keep_freed_memory()
    out = asked.out.absolute()
    with chdir(asked.run_in):
        experiments = deployable(asked.config)
        if asked.part == "times":
            found = [subject(asked.config, asked.clean, e, trained=False) for e in experiments]
            times([s for s in found if s], asked.batch, asked.threads, out / TIMES)
        else:
            trained = partial(subject, asked.config, asked.clean)
            # not by a fork: a process has threads by then
            with get_context("spawn").Pool(asked.processes, torch.set_num_threads, (1,)) as pool:
                of = Attacked(asked.under_pgd, asked.attacked, asked.suite)
                accuracies(experiments, trained, of, out / ACCURACY, pool.imap_unordered)
    if all((out / name).exists() for name in (ACCURACY, TIMES)):
        tables = [read_csv(out / name) for name in (ACCURACY, TIMES)]
        if not networks(*tables).empty:
            draw(*tables, out / "deployed.png")


def deployable(config: Path) -> list[Experiment]:
    """The networks of a run's first seed that can be deployed."""
    plan = Plan(load_config(config))
    first_seed = (e for e in plan.experiments() if e.seed == plan.config.seeds[0])
    return [e for e in first_seed if plan.injected(e.defence) or e.defence == DENSE]


def subject(config: Path, clean: int, e: Experiment, trained: bool = True) -> Subject | None:
    """A network of a run. Where it has no file: None if it is to be trained, else as before."""
    plan = Plan(load_config(config))
    files = Files(plan)
    file = Path(files.final_weights(e))
    asked = _slice(Slices(plan.config, load_claims(CLAIMS)), e)
    if not file.exists() and (trained or asked.get("allocate")):
        print(f"{e.base}/{e.defence} is left out: there is no {file}", flush=True)
        return None
    if not (there := Path(files.data(e.base))).exists():
        made = f"snakemake --configfile {config} --until decode_data"
        raise UserError(f"{there}: is missing; it is made by: {made}")
    data, about = _data(there)
    eps = radius.from_config(plan.config.tables.eps[e.base], "linf")
    calibrating, _ = first(data["train"], CALIBRATED)
    images, labels = first(data["test"], min(clean, len(data["test"])))
    if file.exists():
        network = load(file, architecture=asked["model"])
        weights = f"sha256:{sha256(file)[:12]}"
    else:
        shape, classes = tuple(about["input_shape"]), about["n_classes"]
        network = untrained(asked, Architecture(asked["model"], shape, classes), calibrating)
        weights = "untrained"
    return Subject(e, network.eval(), weights, eps, calibrating, images, labels)


@cache
def _data(file: Path) -> tuple[dict[str, Images], dict[str, Any]]:
    return load_data(file, ("train", "test"))


def _slice(slices: Slices, e: Experiment) -> dict[str, Any]:
    """What a network is made of."""
    stage = "defend" if e.defence == DENSE else "project"
    return slices.of(stage, base=e.base, defence=e.defence, seed=str(e.seed))


def untrained(asked: dict[str, Any], architecture: Architecture, images: Tensor) -> nn.Module:
    """A network with its defence in place, of weights as they are before training."""
    with seeded(asked["seed"], "initial weights"):
        plain = build(architecture).eval()
    if "baseline" in asked:
        return nenni.defend(plain, plugins.build("baseline", asked["baseline"]), images)
    return injected(plain, asked["injection"], images, asked["fit"], asked["seed"])


Each = Callable[[Callable[[Experiment], Any], Iterable[Experiment]], Iterable[Any]]


def accuracies(
    experiments: list[Experiment],
    subject_of: Callable[[Experiment], Subject | None],
    attacked: Attacked,
    file: Path,
    each: Each = map,
) -> None:
    """Attack each network that the table has no rows of."""
    known = read_csv(file)[MEASURED].astype(str).to_dict("records") if file.exists() else []
    for rows in each(partial(_rows, subject_of, attacked, known), experiments):
        if rows:
            keep(file, pd.DataFrame(rows), KEYS)


def _rows(
    subject_of: Callable[[Experiment], Subject | None],
    attacked: Attacked,
    known: list[dict[str, str]],
    e: Experiment,
) -> list[dict[str, Any]]:
    """Rows of one network, none where there are some already."""
    if (found := subject_of(e)) is None:
        return []
    asked: dict[str, Any] = found.key | {"weights": found.weights, "suite": str(attacked.suite)}
    asked |= {"radius": radius.shown(found.eps, "linf"), "examples": len(found.images)}
    asked |= {"under_pgd": attacked.under_pgd, "attacked": attacked.by_all}
    if {name: str(value) for name, value in asked.items()} in known:
        return []
    return [asked | row for row in judged(found, attacked)]


def judged(subject: Subject, attacked: Attacked) -> list[dict[str, Any]]:
    """Rows of one network."""
    network = subject.deployed()
    few, more = (
        (subject.images[:n], subject.labels[:n]) for n in (attacked.by_all, attacked.under_pgd)
    )
    with torch.no_grad():
        answers = torch.cat([network(x) for x in subject.images.split(BATCH)])
        expected = torch.cat([network.simulation(x) for x in few[0].split(BATCH)])
    wrong = int((answers.argmax(1) != subject.labels).sum())
    apart = answers[: len(expected)] - expected
    alike = {
        "same": float((answers.argmax(1)[: len(expected)] == expected.argmax(1)).double().mean()),
        "apart": float(apart.abs().max()),
        "apart_median": float(apart.abs().median()),
    }
    rows = [{"network": DEPLOYED, "attack": "clean", **told(wrong, len(answers))}]
    attack = partial(nenni.evaluate, eps=subject.eps, progress=Progress())
    simulated = network.simulation
    by_scores = attack(network, few, SQUARE, source=simulated)
    by_pgd = attack(simulated, more, {PGD: QUICK[PGD]})
    by_all = attack(simulated, few, attacked.suite, least_only=True)
    for name, found, only in (
        (DEPLOYED, by_scores, None),
        (SIMULATED, by_pgd, PGD),
        (SIMULATED, by_all, WORST),
    ):
        table = found.summary[(found.summary["norm"] == "linf") & (found.summary["eps"] > 0)]
        for row in table[(table["attack"] == only) | (only is None)].to_dict("records"):
            kept = {key: row[key] for key in ("attack", "n", "accuracy", "low", "high")}
            rows.append({"network": name, **kept})
    print(subject.key, rows[0], rows[-1], flush=True)
    return [row | alike for row in rows]


@torch.no_grad()
def times(subjects: list[Subject], batches: list[int], threads: list[int], file: Path) -> None:
    """Time all networks, in turns."""
    warnings.simplefilter("ignore")  # torch.ao is deprecated, without a successor
    deployed = [subject.deployed() for subject in subjects]
    for number in threads:
        torch.set_num_threads(number)
        for batch in batches:
            setting = dict(zip(OF_TIMES, (processor(), batch, number), strict=True))
            images = subjects[0].images[:batch].contiguous(memory_format=torch.channels_last)
            calls: dict[str, Callable[[], Any]] = {}
            for i, subject in enumerate(subjects):
                calls[f"{i} {OURS}"] = partial(deployed[i], images)
                if subject.experiment.defence == DENSE:
                    plain = nenni.remove(subject.network)
                    calls[f"{i} {TORCH}"] = partial(quantised(plain, images), images)
            found = fastest(calls, seconds=OF_A_NETWORK)
            rows = [
                setting
                | subject.key
                | {"weights": subject.weights}
                | {by: found.get(f"{i} {by}", math.nan) for by in (OURS, TORCH)}
                for i, subject in enumerate(subjects)
            ]
            keep(file, pd.DataFrame(rows), OF_TIMES)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(str(error))
