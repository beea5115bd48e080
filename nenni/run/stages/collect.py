"""Join the tables of all experiments, or bases, with columns that say which in front.

Inputs: EXPERIMENT or BASE/SEED (one table each). Outputs: table (CSV).
"""

import pandas as pd

from nenni.core.io import read_csv, write_csv
from nenni.run.experiment import where_from
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    frames = []
    for name in job.inputs:
        frame = read_csv(job.input(name))
        for place, (column, value) in enumerate(where_from(name).items()):
            frame.insert(place, column, value)
        frames.append(frame)
    write_csv(job.output("table"), pd.concat(frames, ignore_index=True))
    return f"{len(frames)} tables"
