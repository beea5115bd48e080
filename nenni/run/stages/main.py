"""Make the main table: base x defence, accuracies, BitOPs and modelled latency.

Inputs: accuracy, reductions, latency. Outputs: csv, tex.
"""

from nenni.core.io import read_csv, write_csv, write_text
from nenni.results.latex import latex
from nenni.results.main_table import LEGEND, display, main_table
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    c = job.config
    tables = {name: read_csv(job.input(name)) for name in ("accuracy", "reductions", "latency")}
    table = main_table(**tables, **c)
    write_csv(job.output("csv"), table)
    write_text(job.output("tex"), latex(display(table, list(c["columns"])), LEGEND))
    return f"{len(table)} rows"
