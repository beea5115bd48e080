"""Sum up the suites of attacks: each attack, and the least over all of them per image.

Inputs: EXPERIMENT/SUITE/ATTACK (examples), and the same with /about (JSON). Outputs: suites and,
for randomised networks, persistence (CSV).
"""

from dataclasses import asdict

import pandas as pd

from nenni.core.io import read_csv, read_json, write_csv
from nenni.core.types import Norm
from nenni.evaluation.persistence import persistence
from nenni.evaluation.scoring import least
from nenni.evaluation.suite_result import summary
from nenni.run.experiment import Experiment
from nenni.run.job import Job

_ABOUT = "/about"
_Group = tuple[Experiment, str, Norm]
"""Experiment, suite and norm, of which the least over attacks is taken."""


def run(job: Job) -> str:
    """Run the stage."""
    tables: dict[_Group, dict[str, pd.DataFrame]] = {}
    notes: dict[_Group, dict[str, list[str]]] = {}
    for name in job.inputs:
        if name.endswith(_ABOUT):
            continue
        experiment, (suite, attack) = Experiment.parse(name)
        about = read_json(job.input(f"{name}{_ABOUT}"))
        key = (experiment, suite, about["norm"])
        tables.setdefault(key, {})[attack] = read_csv(job.input(name))
        notes.setdefault(key, {})[attack] = about["notes"]
    parts, tries = [], []
    for (experiment, suite, norm), attacks in tables.items():
        which = asdict(experiment) | {"suite": suite}
        parts.append(_of(which, summary(attacks, notes[experiment, suite, norm], norm)))
        draws = max(int(table["draws"].max()) for table in attacks.values())
        whole = max(len(table) for table in attacks.values())
        shares = least(table for table in attacks.values() if len(table) == whole)
        found = persistence(shares if draws > 1 else shares[:0], draws)
        tries.append(_of(which | {"norm": norm}, found))
    found = pd.concat(parts, ignore_index=True)
    write_csv(job.output("suites"), found)
    write_csv(job.output("persistence"), pd.concat(tries, ignore_index=True))
    return f"{len(found)} accuracies in {len(tables)} suites"


def _of(which: dict[str, object], rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, each with what they are of."""
    named = pd.DataFrame([which] * len(rows), columns=list(which), index=rows.index)
    return pd.concat([named, rows], axis=1)
