"""Sum up the suites of attacks: each attack, and the least over all of them per image.

Inputs: BASE/DEFENCE/SEED/SUITE/ATTACK (examples), and the same with /about (JSON). Outputs: suites
(CSV).
"""

import pandas as pd

from nenni.core.io import read_csv, read_json, write_csv
from nenni.evaluation.evaluate import summary
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    tables: dict[tuple[str, ...], dict[str, pd.DataFrame]] = {}
    notes: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for name in job.inputs:
        *where, attack = name.removesuffix("/about").split("/")
        if name.endswith("/about"):
            continue
        about = read_json(job.input(f"{name}/about"))
        key = (*where, about["norm"])
        tables.setdefault(key, {})[attack] = read_csv(job.input(name))
        notes.setdefault(key, {})[attack] = about["notes"]
    parts = []
    for (base, defence, seed, suite, norm), attacks in tables.items():
        rows = summary(attacks, notes[base, defence, seed, suite, norm], norm)  # type: ignore[arg-type]
        where_from = {"base": base, "defence": defence, "seed": seed, "suite": suite}
        parts.append(pd.concat([pd.DataFrame([where_from] * len(rows)), rows], axis=1))
    found = pd.concat(parts, ignore_index=True)
    write_csv(job.output("suites"), found)
    return f"{len(found)} accuracies in {len(tables)} suites"
