"""Draw a figure from the run's tables.

Inputs: the tables that the figure's function names. Outputs: pdf, png.
"""

from nenni.core import plugins
from nenni.core.io import read_csv
from nenni.results import figure_style
from nenni.run.job import Job


def run(job: Job) -> str:
    """Run the stage."""
    figure = job.config["figure"]
    name: str = figure["name"]
    figure_style.prepare()
    tables = {table: read_csv(job.input(table)) for table in job.inputs}
    of_config = {name: job.config[name] for name in ("tables", "settings") if name in job.config}
    drawn = plugins.load("figure", name)(**tables, **of_config, **plugins.arguments(figure))
    figure_style.save(drawn, job.output("pdf"), job.output("png"))
    return name
