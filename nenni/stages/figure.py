"""Draw a figure from the run's tables.

Inputs: the tables that the figure's function names. Outputs: pdf, png.
"""

from nenni import plugins
from nenni.figures import _style
from nenni.io import read_csv
from nenni.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    figure = job.config["figure"]
    name: str = figure["name"]
    _style.prepare()
    tables = {table: read_csv(job.input(table)) for table in job.inputs}
    if "tables" in job.config:
        tables["tables"] = job.config["tables"]
    drawn = plugins.load("figure", name)(**tables, **plugins.arguments(figure))
    _style.save(drawn, job.output("pdf"), job.output("png"))
    return name
