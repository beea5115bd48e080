"""Look for masked gradients in the final network of an experiment.

Inputs: data, weights, and source if there is an independently trained network. Outputs: checks
(CSV, one row per check and one for all), curves (CSV).
"""

from nenni.core import runtime
from nenni.core.io import write_csv
from nenni.data.data_file import load_data
from nenni.data.split import first
from nenni.evaluation.diagnose import diagnose
from nenni.run.attacked import read_attacked
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    device = runtime.prepare(c)
    data, _ = load_data(job.input("data"), ("test",), device)
    images, labels = first(data["test"], c["examples"])
    model, source = read_attacked(job, device)
    found = diagnose(
        model,
        (images, labels),
        eps=c["eps"],
        source=source,
        seed=c["seed"],
        draws=c["draws"],
        progress=job.progress,
    )
    write_csv(job.output("checks"), found.rows)
    write_csv(job.output("curves"), found.curves)
    return f"{found.verdict} (n = {len(images)})"
