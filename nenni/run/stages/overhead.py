"""Compare the time of fine-tuning with that of the same without the method. Times are no results.

Inputs: EXPERIMENT (one timing each). Outputs: table (CSV, under benchmarks/).
"""

from math import nan

import pandas as pd

from nenni.core.io import read_json, write_csv
from nenni.run.experiment import where_from
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    rows = []
    for name in job.inputs:
        timing = read_json(job.input(name))
        if not timing["seconds_per_epoch"]:
            continue
        fastest = min(timing["seconds_per_epoch"])
        rows.append({**where_from(name), "ms_per_example": 1e3 * fastest / timing["examples"]})
    table = pd.DataFrame(rows, columns=["base", "defence", "seed", "ms_per_example"])
    controls = job.config["controls"]
    of = table.set_index(["base", "defence", "seed"])["ms_per_example"]
    plain = [of.get((base, controls[base][d], seed), nan) for base, d, seed in of.index]
    table["over_control"] = table["ms_per_example"] / pd.Series(plain, dtype=float)
    write_csv(job.output("table"), table)
    worst = table["over_control"].max()
    compared = "none beside" if pd.isna(worst) else f"at most {worst:.1f} times"
    return f"{len(table)} timings; {compared} the same fine-tuning without the method"
