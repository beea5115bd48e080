"""``nenni show``: print the main table of a run and where the rest is."""

import argparse
from pathlib import Path
from typing import Any

from nenni.cli import arguments


def add(commands: Any) -> None:
    """Add the command's arguments."""
    parser = arguments.command(
        commands,
        "show",
        "print the main table of a run and where the rest is",
        "example: nenni show --config config/cifar10_cpu.yaml",
    )
    parser.add_argument("--config", type=Path, default=Path("config/config.yaml"))
    parser.set_defaults(run=run)


def run(parsed: argparse.Namespace) -> None:
    """Run the command."""
    from nenni.core.errors import UserError, in_a_line
    from nenni.core.io import read_csv
    from nenni.results.main_columns import CLEAN, titles_among
    from nenni.results.main_table import LEGEND, display
    from nenni.run.config_file import load_config

    run = load_config(parsed.config).run
    results = Path("results") / run
    file = results / "tables" / "main.csv"
    table = read_csv(file)
    titles = [title for title in titles_among(table.columns) if title != CLEAN]
    try:
        shown = display(table, titles)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{file}: is damaged ({in_a_line(error)}); delete it and run snakemake again"
        ) from error
    print(shown.to_string(index=False))  # noqa: T201
    print(  # noqa: T201
        "\n".join(("", *LEGEND)) + "\n"
        f"\ntables    {results / 'tables'}, claims.csv among them"
        f"\nfigures   {results / 'figures'}"
        f"\ntimes     {Path('benchmarks') / run}"
        "\nreport    report.html, where it was asked for"
        f"\npage      {results / 'index.html'}, all of it in one file for a browser",
    )
