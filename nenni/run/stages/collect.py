"""Join the tables of all experiments into one, with columns base, defence and seed in front.

Inputs: BASE/DEFENCE/SEED (one table each). Outputs: table (CSV).
"""

import pandas as pd

from nenni.core.io import read_csv, write_csv
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    frames = []
    for name in job.inputs:
        base, defence, seed = name.split("/")
        frame = read_csv(job.input(name))
        frame.insert(0, "base", base)
        frame.insert(1, "defence", defence)
        frame.insert(2, "seed", int(seed))
        frames.append(frame)
    write_csv(job.output("table"), pd.concat(frames, ignore_index=True))
    return f"{len(frames)} experiments"
