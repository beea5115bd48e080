"""How large the runs of the configs are: jobs of each rule, passes of images, and hours.

    python workflow/scripts/run_sizes.py                  # jobs and passes; hours by speed.csv
    python workflow/scripts/run_sizes.py --device cpu     # steps are timed here, on one thread
    python workflow/scripts/run_sizes.py --device cuda config/cifar10_gpu.yaml

Jobs are those of a dry run in a copy of the project, where stand-ins lie for the data that a user
brings. Passes are counted for training (epochs x images x passes of an image), attacks and the
sweep (images x radii x passes of an image that no attack breaks, so many at most); profiles, fits,
diagnosis, cost and what is drawn are left out. With a device, the steps of each network that a
config makes, whatever is injected, are timed there; a GPU's steps are also those of speed.csv, of
plain networks alone. Hours are passes at these rates, one job at a time, without the seconds in
which a job starts, and of what has a rate alone: ``rated`` says for which share of the passes there
is one. Run it with nothing else running. Rows of other configs and devices in the table stay.
"""

import argparse
import re
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from _machine import device_name
from _passes import KINDS, Passes, of_attack, of_training
from _size_tables import NO_DEVICE
from _step_rates import Network, Rates, looked_up, measured
from _tables import keep

from nenni.core import plugins, runtime
from nenni.core.errors import UserError
from nenni.core.io import read_csv, write_csv
from nenni.core.plugins import Ref
from nenni.data.sizes import known_sizes, split_sizes
from nenni.run.config import Config
from nenni.run.config_file import load_claims, load_config
from nenni.run.plan import Plan
from nenni.run.slices import Slice, Slices

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results" / "reference"
OF = ["config", "rule", "device"]
PASSES = [f"{kind}_passes" for kind in KINDS]
CONFIGS = (
    "config", "mnist_claims", "cifar10_cpu", "cifar10_gpu", "paper_cifar10", "paper_cifar100",
    "ablations", "imagenet", "medical", "photos", "given_weights", "full_width", "deployment",
    "deployment_cpu", "baselines", "choices",
)  # fmt: skip

sys.path.append(str(ROOT / "tests" / "cases"))

from workflow_project import Project, bring_data  # noqa: E402


@dataclass
class Work:
    """What the jobs of a rule pass through one network."""

    network: Network
    passes: Passes = field(default_factory=Counter)


Works = dict[str, dict[str, Work]]
"""Rule -> key of a network -> passes."""


def main() -> None:
    """Parse the command line, count, and time where a device is given."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    usual = [ROOT / "config" / f"{name}.yaml" for name in CONFIGS]
    parser.add_argument("configs", type=Path, nargs="*", default=usual)
    parser.add_argument("--device", choices=("cpu", "cuda"), help="where steps are timed")
    parser.add_argument("--out", type=Path, default=REFERENCE / "run_sizes.csv")
    asked = parser.parse_args()
    device = runtime.prepare({"threads": 1, "device": asked.device or "cpu"})
    known: dict[str, Rates] = {}
    with tempfile.TemporaryDirectory(prefix="run_sizes_") as folder:
        project = Project.copy(Path(folder))
        bring_data(project.folder)
        for file in asked.configs:
            try:
                made, counted = sized(project, file)
            except UserError as error:
                sys.exit(str(error))
            rates = _by_table(counted)
            if asked.device is not None:
                rates[device_name(device)] = _timed(counted, device, known)
            found = rows(file.stem, made, counted, rates)
            print(found.to_string(index=False), flush=True)
            forget(asked.out, found)
            keep(asked.out, found, OF, PASSES)


def forget(file: Path, found: pd.DataFrame) -> None:
    """Take rows out of a table that counted a config otherwise, before it was changed."""
    if file.exists():
        known = read_csv(file)
        counted = ["config", "rule", "jobs", *PASSES]
        now, then = (pd.MultiIndex.from_frame(t[counted].fillna(-1)) for t in (found, known))
        others = ~known["config"].isin(found["config"])
        left = known[others | then.isin(now)]
        write_csv(file, left.astype(dict.fromkeys(PASSES, "Int64")))


def sized(project: Project, file: Path) -> tuple[dict[str, int], Works]:
    """Jobs of each rule, and what they pass, of a config."""
    (copy := project.folder / "config" / file.name).write_bytes(file.read_bytes())
    with chdir(project.folder):
        return jobs(project, copy), works(load_config(copy))


def jobs(project: Project, file: Path) -> dict[str, int]:
    """Jobs of each rule in a whole run, as a dry run of Snakemake counts them.

    Raises
    ------
    UserError
        If it cannot be planned.
    """
    done = project.run("snakemake", "-n", "--quiet", "rules", "--configfile", str(file))
    if done.returncode:
        raise UserError(f"{file}: {done.stdout.strip()} {done.stderr.strip()}")
    counted = re.findall(r"^(\w+) +(\d+)$", done.stdout, re.MULTILINE)
    return {rule: int(n) for rule, n in counted if rule not in ("all", "total")}


def works(config: Config) -> Works:
    """What the jobs of a whole run pass through which networks."""
    found: Works = defaultdict(dict)
    for rule, network, passes in _parts(config):
        found[rule].setdefault(network.key, Work(network)).passes.update(passes)
    return found


_Part = tuple[str, Network, Passes]


def _parts(config: Config) -> Iterator[_Part]:
    plan, slices = Plan(config), Slices(config, load_claims(ROOT / "config" / "claims.yaml"))
    for base, seed in {(_trained_as(config, b), s): (b, s) for b, s in plan.bases()}.values():
        part = slices.pretrain(base, str(seed))
        if part["recipe"] is not None:
            yield from _training("train_base", config, base, part, part["recipe"]["epochs"])
    for e in plan.experiments():
        of = e.base, e.defence, str(e.seed)
        if (tuning := config.defences[e.defence].finetune) is not None:
            epochs = config.finetunes[tuning].epochs
            yield from _training("finetune_defence", config, e.base, slices.finetune(*of), epochs)
        for name in plan.evaluations(e):
            yield from _attack("attack_experiment", config, e.base, slices.attack(*of, name))
    swept, asked = slices.sweep(), config.sweep
    settings = len(asked.ratios) * len(asked.fractions)
    about: Slice = {**swept, "eps": [asked.eps], "draws": 1, "tries": 1, "source": None}
    about["examples"] = asked.examples
    for rule, network, passes in _attack("sweep_noise", config, asked.base, about):
        yield rule, network, _times(passes, settings)


def _training(rule: str, config: Config, base: str, part: Slice, epochs: int) -> Iterator[_Part]:
    of_train, of_val = of_training(part["recipe"], _defended(part))
    images = split(config, base)
    passes = _times(of_train, epochs * images["train"]) + _times(of_val, epochs * images["val"])
    recipe = part["recipe"]
    network = _network(config, base, _defended(part))
    layout = {key: recipe[key] for key in ("precision", "channels_last")}
    yield rule, replace(network, **layout), passes


def _attack(rule: str, config: Config, base: str, part: Slice) -> Iterator[_Part]:
    defended = _defended(part)
    each, of_job = of_attack(part["attack"], defended, part["draws"], part["tries"])
    passes = _times(each, part["examples"] * len(part["eps"])) + of_job
    if part["source"] is None:
        yield rule, _network(config, base, defended), passes
        return
    plain = Counter({"gradient": passes["gradient"]})
    yield rule, _network(config, part["source"]["base"], {}), plain
    asked = Counter({"forward": passes["forward"] + passes["gradient"]})
    yield rule, _network(config, base, defended), asked


def _network(config: Config, base: str, defended: dict[str, Any]) -> Network:
    of = config.bases[base]
    return Network(config.models[of.model], _shape(config.data[of.data].data), defended)


def _shape(data: Ref) -> tuple[int, ...]:
    """Of an image (C, H, W), as the plugin, its file or its settings have it."""
    if data["name"] == "npz":
        with np.load(data["train"]) as arrays:
            _, height, width, *channels = arrays["x"].shape
        return *(channels or (1,)), height, width
    side = data.get("size", 28)
    grey = 1 if data["name"] == "medmnist" else 3
    shape: tuple[int, ...] = plugins.constant("data", data["name"], "SHAPE", (grey, side, side))
    return tuple(shape)


def split(config: Config, base: str) -> dict[str, int]:
    """Images of the splits that a base is trained on.

    Raises
    ------
    UserError
        If it is not known without decoding.
    """
    name = config.bases[base].data
    asked = config.data[name].model_dump(include={"train", "val", "test"})
    if asked["train"] is not None and asked["val"] is not None:
        return asked
    if (pools := known_sizes(config.data[name].data, 10**9)) is None:
        raise UserError(f"data.{name}: its size is not known: say train and val")
    return {str(part): n for part, n in split_sizes(pools, asked).items()}


def _trained_as(config: Config, base: str) -> str:
    """Bases that differ in the epoch that they keep are trained once."""
    return config.bases[base].model_copy(update={"keep": "last"}).model_dump_json()


def _defended(part: Slice) -> dict[str, Any]:
    kept = {key: part.get(key) for key in ("injection", "baseline")}
    if part.get("noise") is False:
        kept["noise"] = False
    return {key: value for key, value in kept.items() if value is not None}


def _times(passes: Passes, n: float) -> Passes:
    return Counter({kind: n * count for kind, count in passes.items()})  # type: ignore[misc]


def _by_table(counted: Works) -> dict[str, dict[str, Rates]]:
    """GPU -> key of a network -> its rates by speed.csv, where there are."""
    table = read_csv(REFERENCE / "speed.csv")
    found: dict[str, dict[str, Rates]] = defaultdict(dict)
    for key, work in _networks(counted).items():
        for device, rates in looked_up(work.network, table).items():
            found[device][key] = rates
    return found


def _timed(counted: Works, device: torch.device, known: dict[str, Rates]) -> dict[str, Rates]:
    """Key of each network -> its rates here; those that are `known` are not timed again."""
    networks = _networks(counted)
    for key, work in networks.items():
        rates = known.setdefault(key, {})
        kinds = [kind for kind in KINDS if work.passes[kind] and kind not in rates]
        if kinds:
            rates |= measured(work.network, device, kinds)
    return {key: known[key] for key in networks}


def _networks(counted: Works) -> dict[str, Work]:
    """Each network by its key, with its passes under all rules."""
    found: dict[str, Work] = {}
    for of in counted.values():
        for key, work in of.items():
            found.setdefault(key, Work(work.network)).passes.update(work.passes)
    return found


def rows(
    config: str, made: dict[str, int], counted: Works, rates: dict[str, dict[str, Rates]]
) -> pd.DataFrame:
    """A row for each rule without a device, and one for each device that has rates for it."""
    found = []
    for rule, n in made.items():
        of = counted.get(rule, {})
        total: Passes = sum((work.passes for work in of.values()), Counter())
        row = {"config": config, "rule": rule, "jobs": n}
        row |= {f"{kind}_passes": round(total[kind]) for kind in KINDS} if of else {}
        found.append({**row, "device": NO_DEVICE})
        for device, by_key in rates.items():
            rated = [(of[key].passes, by_key[key]) for key in by_key.keys() & of.keys()]
            if rated:
                n_rated = sum(sum(passes.values()) for passes, _ in rated)
                spent = sum(n * rate[kind] for p, rate in rated for kind, n in p.items() if n)
                share = round(n_rated / sum(total.values()), 3)
                found.append({**row, "device": device, "rated": share, "hours": spent / 3600})
    columns = [*OF, "jobs", *(f"{kind}_passes" for kind in KINDS), "rated", "hours"]
    table = pd.DataFrame(found, columns=columns)
    return table.astype({f"{kind}_passes": "Int64" for kind in KINDS})


if __name__ == "__main__":
    main()
