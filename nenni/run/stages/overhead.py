"""Compare the time of fine-tuning with that of a control without injection. Times are no results.

Inputs: EXPERIMENT (one timing each). Outputs: table (CSV, under benchmarks/).
"""

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
    control = job.config["control"]
    plain = table[table["defence"] == control].set_index(["base", "seed"])["ms_per_example"]
    index = pd.MultiIndex.from_frame(table[["base", "seed"]])
    table["over_control"] = table["ms_per_example"].to_numpy() / plain.reindex(index).to_numpy()
    write_csv(job.output("table"), table)
    worst = table["over_control"].max()
    compared = f"at most {worst:.1f} times {control}" if plain.size else "nothing to compare with"
    return f"{len(table)} timings; {compared}"
