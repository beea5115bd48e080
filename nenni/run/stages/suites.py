"""Sum up the suites of attacks: each attack, and the least over all of them per image.

Inputs: EXPERIMENT/SUITE/ATTACK (examples), and the same with /about (JSON). Outputs: suites
(CSV).
"""

from dataclasses import asdict

import pandas as pd

from nenni.core.io import read_csv, read_json, write_csv
from nenni.core.types import Norm
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
    parts = []
    for (experiment, suite, norm), attacks in tables.items():
        rows = summary(attacks, notes[experiment, suite, norm], norm)
        which = asdict(experiment) | {"suite": suite}
        parts.append(pd.concat([pd.DataFrame([which] * len(rows)), rows], axis=1))
    found = pd.concat(parts, ignore_index=True)
    write_csv(job.output("suites"), found)
    return f"{len(found)} accuracies in {len(tables)} suites"
