"""Put everything that each defence gives and costs into one table.

Inputs: main, crossovers, energy; suites, overhead, where the run has them and where times may be
told. Outputs: csv; tex, if asked for.
"""

from nenni.core.io import read_csv, write_csv, write_text
from nenni.results.comparison import LEGEND, comparison, display
from nenni.results.latex import latex
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    tables = {name: read_csv(job.input(name)) for name in job.inputs}
    table = comparison(**tables, columns=job.config["columns"])
    write_csv(job.output("csv"), table)
    if "tex" in job.outputs:
        write_text(job.output("tex"), latex(display(table), LEGEND))
    return f"{len(table)} rows"
