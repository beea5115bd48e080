"""Put methods beside their controls: paired differences of what the main table reads.

Inputs: paired. Outputs: controls (CSV).
"""

from nenni.core.io import read_csv, write_csv
from nenni.results.controls import controls_table
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    table = controls_table(read_csv(job.input("paired")), c["controls"], c["tables"])
    write_csv(job.output("controls"), table)
    return f"{len(table)} differences"
