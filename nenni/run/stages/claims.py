"""Judge the claims of the paper by what this run measured.

Inputs: paired, reductions. Outputs: claims (CSV).
"""

from nenni.core.io import read_csv, write_csv
from nenni.results.claims import judge
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    table = judge(
        c["claims"],
        read_csv(job.input("paired")),
        read_csv(job.input("reductions")),
        c["tables"],
        c["datasets"],
    )
    write_csv(job.output("claims"), table)
    return ", ".join(f"{n} {verdict}" for verdict, n in table["verdict"].value_counts().items())
