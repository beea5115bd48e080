"""Make the page of a run: one HTML file with its claims, tables, figures and config.

Inputs: table/NAME (CSV) and figure/NAME (PNG), of all that the run made. Outputs: page (HTML).
"""

from pathlib import Path

from nenni.core.errors import UserError, in_a_line
from nenni.core.io import read_csv, write_text
from nenni.results.page.about import about, summary
from nenni.results.page.page import page
from nenni.results.page.pictures import Picture, picture
from nenni.results.page.tables import spelt
from nenni.run.job import Job

_TABLE, _FIGURE = "table/", "figure/"


def run(job: Job) -> str:
    """Run the stage."""
    tables = {
        name.removeprefix(_TABLE): read_csv(job.input(name))
        for name in job.inputs
        if name.startswith(_TABLE)
    }
    pictures = [
        _picture(job, name.removeprefix(_FIGURE), job.input(name))
        for name in job.inputs
        if name.startswith(_FIGURE)
    ]
    html = page(tables, pictures, about(job.config))
    write_text(job.output("page"), html)
    return f"{len(html.encode()) / 1e6:.1f} MB"


def _picture(job: Job, name: str, file: Path) -> Picture:
    told = summary("figure", job.config["figures"][name]["figure"]["name"])
    try:
        return picture(name, spelt(name), told, file.read_bytes())
    except OSError as error:
        raise UserError(
            f"{file}: is damaged ({in_a_line(error)}); delete it and run snakemake again"
        ) from error
