"""Judge the claims of the paper by what this run measured.

Inputs: paired, reductions. Outputs: claims (CSV).
"""

from dataclasses import asdict

from nenni.core.io import read_csv, write_csv
from nenni.results.claims import judge
from nenni.run.claim_trials import Trial
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    trials = [asdict(Trial(*trial)) for trial in c["trials"]]
    table = judge(
        c["claims"],
        c["sources"],
        c["bases"],
        trials,
        read_csv(job.input("paired")),
        read_csv(job.input("reductions")),
    )
    write_csv(job.output("claims"), table)
    return ", ".join(f"{n} {verdict}" for verdict, n in table["verdict"].value_counts().items())
